"""A node that says what no node may say of who owes what: the desk keeps nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saphan.desk.desk import Desk
from saphan.desk.owed import OwedHere
from saphan.desk.syncing import Synced
from saphan.web.line_keeper import LineKeeper
from saphan_schemas.desk_frames import AskIdentity, AskInbox, AskOwed
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from support.bare_desk import bare_desk, node_that, told_by
from support.bridge import KH, eventually
from support.open_requests import SINCE, open_request, owed_by


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    opening = bare_desk(tmp_path)
    made = await asyncio.to_thread(opening.__enter__)
    try:
        yield made
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)


def page(*requests: dict[str, Any], **fields: object) -> dict[str, Any]:
    end = requests[-1]["seq"] if requests else 0
    return {"requests": list(requests), "next": end, "more": False, **fields}


LIES = {
    "nothing, to who has nothing": {},
    "no list": page() | {"requests": 7},
    "a place before the first": page(next=-1),
    "more, from the same place": page(more=True),
    "another order": page(open_request(2), open_request(1), next=2),
    "a request twice": page(open_request(1), open_request(1), next=1),
    "a request behind the end": page(open_request(9), next=3),
    "an id that is none": page(open_request(1) | {"id": "../../etc"}),
    "a direction unheard of": page(open_request(1) | {"direction": "sideways"}),
    "a header without its day": page(open_request(1) | {"header": {}}),
    "a state unheard of": page(open_request(1, owed_by(KH, SINCE, state="<b>"))),
    "a time that is none": page(open_request(1, owed_by(KH, SINCE) | {"until": "soon"})),
    "a zone that is a path": page(
        open_request(1, owed_by(KH, SINCE, clock={"zone": "../../etc/passwd"}))
    ),
    "too many": page(*(open_request(n) for n in range(1, LIMITS.desk_page_items + 2))),
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_is_no_page_of_what_is_owed_is_refused(
    desk: Desk, tmp_path: Path, lie: str
) -> None:
    async with told_by(desk, tmp_path, lambda _: LIES[lie]) as line:
        with pytest.raises(OperatorError, match="node_answer"):
            await OwedHere(desk).pull(line)
    assert await asyncio.to_thread(OwedHere(desk).all) == []


async def test_pages_that_never_end_are_left(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.desk.owed.PAGES", 5)

    def says(asked: Any) -> object:
        assert isinstance(asked, AskOwed)
        return page(next=asked.after + 1, more=True)

    async with told_by(desk, tmp_path, says) as line:
        with pytest.raises(OperatorError, match="do not end"):
            await OwedHere(desk).pull(line)


async def test_a_node_that_never_answers_rightly_is_asked_ever_more_seldom(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.web.line_keeper.FIRST_WAIT_MS", 10)
    told: list[Synced | None] = []

    async def tell(synced: Synced | None) -> None:
        told.append(synced)

    def says(asked: Any) -> object:
        if isinstance(asked, AskIdentity):
            return {"agreements": []}
        if isinstance(asked, AskInbox):
            return {"bulletins": [], "next": 0, "more": False, "rules": ""}
        return LIES["an id that is none"]

    async with node_that(desk, tmp_path, says) as me:
        line = LineKeeper(replace(desk, me=me), tell)
        task = asyncio.create_task(line.run())
        await eventually(lambda: line._wait_ms >= 160 and not line.state.online)
        assert line.state.why is not None
        assert line.state.why.code == "node_answer"
        task.cancel()
        await asyncio.wait((task,))
    assert {*told} == {None}
