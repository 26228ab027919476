"""What a row of the table is: an effect, how it goes on when that fails, and who must act."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from matrix.effects import Effect

DELIVERED = "deliver"
"""The story whose steps most others have as well."""


class Progress(enum.StrEnum):
    """How it goes on. After a crash it is the same, once the party runs again."""

    SENT_AGAIN = "it goes again in the next session; a duplicate has its first answer"
    FED_AGAIN = "the next session brings it again, and it is kept once"
    SETTLED = "the broker reads its store anew: what is committed is signed, the rest comes again"
    TOLD = "whoever asked is told, and asks again in the same words; what was kept is the answer"
    LOOKED = "the next look does it"
    WHERE_IT_STOPPED = "it goes on from what is whole, in the next session"
    DESK = "what is signed stays at the desk; asked again, it goes on, and is sent and read once"
    RUN_AGAIN = "nothing half is taken for whole; run again, the command does all of it"


class Acts(enum.StrEnum):
    """Who must act while it runs; after a crash always whoever runs the party: start it again."""

    NOBODY = "nobody"
    ASKER = "whoever asked (OperatorError: room on the node's disk, then again)"
    PERHAPS = "whoever asked, if told (OperatorError: room on the node's disk, then again)"
    KEPT = (
        "whoever asked (OperatorError: room on the disk, then again; Refused: the operation that"
        " was kept before is handed in first, as the hint says)"
    )
    COMMAND = "whoever runs it: it ends with an error (room on the disk, then again)"
    AGAIN = "whoever asked (Unavailable: again)"
    DESK = "the officer (OperatorError: room on the desk's disk, then again)"
    OFFICER = "the officer (Unavailable: again)"

    @property
    def families(self) -> set[str]:
        """Families of errors that whoever asked may be told."""
        if self is Acts.NOBODY:
            return set()
        if self is Acts.KEPT:
            return {"OperatorError", "Refused"}
        return {"Unavailable" if self in (Acts.AGAIN, Acts.OFFICER) else "OperatorError"}

    @property
    def always(self) -> bool:
        """Whoever asked hears of it in any case, unless somebody has crashed."""
        return self not in (Acts.NOBODY, Acts.PERHAPS, Acts.COMMAND)


@dataclass(frozen=True)
class Row:
    """One effect.

    Args:
        story: name of the story in `stories.py` that has it.
        sure: it happens in every run of its story. What is not sure depends on what a group of
            work or a frame holds together; it fails in the runs in which it happens.
        seldom: no story has it for certain, nor often: it is known, and no fault is made there.
        alike: the same code as in a delivery, about another event: `make test` takes every third.
    """

    use_case: str
    story: str
    effect: Effect
    progress: Progress
    acts: Acts = Acts.NOBODY
    sure: bool = True
    alike: bool = False
    seldom: bool = False
