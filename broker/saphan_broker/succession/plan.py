"""What is to be made, decided once: a crash later goes on from here and decides nothing anew.

    KEYS/succession/plan.json         origins, the head that leaf 0 names, where nodes come
    KEYS/succession/directory.leaves  the directory's leaves, with the texts that belong to them

The folder gets its name when it is whole. From then on no broker runs on these keys until the
successor is made, and leaf 0 is what the plan says, however often the making is cut off.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_protocol.pins import numbered
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.decoders import json_decoder
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS, MIB
from saphan_schemas.records import HeadRef

from saphan_broker import private_files
from saphan_broker.export_file import file_error
from saphan_broker.init_marker import SUCCESSION_NAME

FORMAT: Final = "succession/1"
PLAN_NAME: Final = "plan.json"
LEAVES_NAME: Final = "directory.leaves"
STAGE_NAME: Final = "set-aside"
RECORD_BYTES: Final = 2 * MIB
"""A leaf of 64 KiB and a schema's bundle of 512 KiB, or an agreement's package of 64 KiB."""
_LENGTH: Final = struct.Struct(">I")


class KnownLeaf(Record, frozen=True):
    """A directory leaf and the text beside it, as far as that is left."""

    leaf: Annotated[bytes, Meta(max_length=LIMITS.leaf_bytes)]
    package: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One succession.

    Args:
        lost: the evidence log's head that leaf 0 names.
        directory_before, directory: its origin so far, and from here on.
        evidence: the new log's origin.
        known: the directory's head that the leaves make.
        address: HOST:PORT by which nodes come; it stands in the renewed invitation.
        tls: fingerprint of the key in the invitation; None: an authority vouches.
    """

    lost: HeadRef
    directory_before: str
    directory: str
    evidence: str
    known: HeadRef
    address: str
    tls: bytes | None

    @property
    def ended(self) -> str:
        """Number of the log that ends: the name of the folder in which it is set aside."""
        return self.lost.origin.rpartition("/")[2]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    lost: HeadRef
    directory_before: str
    directory: str
    evidence: str
    known: HeadRef
    address: str
    tls: bytes | None


def next_origin(pin: LogPin, number: int) -> str:
    """The origin of the log with this number."""
    return numbered(pin, number).origin


def plan_place(keys: Path) -> Path:
    """The folder of a plan that is decided and not finished."""
    return keys / SUCCESSION_NAME


def read_plan(keys: Path) -> Plan | None:
    """What was decided and is not finished; None: nothing.

    Raises:
        OperatorError: `key_file_*`.
    """
    place = plan_place(keys)
    if not place.exists():
        return None
    path = place / PLAN_NAME
    try:
        found = json_decoder(_File).decode(private_files.read(path))
    except ValueError:
        raise private_files.malformed(path, "it is no plan of a succession") from None
    if found.saphan != FORMAT:
        raise private_files.malformed(path, f"it is not of format {FORMAT}")
    fields = {name: getattr(found, name) for name in found.__struct_fields__ if name != "saphan"}
    return Plan(**fields)


def write_plan(keys: Path, plan: Plan, leaves: Iterable[KnownLeaf]) -> None:
    """Decide: durable and whole when it returns, and not there before.

    Raises:
        OperatorError: `disk_full`, `file_unwritable`.
    """
    place = plan_place(keys)
    fresh = place.with_name(f"{SUCCESSION_NAME}.new")
    try:
        shutil.rmtree(fresh, ignore_errors=True)  # what a crash left was never decided
        fresh.mkdir(mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(fresh / LEAVES_NAME, flags, 0o600), "wb") as file:
            for one in leaves:
                data = encode(one)
                file.write(_LENGTH.pack(len(data)) + data)
            file.flush()
            os.fsync(file.fileno())
        fields = {name: getattr(plan, name) for name in _File.__struct_fields__ if name != "saphan"}
        text = msgspec.json.encode(_File(saphan=FORMAT, **fields))
        private_files.write_new(fresh / PLAN_NAME, text + b"\n")
        # A crash before this line leaves everything as it was; after it, the rest is made.
        fresh.rename(place)
        private_files.sync_directory(keys)
    except OSError as error:
        raise file_error(place, error) from None


def planned_leaves(keys: Path) -> Iterator[KnownLeaf]:
    """The directory's leaves from the first on.

    Raises:
        OperatorError: `key_file_malformed`, `key_file_missing`, `key_file_exposed`.
    """
    path = plan_place(keys) / LEAVES_NAME
    private_files.check_private(path)
    with path.open("rb") as file:
        while length := file.read(_LENGTH.size):
            try:
                size = _LENGTH.unpack(length)[0]
                yield decode(KnownLeaf, file.read(min(size, RECORD_BYTES)), RECORD_BYTES, "leaf")
            except (struct.error, InvalidInput):
                raise private_files.malformed(path, "a leaf in it does not parse") from None


def is_set_aside(keys: Path) -> bool:
    """Whether the old store is out of the way: what lies in its place is the new one."""
    return (plan_place(keys) / STAGE_NAME).exists()


def mark_set_aside(keys: Path) -> None:
    """Say so; durable, idempotent."""
    if not is_set_aside(keys):
        private_files.write_new(plan_place(keys) / STAGE_NAME, b"")


def finish(keys: Path) -> None:
    """The successor is made: from here on brokers run again."""
    done = keys / f"{SUCCESSION_NAME}.done"
    try:
        shutil.rmtree(done, ignore_errors=True)
        plan_place(keys).rename(done)
        private_files.sync_directory(keys)
        shutil.rmtree(done, ignore_errors=True)
    except OSError as error:
        raise file_error(keys, error) from None
