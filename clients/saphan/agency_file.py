"""`agency.json`: what an agency hands to others before an agreement: its name and its root keys.

It proves nothing by itself. The other side compares the roots' words aloud, then signs them into
the agreement.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import msgspec
from saphan_protocol.keys import check_public_key, key_id
from saphan_schemas.directory_records import Party
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId, Role
from saphan_schemas.strict_json import parse_json

from saphan.base64_text import bytes_of, text_of

AGENCY_FORMAT: Final = "agency/1"
AGENCY_FILE_BYTES: Final = 64 * 1024
"""Sixteen roots of 2.6 KiB in base64, with room for indentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyFile:
    """An agency as it presents itself.

    Args:
        agency: its id, such as "la.ospp".
        threshold: how many roots sign together.
        roots: public root keys, 1984 bytes each.
    """

    agency: str
    threshold: int
    roots: tuple[bytes, ...]

    @property
    def root_ids(self) -> tuple[bytes, ...]:
        """Key ids of the roots, in the file's order."""
        return tuple(key_id(Role.ROOT, public) for public in self.roots)

    def party(self) -> Party:
        """The agency as a party of an agreement."""
        return Party(self.agency, self.root_ids, self.threshold)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    agency: AgencyId
    threshold: int
    roots: tuple[str, ...]


def format_agency(agency: AgencyFile) -> bytes:
    """The public file, indented, with a final line feed."""
    value = {
        "saphan": AGENCY_FORMAT,
        "agency": agency.agency,
        "threshold": agency.threshold,
        "roots": [text_of(public) for public in agency.roots],
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_agency(data: bytes) -> AgencyFile:
    """Read an agency's public file and check its root keys.

    Raises:
        InvalidInput: `too_large`, `agency_file_malformed`, `key_malformed`, `key_weak`.
    """
    if len(data) > AGENCY_FILE_BYTES:
        raise InvalidInput(
            "too_large", f"the agency file has {len(data)} bytes", field="agency.json"
        )
    try:
        file = parse_json(_File, data)
        roots = tuple(bytes_of(text) for text in file.roots)
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if file.saphan != AGENCY_FORMAT:
        raise _malformed(f"its format is not {AGENCY_FORMAT}")
    if not 1 <= file.threshold <= len(set(roots)) == len(roots) <= LIMITS.roots:
        raise _malformed(f"{file.threshold} of {len(roots)} roots cannot sign")
    for public in roots:
        check_public_key(Role.ROOT, public)
    return AgencyFile(agency=file.agency, threshold=file.threshold, roots=roots)


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "agency_file_malformed",
        f"this is not an agency's public file: {why}",
        field="agency.json",
        hint="ask the agency for the agency.json that `saphan agency init` wrote",
    )
