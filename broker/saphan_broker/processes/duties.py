"""What only the process that sequences does beside it: deadlines, orphans, the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TypeAlias

Duty: TypeAlias = Callable[[], Coroutine[object, object, None]]
"""Runs until it is cancelled; an error inside is its own."""


class Duties:
    """Runs them while this process sequences, and not a moment longer."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = duties
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """This process sequences from now on."""
        self._tasks = [asyncio.create_task(duty()) for duty in self._duties]

    async def end(self) -> None:
        """Another one does, or nobody; idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
