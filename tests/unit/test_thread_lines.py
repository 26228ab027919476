"""How a thread reads on a terminal: every state has its sentence, in three languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from saphan.cli.speech import set_language
from saphan.cli.thread_lines import owed_lines, relation_text, thread_lines, thread_part
from saphan.desk.thread_answers import Named, Owed
from saphan.threads.clock import UNITS
from saphan.threads.legal import What
from saphan.threads.owing import OwingState, QuestionState

START = 1_760_443_800_000
HOUR = 3_600_000
CLOCK = {
    "count": 8, "unit": "hours", "lengthened": False, "zone": "Asia/Vientiane",
    "zone_known": True, "holiday_file_missing": False,
}  # fmt: skip


def owed(state: str = "waiting", **changes: Any) -> dict[str, Any]:
    """As the node says it; the desk takes every one of these."""
    value = {
        "replier": "la.ospp", "delivery": "accepted", "what": "reply", "since": START,
        "state": state, "accepted": START, "read": None, "due": START + 8 * HOUR,
        "until": START + 8 * HOUR, "expected": None, "reason": None, "transferred_to": None,
        "late": False, "questions": [], "replies": [], "clock": CLOCK,
    } | changes  # fmt: skip
    msgspec.convert(value, Owed)
    return value


def text(value: dict[str, Any]) -> str:
    return "\n".join(owed_lines(value))


@pytest.fixture(autouse=True, params=["en", "lo", "km"])
def language(request: pytest.FixtureRequest) -> Iterator[None]:
    set_language(["--lang", request.param], {})
    yield
    set_language([], {})


@pytest.mark.parametrize("state", get_args(OwingState))
@pytest.mark.parametrize("what", get_args(What))
def test_every_state_names_who_it_is_about(state: str, what: str) -> None:
    if what != "reply" and state == "interim":
        return  # only questions are announced one by one
    shown = text(owed(state, what=what, transferred_to="LA-CUSTOMS"))
    assert "la.ospp" in shown
    assert "owed." not in shown


@pytest.mark.parametrize("state", get_args(QuestionState))
def test_every_question_is_told_apart(state: str) -> None:
    other = "waiting" if state != "waiting" else "answered"
    questions = [
        {"no": "7", "state": state, "reply": "ab" * 32, "at": START},
        {"no": "8", "state": other, "reply": None, "at": None},
    ]
    shown = text(owed(questions=questions))
    assert "7" in shown
    assert ("ab" * 8) in shown
    assert "question." not in shown


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_counted_in_words(unit: str) -> None:
    clock = CLOCK | {"unit": unit, "holiday_file_missing": True, "zone_known": False}
    shown = text(owed(clock=clock, read=START + HOUR, late=True))
    assert "2025-10-14 12:10:00" in shown
    assert "time." not in shown
    assert len(shown.splitlines()) == 6


def test_an_end_is_said_in_the_repliers_time() -> None:
    assert "2025-10-15 03:10 (Asia/Vientiane)" in text(owed())
    strange = owed(clock=CLOCK | {"zone": "Asia/Nowhere"})
    assert "2025-10-14 20:10 UTC" in text(strange)
    delay = owed("interim", expected=START + 72 * HOUR, until=START + 72 * HOUR, reason="volume")
    for moment in ("2025-10-15 03:10", "2025-10-17 19:10"):
        assert moment in text(delay)
    assert "nonsense" in text(delay | {"reason": "nonsense"})


@pytest.mark.parametrize("kind", ["in_reply_to", "corrects", "supersedes", "related", "same_case"])
@pytest.mark.parametrize("stands", ["holds", "not_held", "foreign", "misses"])
def test_every_relation_is_said(kind: str, stands: str) -> None:
    one = {"kind": kind, "id": "cd" * 32, "stands": stands}
    msgspec.convert(one, Named)
    shown = relation_text(one)
    assert "cd" * 8 in shown
    assert ";" in shown or stands == "holds"


def test_a_status_without_a_thread_says_nothing_of_one() -> None:
    assert list(thread_part({})) == []
    assert list(thread_part({"relations": [], "replaced_by": [], "owed": []})) == []
    assert len(list(thread_part({"replaced_by": ["ef" * 32]}))) == 1


def test_words_of_a_newer_list_are_shown_as_they_are_written() -> None:
    """codes.md, K8: a thread may hold a bulletin of a later version of its type."""
    row = {
        "id": "41d0" * 16, "stored": START, "sender": "la.ospp", "recipients": ["kh.gpo"],
        "schema": "saphan/info_reply/2", "message": "renewal", "outcome": "withheld",
        "reference": "LA-OSPP-2026-RP-0001",
    }  # fmt: skip
    (line,) = thread_lines({"id": row["id"], "more": False, "bulletins": [row]})
    assert "renewal, withheld" in line
