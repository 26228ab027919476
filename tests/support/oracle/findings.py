"""What the oracle can find."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Fault(enum.StrEnum):
    """Everything that must not be, whatever broke meanwhile."""

    MISSING = "acknowledged and missing"
    UNASKED = "in a log, and acknowledged to nobody"
    UNDECIDED = "no terminal outcome"
    TWO_OUTCOMES = "two terminal outcomes"
    SHOWN_TWICE = "shown twice to one officer"
    NOT_SHOWN = "accepted, and never shown to an officer who watches"
    SHOWN_EARLY = "shown, and no log has its handover"
    CORRIDOR_GAP = "corridor gap"
    UNOPENED = "a leaf that no pack opens"
    TWO_ROOTS = "two roots for one size"
    HEAD_BEYOND = "a signed head that its log does not reach"
    SUCCESSOR_BEHIND = "a successor names less than was signed"
    UNPROVEN = "a signature, an inclusion or an order does not verify"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what, and about what, in words for whoever looks for the cause."""

    fault: Fault
    about: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.about}"
