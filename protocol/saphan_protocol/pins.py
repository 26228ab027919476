"""The pin file: which logs a broker keeps, and the keys that sign them (design section 5).

`saphan-broker init` writes it, an operator carries it, agencies compare its words aloud before they
pin it and before they sign an agreement with it. Format, JSON:

    {"saphan": "pins/1", "name": "bridge.example",
     "directory": {"origin": "...", "vkeys": ["...", "..."]}, "evidence": {...}}

Origins end with a number that grows when a lost log gets a successor under the same keys.
Agreements and the compared words hold the **lasting** pins, without it: they outlive the log.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

import msgspec
from saphan_schemas.codec import encode
from saphan_schemas.decoders import convert
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput
from saphan_schemas.strict_json import parse_json

from saphan_protocol.identity import sha256
from saphan_protocol.notes import KeyType, format_vkey, parse_vkey

PINS_FORMAT: Final = "pins/1"
PINS_BYTES: Final = 16 * 1024
"""Two origins and four verifier keys of at most 2 KiB, with room for indentation."""


_NUMBERED: Final = re.compile(r".+/[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """A broker's logs as an agency trusts them.

    Args:
        name: what the broker calls itself, the first part of both origins.
    """

    name: str
    directory: LogPin
    evidence: LogPin

    @property
    def lasting(self) -> tuple[LogPin, LogPin]:
        """(directory, evidence) without the number of their origins: what agreements sign."""
        return _lasting(self.directory), _lasting(self.evidence)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the array of both lasting pins; its words are compared aloud."""
        return sha256(encode(list(self.lasting)))


def _lasting(pin: LogPin) -> LogPin:
    origin = pin.origin.rpartition("/")[0]
    return LogPin(origin, tuple(format_vkey(parse_vkey(key).named(origin)) for key in pin.vkeys))


def origin_number(origin: str) -> tuple[str, int]:
    """A log's lasting origin and its number.

    Raises:
        InvalidInput: `pins_malformed`, it does not end with a number.
    """
    if not _NUMBERED.fullmatch(origin):
        raise _malformed(f"{origin[:160]} does not end with the log's number")
    name, _, number = origin.rpartition("/")
    return name, int(number)


def numbered(pin: LogPin, number: int) -> LogPin:
    """The same keys under the lasting origin with this number: another log of one succession."""
    origin = f"{origin_number(pin.origin)[0]}/{number}"
    return LogPin(origin, tuple(format_vkey(parse_vkey(key).named(origin)) for key in pin.vkeys))


class _LogFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str
    vkeys: tuple[str, ...]


class _PinFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    name: str
    directory: _LogFile
    evidence: _LogFile


def format_pins(pins: Pins) -> bytes:
    """The pin file of a broker, indented, with a final line feed."""
    value = {"saphan": PINS_FORMAT, "name": pins.name}
    logs = {
        name: {"origin": pin.origin, "vkeys": list(pin.vkeys)}
        for name, pin in (("directory", pins.directory), ("evidence", pins.evidence))
    }
    return json.dumps(value | logs, indent=2).encode() + b"\n"


def parse_pins(data: bytes) -> Pins:
    """Read a pin file; duplicate and unknown keys and other versions are refused.

    Raises:
        InvalidInput: `too_large`, `pins_malformed`, the codes of `parse_vkey`.
    """
    if len(data) > PINS_BYTES:
        raise InvalidInput(
            "too_large", f"the pin file has {len(data)} bytes, at most {PINS_BYTES} are taken"
        )
    try:
        found = parse_json(_PinFile, data)
        directory = convert(msgspec.to_builtins(_array(found.directory)), LogPin)
        evidence = convert(msgspec.to_builtins(_array(found.evidence)), LogPin)
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if found.saphan != PINS_FORMAT:
        raise _malformed(f"it says {found.saphan[:40]!r} where {PINS_FORMAT!r} is known here")
    if directory.origin == evidence.origin:
        raise _malformed("both logs have the same origin")
    for pin in (directory, evidence):
        # The name is what people read first; the words that they compare cover the origins only.
        if not pin.origin.startswith(f"{found.name}/"):
            raise _malformed(f"{pin.origin} is no log of {found.name[:80]!r}")
        _check_keys(pin)
        origin_number(pin.origin)
    return Pins(name=found.name, directory=directory, evidence=evidence)


def _check_keys(pin: LogPin) -> None:
    """A log's two keys carry its origin as name and are of types 01 and 06, in this order."""
    keys = [parse_vkey(text) for text in pin.vkeys]
    if [key.name for key in keys] != [pin.origin] * 2:
        raise _malformed(f"the keys of {pin.origin} carry another name")
    if [key.type for key in keys] != [KeyType.ED25519, KeyType.COSIGNATURE_MLDSA44]:
        raise _malformed(f"the keys of {pin.origin} are not Ed25519 and ML-DSA-44")


def _array(log: _LogFile) -> tuple[str, tuple[str, ...]]:
    return (log.origin, log.vkeys)


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "pins_malformed",
        f"this is not a pin file: {why}",
        field="pins",
        hint="ask the broker's operator for the file that `saphan-broker init` wrote",
    )
