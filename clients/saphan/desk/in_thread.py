"""Work with a desk's store beside the event loop, which is never left behind in its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(do: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """`asyncio.to_thread`, but whoever is cancelled waits until it is done.

    A line that ends is cancelled, and its store closed: SQLite must not be in use in a thread that
    nobody waits for, or the process dies of it.
    """
    running = asyncio.ensure_future(asyncio.to_thread(do, *args, **named))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await _done(running)
        raise


async def _done(running: asyncio.Future[T]) -> None:
    """Until it is done, however often whoever waits is cancelled; its result is nobody's."""
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError:
            continue
    if not running.cancelled():
        running.exception()
