"""The ceremony: an agency makes its keys and its first operation, and trusts a broker's logs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import msgspec
from saphan_protocol.invitation import Invitation, format_invitation
from saphan_protocol.pins import Pins, format_pins
from saphan_schemas.decoders import convert
from saphan_schemas.directory_records import Change
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId, Handle, Role

from saphan.agency_file import AgencyFile, format_agency
from saphan.ceremony.draft import propose, sign
from saphan.ceremony.holder import RootHalf
from saphan.ceremony.judging import PROOF_BYTES, SIGNATURE_BYTES
from saphan.ceremony.roots import Roots, keep_halves, root_additions
from saphan.durable import PUBLIC_MODE, create_file, make_folder, replace_file, sync_folder
from saphan.keys.keyfiles import DEFAULT_COST, Argon2Cost, SecretKey, new_key
from saphan.keys.mailbox_schedule import first_schedule, make_keys
from saphan.keys.passphrase import Passphrase
from saphan.office import FOLDERS, Office
from saphan.operations import addition, settle, write_key

FIRST_OFFICERS: Final = 6
"""Officers in the first operation, which has to fit one log leaf; more are added afterwards."""
KEY_BYTES: Final = 1_984 + 64 + SIGNATURE_BYTES
"""A root's or an officer's place in an operation: its public key and its own signature."""
NODE_KEYS_BYTES: Final = KEY_BYTES + 1_344 + 64 + PROOF_BYTES + LIMITS.mailbox_first_weeks * 1_280
"""The node's signing key, its witness key, and the first weekly mailbox keys."""


def init(
    folder: Path,
    agency: str,
    root: Passphrase | Roots,
    officers: Mapping[str, Passphrase],
    *,
    now: int,
    cost: Argon2Cost = DEFAULT_COST,
    invitation: Invitation | None = None,
) -> Office:
    """Make an agency: node, mailbox, witness and officers' keys, and its first operation.

    With a root of its own (1 of 1) the operation is signed at once: `enrol.saphan`. With roots that
    holders keep elsewhere it is a draft, `drafts/0001.draft`, for them to sign and to finish.

    Args:
        folder: created, or empty; it appears whole or not at all.
        agency: id such as "la.ospp".
        root: passphrase of a root key made here, or the public halves of roots made elsewhere.
        officers: handle to passphrase, one to six (fewer with many roots).
        now: ms UTC.
        cost: of Argon2id; cheaper ones are for tests only.
        invitation: of the broker that it trusts, its words compared already.

    Raises:
        InvalidInput: `agency_malformed`, `handle_malformed`, `officers_count`, `key_duplicate`,
            `operation_large`. Refused: `operation_threshold`.
        OperatorError: `agency_folder_exists`, `file_unwritable`.
    """
    folder = folder.absolute()
    check_new(folder, agency, officers, root if isinstance(root, Roots) else None)
    staged = folder.with_name(f".{folder.name}.new")
    if staged.exists():
        shutil.rmtree(staged)  # of a ceremony that was cut off: keys that nobody ever enrolled
    try:
        _make(Office(staged), agency, root, officers, now, cost)
        if invitation is not None:
            _store(Office(staged), invitation)
        try:
            staged.rename(folder)  # an empty folder is replaced, a filled one refuses
        except OSError:
            raise _folder_exists(folder) from None
    except BaseException:
        with contextlib.suppress(OSError):
            shutil.rmtree(staged)
        raise
    sync_folder(folder.parent)
    return Office(folder)


def store_pins(office: Office, pins: Pins) -> None:
    """Trust a broker's logs, after a person has compared the words aloud.

    Raises:
        Refused: `pins_differ` (others are stored).
    """
    _check_pins(office, pins)
    replace_file(office.pins_file, format_pins(pins))


def store_invitation(office: Office, invitation: Invitation) -> None:
    """The same with the broker's address and TLS key; a new address or key replaces the old.

    Raises:
        Refused: `pins_differ`.
    """
    _check_pins(office, invitation.pins)
    _store(office, invitation)


def _check_pins(office: Office, pins: Pins) -> None:
    if office.pins_file.exists() and office.read_pins() != pins:
        raise Refused(
            "pins_differ",
            "this agency trusts another broker's logs already",
            field="pins",
            hint=f"if the change is agreed with all parties, move {office.pins_file} away first",
        )


