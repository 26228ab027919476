"""Asks the broker what its log was where a peer saw its head: one question a minute at most."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from saphan_schemas.errors import Unavailable

from saphan.node.engine import Engine
from saphan.node.seen_heads import Question, SeenHeads
from saphan.node.wire.asking import Asking

PAUSE_S: Final = 60.0
"""Between questions of about 1 KB: what peers saw meanwhile is asked together."""
AGAIN_S: Final = 600.0
"""After an answer that settled nothing: a session lasts for weeks, a broker is busy once."""


class Comparing:
    """One session's questions about heads that peers have seen; none while the budget is spent."""

    def __init__(self, engine: Engine, seen: SeenHeads, asking: Asking) -> None:
        self._engine = engine
        self._seen = seen
        self._asking = asking
        self._wake = asyncio.Event()
        self._wake.set()

    def wake(self) -> None:
        """A consignment has come, or the known head has grown."""
        self._wake.set()

    async def run(self) -> None:
        """Ask, for ever; what the broker does not settle is asked again, less often.

        Raises:
            SaphanError: line, disk.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._engine.in_frames(self._seen.tell_ahead)
            if self._engine.budget.spent:
                continue
            pause = 0.0
            while question := await self._engine.in_reading(self._seen.question):
                if pause and not question.leaves:
                    break  # what has come meanwhile; a doubt is settled at once
                pause = PAUSE_S
                if not await self._ask(question):
                    pause = AGAIN_S
                    break
            if pause:
                await asyncio.sleep(pause)
                self._wake.set()

    async def _ask(self, question: Question) -> bool:
        """One question and its answer; False if that settles nothing."""
        try:
            found = await self._asking.prove(question.ref, question.leaves, question.sizes)
        except Unavailable as error:
            if error.code != "no_answer":
                raise
            self._seen.unanswered(question)
            return False
        return await self._engine.in_frames(partial(self._seen.take, question, found))
