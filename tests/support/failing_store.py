"""A broker's store of which one write fails: not done, or done but reported failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from saphan_broker.store.base import Commit, CommitUnknown, Sign, Store
from saphan_schemas.errors import OperatorError

Fail = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]


class FailingStore:
    """The real store, one of whose writes fails as told; everything else passes through."""

    def __init__(self, store: Store, step: str, fail: Fail) -> None:
        self._store = store
        self._step = step
        self._fail: Fail | None = fail

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        """Step by step, so that each step can fail."""
        await self._maybe("commit", lambda: self._store.commit(commit))
        if sign is not None:
            await self.put_note(commit.log, commit.head.size, await asyncio.to_thread(sign))

    async def put_note(self, log: Any, size: int, note: bytes) -> None:
        await self._maybe("put_note", lambda: self._store.put_note(log, size, note))

    async def _maybe(self, step: str, work: Callable[[], Awaitable[None]]) -> None:
        fail, wanted = self._fail, self._step == step
        if fail is None or not wanted:
            await work()
            return
        self._fail = None
        await fail(work)


async def lost(work: Callable[[], Awaitable[None]]) -> None:
    """Not done, fate unknown."""
    raise CommitUnknown("injected, not done")


async def kept(work: Callable[[], Awaitable[None]]) -> None:
    """Done, fate unknown."""
    await work()
    raise CommitUnknown("injected, done")


async def full(work: Callable[[], Awaitable[None]]) -> None:
    """Not done, known: the disk is full."""
    raise OperatorError("disk_full", "injected: the disk is full")


async def crashed(work: Callable[[], Awaitable[None]]) -> None:
    """A bug of an engine: an error nobody documented."""
    raise ValueError("injected")
