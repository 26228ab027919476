"""`saphan-broker init`: an empty broker whose logs have begun, and the invitation for agencies.

Order: a marker; TLS key, day-key seed, log keys, last-head files; the store; directory leaf 0 (the
schemas of this program) under a signed head; evidence leaf 0 (the anchor) under a signed head; pin
file and invitation; marker away. The leaves enter by the functions that log everything else. A
crash leaves the marker: nothing of such a broker was ever shown to anyone, so it is removed and
made again, never repaired.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from saphan_protocol.invitation import DEFAULT_PORT, Invitation, split_address
from saphan_protocol.pins import Pins
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import HeadRef

from saphan_broker import private_files
from saphan_broker.blobs.store import FOLDER, BlobStore
from saphan_broker.clock import Clock, day_of, system_clock
from saphan_broker.data_lock import LOCK_NAME
from saphan_broker.init_marker import MARKER_NAME, check_finished
from saphan_broker.inviting import INVITATION_NAME, check_place, write_invitation
from saphan_broker.keys import create_log_keys, make_pins, write_pins
from saphan_broker.logs.signer import Signer
from saphan_broker.opening import (
    SQLITE,
    StoreChoice,
    check_vacant,
    create_store,
    open_objects,
    open_store,
)
from saphan_broker.retention.armed import Armed
from saphan_broker.seeds import DayKeys
from saphan_broker.sequencing.committing import Committer
from saphan_broker.sequencing.registering import Registrar
from saphan_broker.serving_keys import PINS_NAME
from saphan_broker.state import State
from saphan_broker.store.base import LOGS, Log, Store
from saphan_broker.tls_files import create_tls

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,78}[a-z0-9])?", re.ASCII)


def init(
    data: Path,
    keys: Path,
    name: str,
    pins_file: Path | None = None,
    *,
    address: str | None = None,
    invitation_file: Path | None = None,
    store: StoreChoice = SQLITE,
    clock: Clock = system_clock,
) -> tuple[Invitation, list[HeadRef]]:
    """Make a broker in two directories that are empty or not there; its invitation, first heads.

    Blocks on the disk and runs an event loop of its own: for the command line, not for a server.

    Args:
        data: the store's directory; is backed up.
        keys: log keys, last-head files, day-key seed; is never backed up with the store.
        name: what the broker calls itself, such as "bridge.example"; the start of both origins.
        pins_file: where the pin file is written; None: DATA/pins.json.
        address: HOST:PORT by which nodes reach the broker; None: NAME:8470.
        invitation_file: where the invitation is written; None: DATA/invitation.json.
        store: which engine begins the logs, and where objects lie.

    Raises:
        InvalidInput: `broker_name`, `address_malformed`.
        OperatorError: `broker_exists`, `init_unfinished`, `directory_not_empty`,
            `directories_overlap`, `directory_unusable`, `disk_full`, `key_file_exposed`,
            `file_exists` (where the invitation should be written), `store_exists` and what opening
            a shared store raises.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "broker_name",
            f"{name[:80]!r} cannot name a broker",
            field="name",
            hint="take a host name: lower-case letters, digits, dots and hyphens",
        )
    address = f"{name}:{DEFAULT_PORT}" if address is None else address
    host, _port = split_address(address)
    data, keys = data.absolute(), keys.absolute()
    invitation_file = data / INVITATION_NAME if invitation_file is None else invitation_file
    check_place(invitation_file)
    with _said(data, keys):
        _check_places(data, keys)
        # A server that cannot be used is found before there are keys, and nothing is to be removed.
        asyncio.run(check_vacant(data, store.named(name)))
        for directory in (data, keys):
            private_files.make_directory(directory)
        marker = keys / MARKER_NAME
        private_files.write_new(marker, b"init began here and has not finished\n")
        facts = create_tls(keys, list(dict.fromkeys((host, name))), clock())
        pins, heads = asyncio.run(_begin(data, keys, name, store, clock))
        write_pins(data / PINS_NAME if pins_file is None else pins_file, pins)
        invitation = Invitation(address=address, pins=pins, tls=facts.pin)
        write_invitation(invitation_file, invitation)
        # A crash before this line leaves a broker that nobody has seen; after it, a whole one.
        marker.unlink()
        private_files.sync_directory(keys)
    return invitation, heads


async def _begin(
    data: Path, keys: Path, name: str, choice: StoreChoice, clock: Clock
) -> tuple[Pins, list[HeadRef]]:
    day_keys = DayKeys.create(keys, day_of(clock()))
    Armed.begin(keys, clock())
    made = {log: create_log_keys(keys, log, f"{name}/{log}/1") for log in LOGS}
    signers: dict[Log, Signer] = {log: Signer.create(keys, log, made[log]) for log in LOGS}
    for signer in signers.values():
        signer.allow_unheard("the log begins")
    pins = make_pins(name, made["directory"], made["evidence"])

    choice = choice.named(name)
    objects = await asyncio.to_thread(open_objects, data, choice) if choice.shared else None

    async def reopen() -> Store:
        return await open_store(data, choice, objects)

    store = await create_store(data, choice, objects)
    blobs = BlobStore(data / FOLDER, clock)
    state = State(store, reopen, pins, day_keys, signers, blobs=blobs, clock=clock)
    try:
        await state.load()
        committer = Committer(state)
        await Registrar(state, committer).register_types()
        await committer.commit([])  # no item; the anchor is due
        heads = [book.published.ref for book in state.books.values() if book.published]
    finally:
        await state.close()
        if objects is not None:
            await objects.close()
    return pins, heads


def _check_places(data: Path, keys: Path) -> None:
    check_finished(keys)
    if data == keys or data in keys.parents or keys in data.parents:
        raise OperatorError(
            "directories_overlap",
            f"{data} and {keys} are not apart",
            field="keys",
            hint="a backup of the store must not carry the keys: take two separate directories",
        )
    for directory, field in ((keys, "keys"), (data, "data")):
        found = sorted(os.listdir(directory)) if directory.exists() else []
        found = [name for name in found if name != LOCK_NAME]  # of a run that found nothing here
        if "broker.db" in found or "directory.key" in found:
            raise OperatorError(
                "broker_exists",
                f"there is already a broker in {directory}",
                field=field,
                hint="start it with `saphan-broker run`, or name directories that do not exist",
            )
        if found:
            raise OperatorError(
                "directory_not_empty",
                f"{directory} is not empty: it has {found[0]!r}",
                field=field,
                hint="name a directory that is empty or does not exist yet",
            )


@contextmanager
def _said(data: Path, keys: Path) -> Iterator[None]:
    """Turn the file system's refusals into words."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(error.filename or keys) from None
        raise _unusable(f"{error.filename or f'{data} or {keys}'}: {error.strerror}") from None


def _disk_full(place: Path | str) -> OperatorError:
    return OperatorError(
        "disk_full",
        f"there is no space left for {place}",
        field="data",
        hint="free some space, remove both directories, then run init again",
    )


def _unusable(what: str) -> OperatorError:
    return OperatorError(
        "directory_unusable",
        what,
        field="data",
        hint="the directory above it must exist, and its owner must be the one who runs this",
    )