def _store(office: Office, invitation: Invitation) -> None:
    """A crash between the two leaves a node that trusts the logs and does not know the address."""
    replace_file(office.pins_file, format_pins(invitation.pins))
    replace_file(office.invitation_file, format_invitation(invitation))


def _make(
    office: Office,
    agency: str,
    root: Passphrase | Roots,
    officers: Mapping[str, Passphrase],
    now: int,
    cost: Argon2Cost,
) -> None:
    make_folder(office.folder)
    for name in FOLDERS:
        make_folder(office.folder / name)
    if isinstance(root, Roots):
        roots, own = root, None
        keep_halves(office, roots.halves)
    else:
        own = new_key(Role.ROOT)
        roots = Roots((RootHalf("root", own.public),), 1)
        write_key(office.root_key, own, root, cost)
    public = AgencyFile(agency=agency, threshold=roots.threshold, roots=roots.publics)
    create_file(office.agency_file, format_agency(public), PUBLIC_MODE)
    changes, keys = _first_keys(office, officers, now, cost)
    changes = (*root_additions(roots.halves), *changes)
    draft = propose(office, changes, keys, now, holders=roots.holders)
    settle(office, draft if own is None else sign(draft, own.signing()))


def _first_keys(
    office: Office, officers: Mapping[str, Passphrase], now: int, cost: Argon2Cost
) -> tuple[tuple[Change, ...], list[SecretKey]]:
    """Make the keys that work every day; what enrols them, and those that prove themselves."""
    keys = [new_key(Role.NODE), new_key(Role.WITNESS)]
    keys += [new_key(Role.OFFICER, handle) for handle in sorted(officers)]
    mailboxes = make_keys(first_schedule(now))
    for key in (*keys, *(key for key, _ in mailboxes)):
        passphrase = officers.get(key.handle or "")
        write_key(office.key_file(key.role, key.key_id, key.handle), key, passphrase, cost)
    changes = (*(addition(key, now) for key in keys), *(change for _, change in mailboxes))
    return changes, keys


def check_new(
    folder: Path, agency: str, officers: Collection[str], roots: Roots | None = None
) -> None:
    """What can be known before anybody thinks up a passphrase; `officers` are handles.

    Raises:
        InvalidInput: `agency_malformed`, `handle_malformed`, `officers_count`.
        OperatorError: `agency_folder_exists`.
    """
    if folder.is_dir() and (any(folder.iterdir()) or folder.samefile(".")):
        # The folder appears whole, by a rename: a shell that stands in it would see the old one.
        raise _folder_exists(folder)
    _check(agency, AgencyId, "agency_malformed", "agency")
    for handle in officers:
        check_handle(handle)
    most = FIRST_OFFICERS if roots is None else _room_for_officers(roots)
    if not 1 <= len(officers) <= most:
        raise InvalidInput(
            "officers_count",
            f"{len(officers)} officers were named, the first operation takes 1 to {most}",
            field="officer",
            hint="begin with a few and add the others: saphan keys add officer --handle HANDLE",
        )


def _room_for_officers(roots: Roots) -> int:
    """Officers that fit the first operation beside these roots and the node's keys."""
    taken = len(roots.halves) * KEY_BYTES + roots.threshold * SIGNATURE_BYTES + NODE_KEYS_BYTES
    return max(0, min(FIRST_OFFICERS, (LIMITS.operation_bytes - taken) // KEY_BYTES))


def check_handle(handle: str) -> None:
    """Refuse what cannot be an officer's handle.

    Raises:
        InvalidInput: `handle_malformed`.
    """
    _check(handle, Handle, "handle_malformed", "handle")


def _check(value: str, kind: object, code: str, field: str) -> None:
    try:
        convert(value, kind)
    except msgspec.ValidationError:
        shape = "cc.name, such as la.ospp" if field == "agency" else "a word, such as bounmy"
        raise InvalidInput(
            code,
            f"{value[:64]!r} is no {field}: lower-case letters, digits and hyphens, {shape}",
            field=field,
        ) from None


def _folder_exists(folder: Path) -> OperatorError:
    return OperatorError(
        "agency_folder_exists",
        f"{folder} holds something already, or you stand in it; an agency is made in a new folder",
        field="dir",
        hint="name another folder with --dir; keys that exist are never overwritten",
    )
