"""The first line of a backup file: whose it is, of when, and the shares of its custodians.

It is in clear: whoever is to help with a restore must be able to see that the file names them.
Nothing in it is believed before the stream behind it has opened, whose key and context bind it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saphan_protocol.custody import Split
from saphan_protocol.identity import pae_array, sha256
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId, Handle
from saphan_schemas.strict_json import parse_json

from saphan.base64_text import bytes_of, text_of

FORMAT: Final = "backup/1"
BACKUP_TYPE: Final = "saphan/backup/1"
ID_BYTES: Final = 16

Part = Literal["data", "keys"]
PARTS: Final[tuple[Part, ...]] = ("data", "keys")

_Hex16 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class NamedCustodian(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custodian as the header names them."""

    name: Handle
    id: _Hex32


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    part: Part
    agency: AgencyId
    made: Annotated[int, Meta(ge=0, le=2**53)]
    id: _Hex16
    quorum: int
    custodians: Annotated[tuple[NamedCustodian, ...], Meta(max_length=LIMITS.custodians)]
    shares: Annotated[tuple[str, ...], Meta(max_length=140)]


class _Format(msgspec.Struct, frozen=True):
    saphan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A parsed first line.

    Args:
        part: whether data or keys follow.
        made: ms UTC, by the clock of the machine that made it.
        id: 16 bytes; both files of one backup have the same.
        shares: sealed shares, as `custody.seal_shares` orders them.
        line: the exact bytes with the line feed.
    """

    part: Part
    agency: str
    made: int
    id: bytes
    custodians: tuple[NamedCustodian, ...]
    split: Split
    shares: tuple[bytes, ...]
    line: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the line: what the stream behind it is bound to."""
        return sha256(self.line)


def make_split(
    backup_id: bytes, agency: str, made: int, custodians: Sequence[NamedCustodian], quorum: int
) -> Split:
    """Who opens a backup together.

    Raises:
        InvalidInput: `custodians_malformed`.
    """
    return Split(
        custodians=tuple(bytes.fromhex(one.id) for one in custodians),
        quorum=quorum,
        context=pae_array(BACKUP_TYPE, [backup_id, agency, made]),
    )


def format_header(
    part: Part,
    agency: str,
    made: int,
    backup_id: bytes,
    custodians: Sequence[NamedCustodian],
    split: Split,
    shares: Sequence[bytes],
) -> Header:
    """The first line of a new backup."""
    value = {
        "saphan": FORMAT,
        "part": part,
        "agency": agency,
        "made": made,
        "id": backup_id.hex(),
        "quorum": split.quorum,
        "custodians": [{"name": one.name, "id": one.id} for one in custodians],
        "shares": [text_of(share) for share in shares],
    }
    return parse_header(json.dumps(value).encode() + b"\n")


def parse_header(line: bytes) -> Header:
    """A backup's first line.

    Raises:
        InvalidInput: `backup_malformed`, `custodians_malformed`. OperatorError: `backup_newer`.
    """
    if not line.endswith(b"\n"):
        raise malformed("it ends in the middle of its first line")
    try:
        _check_format(parse_json(_Format, line).saphan)
        found = parse_json(_Line, line)
        shares = tuple(bytes_of(text) for text in found.shares)
    except ValueError:
        raise malformed("its first line does not parse") from None
    backup_id = bytes.fromhex(found.id)
    split = make_split(backup_id, found.agency, found.made, found.custodians, found.quorum)
    return Header(
        part=found.part,
        agency=found.agency,
        made=found.made,
        id=backup_id,
        custodians=found.custodians,
        split=split,
        shares=shares,
        line=line,
    )


def _check_format(found: str) -> None:
    if found == FORMAT:
        return
    kind, _, number = found.partition("/")
    if kind == "backup" and number.isascii() and number.isdecimal():
        raise OperatorError(
            "backup_newer",
            f"the backup has format {found[:40]}; this program knows {FORMAT}",
            field="backup",
            hint="restore it with the release that made it, or a newer one",
        )
    raise malformed("it says that it is something else")


def malformed(why: str) -> InvalidInput:
    """The error for a file that is no backup."""
    return InvalidInput(
        "backup_malformed",
        f"this is no backup of a node: {why}",
        field="backup",
        hint="name a file that `saphan node backup` wrote; if it is one, take another copy of it",
    )
