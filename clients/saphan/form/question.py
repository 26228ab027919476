"""One question of the form: where its answer goes, what it may be, how it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from saphan_schemas.fields import Choice, Schema

Scalar = str | int | bool
Answers = dict[str, Scalar | None]
"""What was answered, by pointer, in the order of answering; None is "leave it out"."""

Kind = Literal["text", "whole", "yes_no", "choice", "more", "part"]
"""`more`: one more entry of a list of parts? `part`: fill in a part that may be left out?"""

ASKS: Final = "?"
"""Ends the pointer of a `more` or `part` question: it stands for no value of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked at one place.

    Args:
        pointer: in the wish, such as "/body/substances/0/unit".
        node: the resolved schema of the answer; `shared`: the shared type it is, or "".
        choice: of a `choice`.
        passes: needed, but another language will do: `-` goes on to the next one.
        also: pointers of other languages that are left out with this one by Enter.
    """

    pointer: str
    kind: Kind
    node: Schema
    shared: str = ""
    required: bool = False
    choice: Choice | None = None
    passes: bool = False
    also: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The pointer of the value that it is about."""
        return self.pointer.removesuffix(ASKS)
