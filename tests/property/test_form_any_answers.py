"""Whatever is typed into the form: it answers with a sentence or goes on, and stays consistent."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saphan.form.filling import Filling, Refused
from saphan.form.question import ASKS, Question
from saphan.form.sheet import usual
from saphan.form.words import help_of, review_lines, right_of, title_of
from saphan_schemas.bodies import NAMES
from saphan_schemas.body_types import BUILT_IN, BodyType
from saphan_schemas.errors import InvalidInput
from saphan_schemas.messages import LANGUAGES

Json = dict[str, Any]
MOST = 3_000
FAULTS = 12
"""Corrections of one bulletin that is nonsense in many ways; more is a form that never mends."""
DEFAULTS = usual("lo", datetime.date(2025, 10, 14))
LINES = st.one_of(
    st.sampled_from(
        ["", "", "", "-", "y", "n", "1", "2", "3", "0", "kh.gpo", "LA", "LA-OSPP", "lo", "x", "ຄຳ",
         "2025-10-14", "2025-10-14 06:40", "1962", "12.5", "ab" * 32, "LA-OSPP-2025-SZ-0001",
         "Asia/Vientiane", "Asia/../etc", "ກຂ 0000", "methamphetamine_tablet", "<back>", "<forget>"]
    ),
    st.text(max_size=20),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(NAMES), lang=st.sampled_from(LANGUAGES), data=st.data())
def test_any_lines_are_answered(name: str, lang: str, data: st.DataObject) -> None:
    form = Filling(BUILT_IN.get(name), lang, DEFAULTS)
    for line in data.draw(st.lists(LINES, max_size=40)):
        question = form.question
        if question is None:
            break
        assert title_of(form, question)
        assert help_of(form, question) is not None
        assert right_of(form, question)
        if line == "<back>":
            form.back()
        elif line == "<forget>" and form.answers:
            form.forget(next(iter(form.answers)))
        else:
            before = dict(form.answers)
            refused = form.give(line)
            if isinstance(refused, Refused):
                assert refused.why
                assert form.answers == before
    shown = review_lines(form)
    again = Filling(BUILT_IN.get(name), lang, DEFAULTS, form.answers)
    again.repair()
    assert again.question == form.question
    assert review_lines(again) == shown


@pytest.mark.parametrize("name", NAMES)
def test_a_form_that_is_filled_in_anyhow_ends_and_is_right_or_asks_again(name: str) -> None:
    """Codes and yes or no by lot, text of some form: the end comes, and is judged."""
    form, drawn = Filling(BUILT_IN.get(name), "lo", DEFAULTS), random.Random(name)
    answer_all(form, drawn)
    error = finished(form)
    for _ in range(FAULTS):
        if error is None or error.fault is None or error.fault.rule == "attachment":
            break  # files are named before the form begins
        form.ask_again(error.fault)
        answer_all(form, drawn)
        error = finished(form)
    assert error is None or (error.fault is not None and error.fault.rule == "attachment")


def answer_all(form: Filling, drawn: random.Random) -> None:
    for _ in range(MOST):
        if form.question is None:
            return
        answer_anyhow(form, form.question, drawn)
    raise AssertionError("the form never ends")


def answer_anyhow(form: Filling, question: Question, drawn: random.Random) -> None:
    line = EXAMPLES.get(question.shared, "1") if question.required else ""
    if form.default(question) is not None:
        line = ""
    elif question.choice is not None:
        line = drawn.choice(question.choice.codes)
    elif question.pointer.endswith(ASKS) or question.kind == "yes_no":
        line = drawn.choice("nnnnnnny")
    tried = (line, "-", "", *FORMS, *(question.choice.codes if question.choice else ()))
    if not any(form.give(one) is None for one in tried):
        for _ in range(drawn.randrange(1, 6)):  # nothing here fits what was said before
            form.back()


def finished(form: Filling) -> InvalidInput | None:
    facts = form.facts()
    return refusal(form.kind, facts, facts.pop("header"))


def refusal(kind: BodyType, facts: Json, header: Json) -> InvalidInput | None:
    try:
        kind.check(facts, header)
    except InvalidInput as error:
        return error
    return None


EXAMPLES = {
    "agency": "kh.gpo",
    "org": "LA-OSPP",
    "time": "2025-10-14 06:40",
    "date": "2025-10-14",
    "decimal": "12.5",
    "bulletin_id": "ab" * 32,
    "line": "ຕົວຢ່າງ",
    "short": "ຕົວຢ່າງ",
    "prose": "ຕົວຢ່າງ",
    "language": "lo",
    "country": "LA",
    "script": "Laoo",
    "whole": "1",
}
FORMS = ("1", "2025-10-14", "2025-10-14 06:40", "12.5", "LA-CH", "A", "x", "LA-OSPP-2025-SZ-0001",
         "1962", "2", "3", "ABC", "ab" * 32, "Asia/Vientiane", "12:00", "ກຂ 0000", "LA",
         "lo")  # fmt: skip
