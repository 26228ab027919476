"""An order whose registering is cut off between two effects is logged once, and told as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest
from saphan_broker.state import State
from saphan_broker.store.base import CommitUnknown
from saphan_schemas.errors import OperatorError
from support.agency import order_by
from support.brokers import World
from support.crews import until

A, B = "la.ospp", "kh.gpo"
FULL = OperatorError("disk_full", "no room")


def cut_off(state: State, after: str, patch: pytest.MonkeyPatch) -> None:
    """Once: committed and not known, committed and not signed, signed and not kept."""
    commit, put_note = state.store.commit, state.store.put_note

    async def committed(*given: Any) -> None:
        patch.undo()
        await commit(*given)
        raise CommitUnknown("the disk does not answer")

    def unsigned(*_: object) -> None:
        patch.undo()
        raise FULL

    async def unkept(log: Literal["evidence", "directory"], *head: Any) -> None:
        if log != "directory":  # a head of the other log may come first
            await put_note(log, *head)
            return
        patch.undo()
        raise FULL

    if after == "commit":
        patch.setattr(state.store, "commit", committed)
    elif after == "adopt":
        patch.setattr(state.signers["directory"], "sign", unsigned)
    else:
        patch.setattr(state.store, "put_note", unkept)


@pytest.mark.parametrize("after", ["commit", "adopt", "sign"])
async def test_order_cut_off(tmp_path: Path, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        state = world.broker.state
        (agreed,) = state.directory.agreements_of(A)
        size = state.directory.size
        package = order_by(world.agencies[B], agreed.name, "suspend")
        line = await world.line(B)
        cut_off(state, after, monkeypatch)
        first = asyncio.create_task(line.register(order=package))
        await asyncio.wait([first])  # answered with "retry", or the line is cut with the store
        assert first.cancelled() or first.result().retry_after_ms
        await until(lambda: not world.broker.sequencer.broken and state.directory.size > size)
        line, other = await world.line(B), await world.line(A)
        assert (await line.register(order=package)).indices == (size,)
        assert state.directory.size == size + 1
        for one in (line, other):
            await one.until(lambda one=one: len(one.leaves) == size + 1)  # type: ignore[misc]
            assert len(one.packages) == 2
        assert not state.directory.standing(agreed).in_force
