"""The form in words: what a question is called, what would be right, how an answer looks."""

from __future__ import annotations

from typing import Final

from saphan_schemas.explaining import place, rightly
from saphan_schemas.fields import Choice, Field
from saphan_schemas.labels import description, label_key
from saphan_schemas.messages import has_text, text
from saphan_schemas.width import fit, width

from saphan.form.filling import Filling
from saphan.form.question import ASKS, Question, Scalar

SHORT_LIST: Final = 12
"""Codes that are shown with the question; more are searched for, or asked for with ?."""
CODE_CELLS: Final = 28


def title_of(form: Filling, question: Question) -> str:
    """Where the answer goes, in the words of the labels."""
    return place(form.name, question.place, form.lang, form.sheet)


def help_of(form: Filling, question: Question) -> str:
    """One sentence that helps to fill the field in; "" where no label has one."""
    around = f"wish{_unnumbered(question.place).replace('/', '.')}.help"
    if has_text(around):
        return text(around, form.lang)
    return description(label_key(form.name, question.place, form.sheet), form.lang)


def right_of(form: Filling, question: Question) -> str:
    """What may be typed."""
    if question.kind in ("more", "part"):
        return text("right.boolean", form.lang)
    key = label_key(form.name, question.place, form.sheet)
    return rightly(Field(question.node, question.shared), form.lang, key)


def code_lines(choice: Choice, codes: tuple[str, ...], lang: str) -> list[str]:
    """Codes with their numbers in the whole list and their words, aligned."""
    number = {code: at for at, code in enumerate(choice.codes, 1)}
    cells = min(CODE_CELLS, max((width(code) for code in codes), default=0))
    return [
        f"{number[code]:>4}  {fit(code, cells)}  {choice.label(code, lang)}".rstrip()
        for code in codes
    ]


def shown_answer(form: Filling, question: Question, answer: Scalar | None) -> str:
    """An answer as a reader sees it."""
    if answer is None:
        return text("form.left_out", form.lang)
    if isinstance(answer, bool):
        return text("right.true" if answer else "right.false", form.lang)
    if question.choice is not None and answer in question.choice.codes:
        label = question.choice.label(str(answer), form.lang)
        return str(answer) if label == answer else f"{answer} = {label}"
    return str(answer)


def review_lines(form: Filling) -> list[tuple[Question, str]]:
    """Everything that is filled in, line by line; what was left out is not listed."""
    return [
        (question, f"{title_of(form, question)}: {shown_answer(form, question, answer)}")
        for question in form.asked
        if (answer := form.answers[question.pointer]) is not None
        and not question.pointer.endswith(ASKS)
    ]


def _unnumbered(pointer: str) -> str:
    return "/".join(step for step in pointer.split("/") if not step.isdigit())
