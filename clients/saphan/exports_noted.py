"""Exports that commands make beside the node: told to it before they are there.

A node that does not run finds a note in its data folder when it starts, and records the export
then. Whoever has the agency's folder on another machine than the node's has its store there too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.exports import BUNDLED, PRINTED
from saphan_schemas.strict_json import parse_json

from saphan.durable import create_file, make_folder, read_bounded
from saphan.local_api import LocalNode
from saphan.office import Office

NOTES: Final = "exports-waiting"
"""Folder in the node's data."""
NOTE_BYTES: Final = 1024
UNREACHABLE: Final = "node_unreachable"


class _Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bulletin: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    kind: Annotated[str, Meta(pattern=rf"\A({BUNDLED}|{PRINTED})\Z")]
    time: Annotated[int, Meta(ge=0, lt=2**53)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An export that a command has noted; `time` in ms UTC."""

    path: Path
    bulletin: bytes
    kind: str
    time: int


def record_export(office: Office, node: LocalNode, bulletin: bytes, kind: str, now: int) -> None:
    """Have an export recorded, before it is written.

    Raises:
        SaphanError: what the node answers; OperatorError: `file_unwritable`: nothing may leave.
    """
    try:
        node.post(f"/v1/bulletins/{bulletin.hex()}/exports", {"kind": kind})
    except Unavailable as error:
        if error.code != UNREACHABLE:
            raise
        folder = office.node / "data" / NOTES
        make_folder(folder)
        note = {"bulletin": bulletin.hex(), "kind": kind, "time": now}
        create_file(folder / f"{os.urandom(8).hex()}.json", json.dumps(note).encode())


def record_page(office: Office, bulletin: bytes, now: int) -> None:
    """The same for a page of a bundle, which anybody may have checked: of an agency's own bulletins
    it is an export, on a stranger's machine nobody's.

    Raises:
        OperatorError: `file_unwritable`.
    """
    if not (office.node / "data" / "node.db").is_file():
        return
    try:
        record_export(office, LocalNode(office.node), bulletin, PRINTED, now)
    except InvalidInput as error:
        if error.code != "bulletin_unknown":
            raise


def waiting_exports(data: Path) -> Iterator[Waiting]:
    """Notes in a node's data folder, in the order of their names; one that is damaged is left.

    Raises:
        OperatorError: `file_unreadable`.
    """
    for path in sorted((data / NOTES).glob("*.json")):
        try:
            note = parse_json(_Note, read_bounded(path, NOTE_BYTES, "export"))
        except (ValueError, InvalidInput):
            continue
        yield Waiting(path, bytes.fromhex(note.bulletin), note.kind, note.time)
