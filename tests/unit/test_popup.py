"""A notification on the officer's screen: urgency and deadline, one for all, and never content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saphan.cli import popup as popups
from saphan.cli.popup import arguments, popup, popup_near
from saphan_schemas.records import SUITE, Header, Marking

ROW: dict[str, Any] = {
    "seq": 1,
    "id": "ab" * 32,
    "author": "bounmy",
    "received": 1_790_000_000_000,
    "read": False,
    "sender": "la.ospp",
    "recipients": ["kh.gpo"],
    "schema": "saphan/arrest_notice/1",
    "marking": {"tlp": "amber", "codes": []},
    "urgency": "routine",
    "exercise": False,
    "created": 1_790_000_000_000,
    "expires": 1_790_100_000_000,
    "answer_by": None,
    "retain_until": 21_000,
}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the system's program is given, one argument a line."""
    out = tmp_path / "told"
    out.touch()
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nfor one in "$@"; do echo "$one" >> {out}; done\nexit 1\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return out


def test_it_says_how_urgent_and_until_when(told: Path) -> None:
    popup([ROW | {"urgency": "immediate", "answer_by": 1_790_050_000_000}])
    assert told.read_text().splitlines() == [
        "--app-name=Saphan",
        "--urgency=critical",
        "--",
        "Saphan: 1 unread",
        "Immediate, until 2026-09-22 04:06:40 UTC",
    ]


def test_many_make_one_of_the_most_urgent_and_the_nearest_deadline(told: Path) -> None:
    rows = [ROW, ROW | {"urgency": "priority"}, ROW | {"expires": 1_790_000_100_000}]
    popup([*rows, ROW | {"read": True, "urgency": "immediate"}])
    assert told.read_text().splitlines()[1:] == [
        "--urgency=normal",
        "--",
        "Saphan: 3 unread",
        "Priority, until 2026-09-21 14:15:00 UTC",
    ]


def test_what_nobody_answers_is_told_without_a_word_of_it(told: Path) -> None:
    times = {"created": 1_790_000_000_000, "expires": 1_790_100_000_000}
    header = Header(
        suite=SUITE,
        nonce=bytes(16),
        sender="la.ospp",
        recipients=("kh.gpo",),
        schema="saphan/arrest_notice/1",
        schema_digest=bytes(32),
        marking=Marking("amber", ("H0",)),
        urgency="priority",
        exercise=False,
        answer_by=1_790_050_000_000,
        retain_until=21_000,
        **times,
    )
    popup_near([])
    assert told.read_text() == ""
    popup_near([header])
    assert told.read_text().splitlines()[1:] == [
        "--urgency=normal",
        "--",
        "Saphan: 1 sent, not answered, deadline near",
        "Priority, until 2026-09-22 04:06:40 UTC",
    ]


def test_what_was_read_is_not_told(told: Path) -> None:
    popup([])
    popup([ROW | {"read": True}])
    assert told.read_text() == ""


def test_nothing_else_of_a_bulletin_is_told() -> None:
    text = " ".join(arguments([ROW]))
    for value in ("ab" * 8, "bounmy", "la.ospp", "kh.gpo", "arrest", "amber"):
        assert value not in text


def test_a_system_without_the_program_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    popup([ROW])


def test_a_program_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "notify-send"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(popups, "TIMEOUT_S", 0.2)
    popup([ROW])
