"""A desk's folder.

desk.json        public: whose desk it is, where its node is, the pin of the node's TLS key
officer.key      the officer's key, sealed by passphrase
desk.db          what the desk keeps; every row sealed under a key that only officer.key opens
<handle>.request to be carried to the office, until the key is enrolled
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import AgencyId, Handle
from saphan_schemas.strict_json import parse_json

from saphan.durable import read_bounded, replace_file

FORMAT: Final = "desk/1"
DESK_BYTES: Final = 4 * 1024


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    agency: AgencyId
    handle: Handle
    address: Annotated[str, Meta(max_length=300)]
    tls: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskId:
    """Whose desk it is and which node it knows.

    Args:
        address: HOST:PORT; tls: SHA-256 of the node's public TLS key.
    """

    agency: str
    handle: str
    address: str
    tls: bytes


@dataclass(frozen=True, slots=True)
class DeskFolder:
    """The paths of one desk; nothing is read or created by it."""

    folder: Path

    @property
    def desk_file(self) -> Path:
        return self.folder / "desk.json"

    @property
    def key_file(self) -> Path:
        return self.folder / "officer.key"

    @property
    def store(self) -> Path:
        return self.folder / "desk.db"

    def request(self, handle: str) -> Path:
        """Where the request to be enrolled is written."""
        return self.folder / f"{handle}.request"

    def read(self) -> DeskId:
        """Whose desk it is.

        Raises:
            OperatorError: `not_a_desk`, `desk_damaged`, `file_unreadable`.
        """
        if not self.desk_file.is_file():
            raise OperatorError(
                "not_a_desk",
                f"{self.folder} is no desk's folder: it has no desk.json",
                field="desk",
                hint="name it with --desk DESK, or make one: saphan desk init DESK --invitation "
                "FILE --handle HANDLE",
            )
        try:
            file = parse_json(_File, read_bounded(self.desk_file, DESK_BYTES, "desk.json"))
        except ValueError as error:
            raise _damaged(self.desk_file, str(error)) from None
        if file.saphan != FORMAT:
            raise _damaged(self.desk_file, f"its format is not {FORMAT}")
        return DeskId(
            agency=file.agency,
            handle=file.handle,
            address=file.address,
            tls=bytes.fromhex(file.tls),
        )

    def write(self, desk: DeskId) -> None:
        """Keep whose desk it is; an invitation taken anew replaces address and pin.

        Raises:
            OperatorError: `file_unwritable`.
        """
        value = {
            "saphan": FORMAT,
            "agency": desk.agency,
            "handle": desk.handle,
            "address": desk.address,
            "tls": desk.tls.hex(),
        }
        replace_file(self.desk_file, json.dumps(value, indent=2).encode() + b"\n")


def _damaged(path: Path, why: str) -> OperatorError:
    return OperatorError(
        "desk_damaged",
        f"{path} cannot be used: {why}",
        field="desk",
        hint="take the invitation again: saphan desk init DESK --invitation FILE",
    )
