"""The invitation file: whole and unchanged, or refused with what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from saphan_protocol.invitation import (
    INVITATION_BYTES,
    Invitation,
    format_invitation,
    parse_invitation,
    parse_trust,
    split_address,
)
from saphan_protocol.pins import format_pins
from saphan_schemas.errors import SaphanError
from support.pin_files import pins

MADE = Invitation(address="bridge.example:8470", pins=pins(), tls=bytes(range(32)))
FILE = format_invitation(MADE)


def code(data: bytes) -> str:
    with pytest.raises(SaphanError) as caught:
        parse_invitation(data)
    assert caught.value.hint or caught.value.code == "too_large"
    return caught.value.code


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(FILE)
    change(value)
    return json.dumps(value).encode()


def test_there_and_back() -> None:
    assert parse_invitation(FILE) == MADE
    assert MADE.url == "wss://bridge.example:8470"
    authority = replace(MADE, tls=None)
    assert parse_invitation(format_invitation(authority)) == authority


def test_half_a_file_says_so() -> None:
    for cut in range(2, len(FILE) - 2, 97):
        assert code(FILE[:cut]) in {"invitation_cut_off", "invitation_malformed"}
    assert code(FILE[: len(FILE) // 2]) == "invitation_cut_off"
    assert code(b"") == "invitation_malformed"


@pytest.mark.parametrize(
    "change",
    (
        lambda value: value.update(address="bridge.example:8471"),
        lambda value: value.update(tls={"key": "00" * 32}),
        lambda value: value.update(tls={"authority": True}),
        lambda value: value.update(words=" ".join(reversed(value["words"].split()))),
        lambda value: value.update(words=""),
    ),
)
def test_whatever_was_changed_on_the_way_has_other_words(
    change: Callable[[dict[str, Any]], object],
) -> None:
    assert code(changed(change)) == "invitation_damaged"


def test_every_changed_byte_is_noticed_or_means_the_same() -> None:
    taken = 0
    for place in range(len(FILE)):
        data = bytearray(FILE)
        data[place] ^= 1
        try:
            found = parse_invitation(bytes(data))
        except SaphanError:
            continue
        assert found == MADE, place
        taken += 1
    assert taken < len(FILE) // 50  # white space


def test_other_log_keys_have_other_words() -> None:
    other = json.loads(format_pins(pins(key="other")))
    forged = changed(lambda value: value.update(evidence=other["evidence"]))
    assert code(forged) == "invitation_damaged"


@pytest.mark.parametrize(
    ("change", "expected"),
    (
        (lambda value: value.update(saphan="invitation/2"), "invitation_malformed"),
        (lambda value: value.update(more=1), "invitation_malformed"),
        (lambda value: value.pop("words"), "invitation_malformed"),
        (lambda value: value.update(tls={}), "invitation_malformed"),
        (lambda value: value.update(tls={"key": "00"}), "invitation_malformed"),
        (lambda value: value.update(tls={"key": "AB" * 32}), "invitation_malformed"),
        (
            lambda value: value["tls"].update(authority=True),
            "invitation_malformed",
        ),
        (lambda value: value.update(address="bridge.example"), "address_malformed"),
        (lambda value: value.update(name="other.example"), "pins_malformed"),
        (lambda value: value.update(directory=value["evidence"]), "pins_malformed"),
        (lambda value: value["directory"].update(vkeys=[]), "pins_malformed"),
    ),
)
def test_what_is_no_invitation_is_refused(
    change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    assert code(changed(change)) == expected


def test_size_is_judged_before_anything_else() -> None:
    assert code(FILE + b" " * INVITATION_BYTES) == "too_large"


def test_whoever_needs_pins_takes_either_file() -> None:
    assert parse_trust(FILE) == parse_trust(format_pins(MADE.pins)) == MADE.pins
    with pytest.raises(SaphanError, match="invitation_damaged"):
        parse_trust(changed(lambda value: value.update(words="")))


@pytest.mark.parametrize(
    ("address", "host", "port"),
    (
        ("bridge.example:8470", "bridge.example", 8470),
        ("192.0.2.7:1", "192.0.2.7", 1),
        ("[2001:db8::7]:65535", "2001:db8::7", 65_535),
    ),
)
def test_addresses(address: str, host: str, port: int) -> None:
    assert split_address(address) == (host, port)


@pytest.mark.parametrize(
    "address",
    (
        "", ":", "bridge.example", "bridge.example:", ":8470", "bridge.example:0",
        "bridge.example:65536", "bridge.example:08470", "bridge.example:٣", "Bridge.example:1",
        "a b:1", "2001:db8::7:8470", "[2001:DB8::7]:1", "[bridge.example]:1", "u@h:1", "h/x:1",
        "wss://bridge.example:8470", "-a:1", "[fe80::1%eth0]:1", "[::1%\x1b[31m@h/]:1",
    ),
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(SaphanError, match="address_malformed"):
        split_address(address)
