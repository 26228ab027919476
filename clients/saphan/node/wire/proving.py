"""Asks the broker for proofs that the node cannot make by itself: few at a time."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from saphan.node.engine import Engine
from saphan.node.wire.asking import Asking

log = logging.getLogger("saphan.node")

PAUSE_S: Final = 5.0
"""Between questions of up to 21 KB: a quarter of a line of 64 kbit/s, until all is proven."""


class Proving:
    """One session's questions: for far entries, then for gaps; none while the budget is spent."""

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
        """Ask, for ever; a wrong answer ends the session.

        Raises:
            SaphanError: line, answer, disk.
        """
        engine = self._engine
        await engine.in_frames(engine.proofs.settle)
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._refused or engine.budget.spent:
                continue
            if await self._ask() or await self._close_gap():
                self._wake.set()  # there may be more
                await asyncio.sleep(PAUSE_S)

    async def _ask(self) -> bool:
        """One question and its answer; False if there is nothing to ask."""
        proofs = self._engine.proofs
        question = await self._engine.in_reading(proofs.question)
        if question is None:
            return False
        found = await self._asking.prove(question.head, tuple(question.leaves))
        if found.code is not None:
            log.warning("the broker proves nothing under a head it signed: %s", found.code)
            self._refused = True  # the next session asks again: it may be another process
        await self._engine.in_frames(partial(proofs.take, question, found))
        return True

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
