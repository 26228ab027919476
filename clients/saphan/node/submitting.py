"""Machine-made bulletins in batches: what waits while one is sealed becomes the next."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from saphan_schemas.errors import SaphanError, Unavailable

from saphan.compose import Wish
from saphan.node.engine import Engine
from saphan.node.kept_anyway import looked_for
from saphan.node.repeats import Asked, Repeat, Repeats
from saphan.node.wire.line import Line

log = logging.getLogger("saphan.node")

BATCH: Final = 64
QUEUE: Final = 1_024
"""Bulletins waiting to be sealed; a case system that pushes faster is told to come again."""


_Waiting = tuple[Wish, Asked, asyncio.Future[bytes]]


class Submitting:
    """Turns single requests into batches; one signature and one commit serve up to 64 of them."""

    def __init__(self, engine: Engine, line: Line, repeats: Repeats) -> None:
        self._engine = engine
        self._line = line
        self._repeats = repeats
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE)

    async def machine(self, wish: Wish, asked: Asked) -> bytes:
        """Submit one bulletin; its id once it is durable.

        A request that may come again has the answer of the first, whether that is kept or still
        on its way.

        Raises:
            SaphanError: why it is refused; Unavailable: `outbox_busy`; Refused: `repeat_differs`.
        """
        repeat = asked.repeat
        if repeat is None:
            return await self._submit(wish, asked)
        coming = self._repeats.coming(repeat)
        if coming is None:
            # From here to `expect` nothing is awaited, so that two at once are never two bulletins.
            coming = asyncio.ensure_future(self._once(wish, asked, repeat))
            self._repeats.expect(repeat, coming)
        return await asyncio.shield(coming)

    async def _once(self, wish: Wish, asked: Asked, repeat: Repeat) -> bytes:
        first = await self._engine.in_reading(partial(self._repeats.first, repeat))
        return first if first is not None else await self._submit(wish, asked)

    async def _submit(self, wish: Wish, asked: Asked) -> bytes:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((wish, asked, future))
        except asyncio.QueueFull:
            raise Unavailable(
                "outbox_busy",
                f"{QUEUE} bulletins wait to be sealed",
                hint="send again in a second",
            ) from None
        return await future

    async def run(self) -> None:
        """Seal what waits, for ever."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await self._seal(batch)
            except SaphanError as error:
                _fail(batch, error)
            except Exception:
                log.exception("sealing met a bug")
                _fail(batch, Unavailable("internal", "the node met a bug; it is in its log"))

    async def _seal(self, batch: list[_Waiting]) -> None:
        wishes, askers = [wish for wish, _, _ in batch], [asked for _, asked, _ in batch]
        with looked_for(partial(self._line.offer, None)):
            submitted = await self._engine.in_sealing(
                partial(self._engine.outbox.submit_machine, wishes, askers)
            )
        self._line.offer(submitted.portion)
        for (_, _, future), outcome in zip(batch, submitted.outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, SaphanError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _fail(batch: list[_Waiting], error: SaphanError) -> None:
    for _, _, future in batch:
        if not future.done():
            future.set_exception(error)
