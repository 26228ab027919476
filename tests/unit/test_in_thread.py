"""Whoever is cancelled while a thread works for them waits until it is done."""

from __future__ import annotations

import asyncio
import threading

import pytest
from saphan.desk.in_thread import in_thread


async def test_a_cancelled_task_ends_after_its_thread() -> None:
    begun, go, done = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        assert go.wait(20)
        done.append("thread")

    async def ask() -> None:
        try:
            await in_thread(work)
        finally:
            done.append("task")

    task = asyncio.create_task(ask())
    await asyncio.to_thread(begun.wait, 20)
    for _ in range(2):  # impatience changes nothing
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["thread", "task"]


async def test_what_it_gives_and_raises_comes_through() -> None:
    assert await in_thread(lambda a, b: a + b, 1, b=2) == 3
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
