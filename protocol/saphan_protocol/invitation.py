"""The invitation: the one file that an agency gets from a broker's operator (spec/joining.md).

It says where the broker is, which logs it keeps under which keys, and how its TLS certificate is
known; its words cover all of that and are compared aloud once. Format, JSON:

    {"saphan": "invitation/1", "name": "bridge.example", "address": "bridge.example:8470",
     "directory": {"origin": "...", "vkeys": ["...", "..."]}, "evidence": {...},
     "tls": {"key": "<SHA-256 of the public key, hex>"} or {"authority": true}, "words": "..."}
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from typing import Final

import msgspec
from saphan_schemas.errors import InvalidInput
from saphan_schemas.pae import pae_array
from saphan_schemas.strict_json import parse_json

from saphan_protocol.identity import sha256
from saphan_protocol.pins import PINS_BYTES, PINS_FORMAT, Pins, format_pins, parse_pins
from saphan_protocol.words import fingerprint_words

INVITATION_FORMAT: Final = "invitation/1"
INVITATION_TYPE: Final = "saphan/invitation/1"
INVITATION_BYTES: Final = PINS_BYTES + 4 * 1024
"""A pin file, and an address, a digest and words beside it."""
DEFAULT_PORT: Final = 8470
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_PIN: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A broker as an agency gets to know it.

    Args:
        address: HOST:PORT, or [HOST]:PORT for an IPv6 address.
        pins: its logs and their keys.
        tls: SHA-256 of the TLS public key; None: an ordinary authority's certificate for the host.
    """

    address: str
    pins: Pins
    tls: bytes | None

    @property
    def digest(self) -> bytes:
        """SHA-256 over address, lasting pins and TLS key; its words are compared aloud."""
        return sha256(pae_array(INVITATION_TYPE, [self.address, *self.pins.lasting, self.tls]))

    @property
    def words(self) -> str:
        """The digest as 20 words."""
        return fingerprint_words(self.digest)

    @property
    def url(self) -> str:
        """The broker's address for a node."""
        return f"wss://{self.address}"


class _Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str | None = None
    authority: bool = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    name: str
    address: str
    directory: dict[str, object]
    evidence: dict[str, object]
    tls: _Tls
    words: str


def split_address(address: str) -> tuple[str, int]:
    """(host, port) of HOST:PORT or [HOST]:PORT, in its one spelling.

    Raises:
        InvalidInput: `address_malformed`.
    """
    host, colon, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    named = _HOST.fullmatch(host) if host == bare else _is_ipv6(bare)
    if not (colon and named and _PORT.fullmatch(port) and int(port) < 65_536):
        raise InvalidInput(
            "address_malformed",
            f"{address[:200]!r} is not HOST:PORT",
            field="address",
            hint=f"write a host's name in small letters and a port: bridge.example:{DEFAULT_PORT}",
        )
    return bare, int(port)


def format_invitation(invitation: Invitation) -> bytes:
    """The file, indented, with a final line feed."""
    pins = json.loads(format_pins(invitation.pins))
    tls = {"authority": True} if invitation.tls is None else {"key": invitation.tls.hex()}
    value = {
        "saphan": INVITATION_FORMAT,
        "name": invitation.pins.name,
        "address": invitation.address,
        "directory": pins["directory"],
        "evidence": pins["evidence"],
        "tls": tls,
        "words": invitation.words,
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_invitation(data: bytes) -> Invitation:
    """Read an invitation; whatever is unknown, doubled or cut off is refused.

    Raises:
        InvalidInput: `too_large`, `invitation_cut_off`, `invitation_malformed`,
            `invitation_damaged`, `address_malformed`, the codes of `parse_pins`.
    """
    if len(data) > INVITATION_BYTES:
        raise InvalidInput("too_large", f"the invitation has {len(data)} bytes", field="invitation")
    if data.lstrip()[:1] == b"{" and not data.rstrip().endswith(b"}"):
        raise InvalidInput(
            "invitation_cut_off",
            f"the invitation ends in its middle, after {len(data)} bytes",
            field="invitation",
            hint="get the file again; only a part of it has arrived",
        )
    found = _decoded(data)
    split_address(found.address)
    pins = {"name": found.name, "directory": found.directory, "evidence": found.evidence}
    made = Invitation(
        address=found.address,
        pins=parse_pins(json.dumps({"saphan": PINS_FORMAT} | pins).encode()),
        tls=_pin(found.tls),
    )
    if found.words != made.words:
        raise InvalidInput(
            "invitation_damaged",
            "the words in the invitation are not those of what it says",
            field="invitation.words",
            hint="it was changed after it was made: do not use it, ask the operator for another",
        )
    return made


def parse_trust(data: bytes) -> Pins:
    """The pins of a pin file or of an invitation: whoever verifies logs takes either.

    Raises:
        InvalidInput: what `parse_pins` and `parse_invitation` raise.
    """
    return parse_invitation(data).pins if is_invitation(data) else parse_pins(data)


def is_invitation(data: bytes) -> bool:
    """Whether a file says of itself that it is an invitation; whether it is one is judged apart."""
    return f'"{INVITATION_FORMAT}"'.encode() in data[:200]


def _decoded(data: bytes) -> _File:
    try:
        found = parse_json(_File, data)
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if found.saphan != INVITATION_FORMAT:
        raise _malformed(f"it says {found.saphan[:40]!r} where {INVITATION_FORMAT!r} is known here")
    return found


def _pin(found: _Tls) -> bytes | None:
    if found.authority is (found.key is not None):
        raise _malformed("tls names either a key or an authority")
    if found.key is None:
        return None
    if not _PIN.fullmatch(found.key):
        raise _malformed("tls.key is not 64 hexadecimal digits")
    return bytes.fromhex(found.key)


def _is_ipv6(text: str) -> bool:
    try:
        # A zone ("fe80::1%eth0") means something on one machine only, and may hold anything.
        return "%" not in text and str(ipaddress.IPv6Address(text)) == text
    except ValueError:
        return False


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "invitation_malformed",
        f"this is not an invitation: {why}",
        field="invitation",
        hint="ask the broker's operator for the file that `saphan-broker init` or `saphan-broker "
        "invitation` wrote",
    )
