"""A task that is told to end ends: `asyncio.wait_for` of Python 3.11 may forget that it was told.

When what is waited for comes in the same turn of the event loop as the cancellation, `wait_for`
returns it and the cancellation is gone; a loop around it then runs for ever, and whoever closes
the program waits for it for ever. `asyncio.timeout` does not do that.
"""

from __future__ import annotations

import ast
import asyncio

import pytest
from support.rooms import PACKAGES, modules


def forgetful(tree: ast.Module) -> list[int]:
    """Lines that call `asyncio.wait_for`, by whatever import."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr == "wait_for")
        or (isinstance(node, ast.alias) and node.name == "wait_for")
    ]


@pytest.mark.parametrize("package", tuple(PACKAGES))
def test_nobody_waits_in_the_way_that_forgets(package: str) -> None:
    found = {
        name: lines
        for name, path in modules(package).items()
        if (lines := forgetful(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_a_seeded_wait_is_caught() -> None:
    for source in ("asyncio.wait_for(x, 1)", "from asyncio import wait_for"):
        assert forgetful(ast.parse(source)) == [1]


async def test_a_cancellation_that_meets_its_event_is_heard() -> None:
    """Both in one turn of the event loop; what the programs use hears of it every time."""
    told, heard = asyncio.Event(), []

    async def work() -> None:
        try:
            async with asyncio.timeout(60):
                await told.wait()
        except asyncio.CancelledError:
            heard.append(True)
            raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    told.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == [True]
