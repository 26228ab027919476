"""What the programs say on a terminal: one line for a person, one object for a program."""

from __future__ import annotations

import io
import json

import pytest
from saphan_schemas.errors import (
    FAMILIES,
    InvalidInput,
    OperatorError,
    Refused,
    SaphanError,
    Unavailable,
)
from saphan_schemas.terminal import lowered, plain, print_bug, print_error, print_json, print_line

LOCKED = OperatorError("store_locked", "the store is open", field="data", hint="stop the other")


def test_an_error_is_two_lines_with_code_and_hint() -> None:
    err = io.StringIO()
    assert print_error(err, "saphan-broker", LOCKED) == 5
    assert err.getvalue() == (
        "saphan-broker: the store is open (store_locked)\nhint: stop the other\n"
    )


def test_an_error_for_a_program_is_one_object() -> None:
    err = io.StringIO()
    assert print_error(err, "saphan", LOCKED, as_json=True) == 5
    assert err.getvalue().count("\n") == 1
    assert json.loads(err.getvalue()) == {
        "error": {
            "code": "store_locked",
            "message": "the store is open",
            "field": "data",
            "hint": "stop the other",
        }
    }


def test_the_hint_comes_from_the_catalogue_when_the_error_has_none() -> None:
    err = io.StringIO()
    print_error(err, "saphan", InvalidInput("schema_invalid", "x"))
    assert err.getvalue().splitlines()[1].startswith("hint: ")


@pytest.mark.parametrize(
    ("family", "status"),
    [(InvalidInput, 2), (Refused, 3), (Unavailable, 4), (OperatorError, 5)],
)
def test_each_family_has_its_exit_status(family: type[SaphanError], status: int) -> None:
    assert family in FAMILIES
    assert print_error(io.StringIO(), "saphan", family("code", "message")) == status


def test_a_bug_has_no_traceback_and_its_own_status() -> None:
    err = io.StringIO()
    assert print_bug(err, "saphan", ValueError("two\nlines")) == 1
    assert err.getvalue().splitlines()[0] == "saphan: this is a bug: ValueError: two\ufffdlines"
    structured = io.StringIO()
    assert print_bug(structured, "saphan", ValueError("x"), as_json=True) == 1
    assert json.loads(structured.getvalue())["error"]["code"] == "bug"


def test_control_characters_cannot_steer_the_terminal() -> None:
    err = io.StringIO()
    print_error(err, "saphan", InvalidInput("malformed", "bad \x1b[2J\x07\n\u202e file"))
    line, _, rest = err.getvalue().partition("\n")
    assert line == "saphan: bad \ufffd[2J\ufffd\ufffd\ufffd file (malformed)"
    assert "\x1b" not in rest


def test_a_message_begins_small_and_ends_without_a_period() -> None:
    assert lowered("The store is open.") == "the store is open"
    assert lowered("CPU is old") == "CPU is old"
    assert lowered("/srv/x is missing") == "/srv/x is missing"


def test_every_script_stays_readable() -> None:
    text = "ບັນຊີ\u200b ສີດຳ សេចក្ដី 2568 ប៊\u200cី ស\u200d៊ី"
    assert plain(text) == text
    out = io.StringIO()
    print_json(out, {"title": text})
    print_line(out, text)
    assert out.getvalue().splitlines() == [f'{{"title":"{text}"}}', text]


@pytest.mark.parametrize("sign", ("\x1b", "\x7f", "\x9b", "\u202e", "\udcff", "\U000e0001"))
def test_an_object_steers_no_terminal_and_loses_nothing(sign: str) -> None:
    out, value = io.StringIO(), {"name": f"ລາວ{sign}[31m", f"k{sign}": "\n"}
    print_json(out, value)
    assert json.loads(out.getvalue()) == value
    assert out.getvalue().removesuffix("\n").isprintable()
    assert "ລາວ" in out.getvalue()
