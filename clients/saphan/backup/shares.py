"""A custodian's part in a restore: their shares of one backup, opened, in a file of mode 0600.

The custodian opens them with their own key on their own machine and brings the file; the key never
leaves them. One file alone opens nothing, unless the backup was made for a quorum of one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_protocol.custody import (
    SECRET_BYTES,
    Group,
    custodian_id,
    joined_shares,
    open_shares,
    too_few,
)
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import KIB
from saphan_schemas.strict_json import parse_json

from saphan.backup.header import Header
from saphan.base64_text import bytes_of, text_of
from saphan.durable import create_file
from saphan.private import read_private

SHARE_FORMAT: Final = "custodian-share/1"
SHARE_FILE_BYTES: Final = 16 * KIB
"""At most twenty shares of 44 characters."""
TRIED: Final = 1024
"""Combinations of shares: seven custodians, quorum four, and five places claimed twice."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One custodian's opened shares; they are not in the repr."""

    backup: bytes
    place: int
    shares: dict[Group, bytes] = field(repr=False)


class _Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    group: tuple[int, ...]
    share: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    agency: str
    backup: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    place: int
    shares: tuple[_Share, ...]


def open_share(header: Header, key: MailboxKey) -> Opened:
    """What a custodian's key opens of a backup.

    Raises:
        Refused: `custodian_unknown`. InvalidInput: `custody_malformed`.
    """
    found = open_shares(header.split, header.shares, key)
    return Opened(header.id, header.split.custodians.index(custodian_id(key.public)), found)


def write_share(path: Path, header: Header, opened: Opened) -> None:
    """Create the file that a custodian brings, mode 0600.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """
    value = {
        "saphan": SHARE_FORMAT,
        "agency": header.agency,
        "backup": header.id.hex(),
        "place": opened.place,
        "shares": [
            {"group": list(group), "share": text_of(share)}
            for group, share in sorted(opened.shares.items())
        ],
    }
    create_file(path, json.dumps(value, indent=2).encode() + b"\n")


def read_share(path: Path) -> Opened:
    """A file that a custodian has brought.

    Raises:
        InvalidInput: `share_malformed`, `too_large`.
        OperatorError: `file_missing`, `file_unreadable`, `key_file_exposed`.
    """
    data = read_private(path, SHARE_FILE_BYTES, "share")
    try:
        file = parse_json(_File, data)
        shares = {one.group: bytes_of(one.share) for one in file.shares}
    except ValueError:  # whose words are left out: they may quote a share
        raise _malformed(path) from None
    whole = all(len(share) == SECRET_BYTES for share in shares.values())
    if file.saphan != SHARE_FORMAT or not whole or not shares:
        raise _malformed(path)
    return Opened(bytes.fromhex(file.backup), file.place, shares)


def join(header: Header, opened: Sequence[Opened]) -> list[bytes]:
    """What may be the secret of a backup, by the shares that belong to it; not all need be true.

    Raises:
        Refused: `share_foreign` (none of them is of this backup), `custodians_too_few`.
    """
    mine: dict[int, list[dict[Group, bytes]]] = {}
    for one in opened:
        if one.backup == header.id and one.shares not in mine.setdefault(one.place, []):
            mine[one.place].append(one.shares)
    if opened and not mine:
        raise Refused(
            "share_foreign",
            "the shares that were brought are of another backup",
            field="share",
            hint="each custodian opens the very file that is restored: saphan custodian open",
        )
    # Two files may claim one place: a custodian who lies must not stop those who suffice.
    choices = (dict(zip(mine, chosen, strict=True)) for chosen in product(*mine.values()))
    found = (secret for chosen in choices for secret in joined_shares(header.split, chosen))
    secrets = list(dict.fromkeys(islice(found, TRIED)))
    if not secrets:
        raise too_few(header.split, len(mine))
    return secrets


def _malformed(path: Path) -> InvalidInput:
    return InvalidInput(
        "share_malformed",
        f"{path} is not a custodian's opened share",
        field="share",
        hint="the custodian makes it: saphan custodian open FILE --key KEY --out SHARE",
    )
