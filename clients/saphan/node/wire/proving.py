"""Asks the broker for proofs that the node cannot make by itself: few at a time."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError

from saphan.node.engine import Engine
from saphan.node.wire.asking import Asking

PAUSE_S: Final = 5.0
"""Between questions of up to 21 KB: a quarter of a line of 64 kbit/s, until all is proven."""

WRONG: Final = ("proof_inclusion", "head_unknown", "proof_unknown")
"""Alarms that a good answer ends."""
HINT: Final = "tell the broker's operator; own entries of before stay without a witnessed proof"


class Proving:
    """One session's questions: for far entries, then for gaps; none once half of the budget is."""

    def __init__(self, engine: Engine, asking: Asking) -> None:
        self._engine = engine
        self._asking = asking
        self._wake = asyncio.Event()
        self._wake.set()
        self._refused = False
        self._closed: int | None = 0
        """Size below which no gap is left; None: none is left at all."""

    def wake(self) -> None:
        """A head has new witnesses."""
        self._wake.set()

    async def run(self) -> None:
        """Ask, for ever. A wrong answer ends the asking and no session: what this node holds may be
        what is damaged, and bulletins have to go on.

        Raises:
            SaphanError: line, disk.
        """
        engine = self._engine
        await engine.in_frames(engine.proofs.settle)
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._refused or not engine.budget.ample:
                continue
            try:
                more = await self._ask() or await self._close_gap()
            except InvalidInput as error:
                self._refuse(error)
                continue
            if more:
                self._wake.set()  # there may be more
                await asyncio.sleep(PAUSE_S)

    async def _ask(self) -> bool:
        """One question and its answer; False if there is nothing to ask."""
        proofs = self._engine.proofs
        question = await self._engine.in_reading(proofs.question)
        if question is None:
            return False
        found = await self._asking.prove(question.head, tuple(question.leaves))
        await self._engine.in_frames(partial(proofs.take, question, found))
        if found.code is not None:
            why = f"the broker proves nothing under its signed head of {question.head.size} leaves"
            self._refuse(OperatorError(found.code, why, hint=HINT))
        else:
            for code in WRONG:
                self._engine.quiet(code)
        return True

    def _refuse(self, error: SaphanError) -> None:
        """Nothing more is asked; the next session asks again: it may be another process."""
        self._refused = True
        self._engine.sound(error)

    async def _close_gap(self) -> bool:
        """One question about a gap between kept heads; False if there is none.

        Gaps come with a restore or an upgrade only: a session looks until it has found none.
        """
        gaps, closed = self._engine.gaps, self._closed
        if closed is None:
            return False
        gap = await self._engine.in_frames(lambda: gaps.after(closed))
        self._closed = None if gap is None else gap.old.size
        if gap is None:
            return False
        found = await self._asking.prove(gap.new, sizes=[gap.old.size])
        await self._engine.in_frames(lambda: gaps.take(gap, found))
        return True
