"""Make a node's backups while it works: the store as of one moment, then what it refers to.

The order matters: an archive key and an attachment's file are durable before the store names them,
so what is copied after the store's copy holds everything that the copy names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from saphan_protocol.batch import SALT_BYTES, sign_one
from saphan_protocol.custody import SECRET_BYTES, seal_shares
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.records import Role

from saphan.backup.contents import DATABASE, members
from saphan.backup.custodians import Custodian
from saphan.backup.header import (
    BACKUP_TYPE,
    ID_BYTES,
    Header,
    NamedCustodian,
    Part,
    format_header,
    make_split,
)
from saphan.backup.new_file import new_file
from saphan.backup.one_at_a_time import alone
from saphan.backup.snapshot import snapshot
from saphan.backup.stream import PIECE, SealedWriter
from saphan.durable import read_bounded, replace_file
from saphan.keys.keyfiles import read_node
from saphan.office import Office

MARK_NAME: Final = "backup.json"
LOCK_NAME: Final = "backup.lock"
MARK_FORMAT: Final = "backup-made/1"
MARK_BYTES: Final = 4 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A backup about to be made.

    Args:
        office: the agency's folder.
        out: where each part goes; at least one.
        custodians: who opens it, quorum of them together.
        made: ms UTC.
    """

    office: Office
    out: dict[Part, Path]
    custodians: tuple[Custodian, ...]
    quorum: int
    made: int


@dataclass(slots=True)
class Saved:
    """What a backup holds.

    Attributes:
        files: how many of each part; bytes: of each part's file.
    """

    agency: str
    id: bytes
    files: dict[Part, int] = field(default_factory=dict)
    bytes: dict[Part, int] = field(default_factory=dict)


def make_backup(plan: Plan) -> Saved:
    """Write the parts; each file is whole and durable when this returns, or is not there.

    Raises:
        InvalidInput: `custodians_malformed`, `key_weak`.
        OperatorError: `store_missing`, `store_damaged`, `file_exists`, `disk_full`,
            `file_unreadable`, `file_unwritable`, what `Office.read_agency` and `read_node` raise.
        Unavailable: `backup_running`.
    """
    agency = plan.office.read_agency().agency
    signer = read_node(plan.office.key_file(Role.NODE, b""))
    backup_id, secret = os.urandom(ID_BYTES), os.urandom(SECRET_BYTES)
    named = tuple(NamedCustodian(one.name, one.id.hex()) for one in plan.custodians)
    split = make_split(backup_id, agency, plan.made, named, plan.quorum)
    publics = [one.public for one in plan.custodians]
    shares = seal_shares(split, publics, secret, os.urandom(split.random_bytes))
    saved = Saved(agency, backup_id)
    with ExitStack() as stack:
        stack.enter_context(alone(plan.office.node / LOCK_NAME))
        copy = None
        if "data" in plan.out:
            copy = stack.enter_context(snapshot(plan.office.folder / DATABASE))
        for part in ("data", "keys"):
            if part not in plan.out:
                continue
            header = format_header(part, agency, plan.made, backup_id, named, split, shares)
            source = copy if part == "data" else None
            saved.files[part] = _write(plan, header, secret, source, signer)
            saved.bytes[part] = plan.out[part].stat().st_size
    _mark(plan)
    return saved


def _write(plan: Plan, header: Header, secret: bytes, copy: Path | None, signer: SigningKey) -> int:
    folder, count = plan.office.folder, 0
    with new_file(plan.out[header.part]) as file:
        sealed = SealedWriter(header, secret, file.write)
        if copy is not None:
            _add(sealed, DATABASE, copy)
            count += 1
        for name in members(folder, header.part):
            _add(sealed, name, folder / name)
            count += 1
        sealed.finish(lambda digest: _sign(signer, header, digest))
    return count


def _add(sealed: SealedWriter, name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            # An attachment that still arrives grows: what is there now is saved, no more.
            size = os.fstat(file.fileno()).st_size
            sealed.add(name, size, _pieces(file.fileno(), size))
    except FileNotFoundError:
        return  # an attachment whose bulletin has gone meanwhile


def _pieces(handle: int, size: int) -> Iterator[bytes]:
    while size:
        piece = os.read(handle, min(size, PIECE))
        if not piece:
            raise OperatorError(
                "file_changed",
                "a file became shorter while it was saved",
                field="dir",
                hint="make the backup again; nothing but the node may write in its folder",
            )
        size -= len(piece)
        yield piece


def _sign(signer: SigningKey, header: Header, digest: bytes) -> bytes:
    return encode(
        sign_one(signer, BACKUP_TYPE, signed_body(header, digest), os.urandom(SALT_BYTES))
    )


def signed_body(header: Header, digest: bytes) -> bytes:
    """What the node signs of a backup: its first line and its files."""
    return encode([header.digest, digest])


def _mark(plan: Plan) -> None:
    """When which part was saved last, for `saphan node doctor`."""
    path = plan.office.node / MARK_NAME
    made = read_mark(path) | dict.fromkeys(plan.out, plan.made)
    value = {"saphan": MARK_FORMAT, "made": made}
    replace_file(path, json.dumps(value, indent=2).encode() + b"\n")


def read_mark(path: Path) -> dict[Part, int]:
    """When which part was saved last, ms UTC; nothing if that is not known."""
    try:
        value = json.loads(read_bounded(path, MARK_BYTES, "backup mark"))
        found: Sequence[Part] = ("data", "keys")
        return {part: int(value["made"][part]) for part in found if part in value["made"]}
    except (SaphanError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return {}
