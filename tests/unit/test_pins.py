"""The pin file: what a node trusts of a broker."""

from __future__ import annotations

import pytest
from saphan_protocol.pins import (
    PINS_BYTES,
    Pins,
    format_pins,
    numbered,
    origin_number,
    parse_pins,
)
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput
from support.pin_files import pins

PINS = pins()
SWAPPED = LogPin(PINS.directory.origin, (PINS.directory.vkeys[1], PINS.directory.vkeys[0]))
OTHER_NAME = LogPin("bridge.example/directory/2", PINS.directory.vkeys)


def test_a_pin_file_comes_back_as_it_was() -> None:
    assert parse_pins(format_pins(PINS)) == PINS


def test_the_digest_covers_origins_and_keys_of_both_logs() -> None:
    digests = {PINS.digest}
    for log in ("directory", "evidence"):
        pin: LogPin = getattr(PINS, log)
        stranger: LogPin = getattr(pins(key="another"), log)
        for other in (
            LogPin(origin=pin.origin.replace("bridge", "brigde"), vkeys=pin.vkeys),
            LogPin(origin=pin.origin, vkeys=(pin.vkeys[0], stranger.vkeys[1])),
        ):
            logs = {"directory": PINS.directory, "evidence": PINS.evidence} | {log: other}
            digests.add(Pins(name=PINS.name, **logs).digest)
    assert len(digests) == 5


def test_agreements_and_words_outlive_a_log_s_number() -> None:
    """A successor log has the same keys under the origin with the next number."""
    successor = Pins(
        name=PINS.name, directory=numbered(PINS.directory, 2), evidence=numbered(PINS.evidence, 2)
    )
    assert parse_pins(format_pins(successor)) == successor  # the keys carry the new name
    assert successor != PINS
    assert (successor.lasting, successor.digest) == (PINS.lasting, PINS.digest)
    assert PINS.lasting[0].origin == "bridge.example/directory"


def test_an_origin_is_a_lasting_name_and_a_number() -> None:
    assert origin_number("bridge.example/evidence/12") == ("bridge.example/evidence", 12)
    for bad in ("bridge.example/evidence", "bridge.example/evidence/0", "e/01", "/1", "", "e/x"):
        with pytest.raises(InvalidInput, match="pins_malformed"):
            origin_number(bad)


@pytest.mark.parametrize(
    ("data", "code"),
    (
        (b"", "pins_malformed"),
        (b"[]", "pins_malformed"),
        (b"\xff\xfe", "pins_malformed"),
        (b"[" * 10_000, "pins_malformed"),
        (b" " * (PINS_BYTES + 1), "too_large"),
        (format_pins(PINS).replace(b"pins/1", b"pins/2"), "pins_malformed"),
        (format_pins(Pins(name="x", directory=SWAPPED, evidence=PINS.evidence)), "pins_malformed"),
        (
            format_pins(Pins(name="x", directory=OTHER_NAME, evidence=PINS.evidence)),
            "pins_malformed",
        ),
        (format_pins(PINS).replace(b"+", b"-", 1), "vkey_malformed"),
        (format_pins(PINS).replace(b"/directory/1", b"/directory"), "vkey_id"),
        (
            format_pins(
                Pins(name="bridge.exampl", directory=PINS.directory, evidence=PINS.evidence)
            ),
            "pins_malformed",
        ),
        (
            format_pins(Pins(name="", directory=PINS.directory, evidence=PINS.evidence)),
            "pins_malformed",
        ),
        (format_pins(PINS).replace(b"/directory/", b"/evidence/"), "pins_malformed"),
        (format_pins(PINS).replace(b'{\n  "saphan"', b'{"name":"x","saphan"'), "pins_malformed"),
        (format_pins(PINS).replace(b'{\n  "saphan"', b'{"more":"x","saphan"'), "pins_malformed"),
    ),
)
def test_what_is_no_pin_file_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_pins(data)
    assert refused.value.code == code
