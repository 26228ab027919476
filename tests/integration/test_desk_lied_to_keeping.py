"""A node that lies about what a desk keeps: nothing goes that may not, and the line ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.desk.store import Shelf
from saphan_schemas.desk_frames import AskErased, AskExported, AskKeeping, DeskRefusal
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import DAY_MS, LIMITS
from support.bare_desk import bare_desk, row, told_by

ID = "ab" * 32
COPY = {"id": ID, "day": 21_000, "held": False, "sealed": False, "gone": False}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    opening = bare_desk(tmp_path)
    made = await asyncio.to_thread(opening.__enter__)
    try:
        yield made
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)


def answer(*copies: object, **fields: object) -> dict[str, Any]:
    return {"copies": list(copies), "mark": 1, "witnessed": None, **fields}


def read_here(desk: Desk) -> bytes:
    bulletin = os.urandom(32)
    day = desk.clock() // DAY_MS + 3
    said: dict[str, Any] = {"about": {}, "body": {}}
    header = row(1, retain_until=day)
    Inbox(desk).keep({"id": bulletin.hex(), "header": header, "content": said})
    return bulletin


LIES = {
    "nothing": {},
    "no list": answer(copies="none"),
    "a copy without an id": answer({"day": 1}),
    "an id that is none": answer(COPY | {"id": "../../etc"}),
    "a day before the first": answer(COPY | {"day": -1}),
    "neither held nor not": answer(COPY | {"held": "maybe"}),
    "a time after the last day": answer(witnessed=2**60),
    "a mark that is none": answer(mark="7"),
    "too many": answer(*(COPY | {"id": f"{n:064x}"} for n in range(LIMITS.desk_page_items + 1))),
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_is_no_answer_changes_nothing(desk: Desk, tmp_path: Path, lie: str) -> None:
    bulletin = await asyncio.to_thread(read_here, desk)
    async with told_by(desk, tmp_path, lambda _: LIES[lie]) as line:
        with pytest.raises(OperatorError, match="node_answer"):
            await Confirming(desk).bring(line)
    assert await asyncio.to_thread(Inbox(desk).opened, bulletin.hex()) is not None
    assert await asyncio.to_thread(Keeping(desk).time.now) is None


async def test_a_node_that_never_ends_is_left(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.desk.confirming.ROUNDS", 5)
    asked = []

    def says(frame: Any) -> object:
        asked.append(frame)
        return answer(COPY)

    async with told_by(desk, tmp_path, says) as line:
        with pytest.raises(OperatorError, match="never ends"):
            await Confirming(desk).bring(line)
    assert len(asked) == 5


async def test_a_year_ahead_is_not_believed(desk: Desk, tmp_path: Path) -> None:
    bulletin = await asyncio.to_thread(read_here, desk)
    later = desk.clock() + 365 * DAY_MS
    async with told_by(desk, tmp_path, lambda _: answer(witnessed=later)) as line:
        assert await Confirming(desk).bring(line) == 0
    assert await asyncio.to_thread(Inbox(desk).opened, bulletin.hex()) is not None


async def test_what_the_node_does_not_take_is_brought_again(desk: Desk, tmp_path: Path) -> None:
    """A confirmation waits for the node; what left the desk, too, unless the node has never
    given it to this desk."""
    bulletin = await asyncio.to_thread(read_here, desk)
    await asyncio.to_thread(Keeping(desk).erase, [bulletin])
    await asyncio.to_thread(Confirming(desk).saved, bulletin, 1)
    family: Any = "later"

    def says(frame: Any) -> object:
        match frame:
            case AskKeeping():
                return answer()
            case AskErased() | AskExported():
                return DeskRefusal(frame.request, family, "no_room", "not now", None, None, 0)
            case _:
                return None

    async def kept() -> tuple[int, int]:
        store = desk.store
        shelves = (Shelf.ERASED, Shelf.EXPORTS)
        first, second = [await asyncio.to_thread(store.count, shelf) for shelf in shelves]
        return first, second

    async with told_by(desk, tmp_path, says) as line:
        with pytest.raises(Unavailable, match="not now"):
            await Confirming(desk).bring(line)
    assert await kept() == (1, 1)
    family = "refused"  # and the line goes on, for what the officer came for
    async with told_by(desk, tmp_path, says) as line:
        assert await Confirming(desk).bring(line) == 0
    assert await kept() == (1, 0)
