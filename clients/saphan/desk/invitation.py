"""An invitation for desks: where the agency's node serves them, and by which key it is known.

Public, but it must come from the right hand: a desk gives its officer's drafts to whoever it names.
So its words are compared aloud. It also says where the agency's chain of operations stands, so that
the new officer's key can prove itself in the very operation that enrols it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_protocol.identity import pae_array, sha256
from saphan_protocol.invitation import split_address
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId
from saphan_schemas.strict_json import parse_json

FORMAT: Final = "desk_invitation/1"
INVITATION_BYTES: Final = 8 * 1024
_Hex = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Chain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the agency's own operations stand: what the next one has to follow."""

    version: Annotated[int, Meta(ge=1, le=2**31)]
    last: _Hex
    threshold: Annotated[int, Meta(ge=1, le=LIMITS.roots)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    agency: AgencyId
    address: Annotated[str, Meta(max_length=300)]
    tls: _Hex
    chain: Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskInvitation:
    """What a desk has to know of its node.

    Args:
        address: HOST:PORT; tls: SHA-256 of the node's public TLS key.
    """

    agency: str
    address: str
    tls: bytes
    chain: Chain

    @property
    def digest(self) -> bytes:
        """What is compared as words: agency, address and key; not the chain, which grows."""
        fields: list[object] = [self.agency, self.address, self.tls]
        return sha256(pae_array("saphan/desk_invitation/1", fields))


def format_invitation(invitation: DeskInvitation) -> bytes:
    """The file, indented, with a final line feed."""
    chain = msgspec.to_builtins(invitation.chain)
    value = {
        "saphan": FORMAT,
        "agency": invitation.agency,
        "address": invitation.address,
        "tls": invitation.tls.hex(),
        "chain": chain,
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_invitation(data: bytes) -> DeskInvitation:
    """Read an invitation for desks.

    Raises:
        InvalidInput: `desk_invitation_malformed`, `address_malformed`.
    """
    try:
        file = parse_json(_File, data)
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if file.saphan != FORMAT:
        raise _malformed(f"its format is not {FORMAT}")
    split_address(file.address)
    return DeskInvitation(
        agency=file.agency, address=file.address, tls=bytes.fromhex(file.tls), chain=file.chain
    )


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "desk_invitation_malformed",
        f"this is no invitation for a desk: {why}",
        field="invitation",
        hint="ask the node's keeper for the file that this wrote: saphan desk invite --out FILE",
    )
