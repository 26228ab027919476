"""What goes at a desk with a piece of news: clocks too, and without a look at everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.desk.owed import OwedHere
from saphan.desk.store import Shelf
from saphan_schemas.limits import DAY_MS
from support.bare_desk import bare_desk, row
from support.open_requests import keep_open, open_request


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as made:
        yield made


def test_an_open_request_goes_on_its_day_and_on_the_nodes_word(desk: Desk) -> None:
    """Nothing of what it says is kept, but who owes what to whom is in the list of clocks."""
    today = desk.clock() // DAY_MS
    soon, late, word = (
        open_request(seq, retain_until=today + days) for seq, days in ((1, 1), (2, 9), (3, 9))
    )
    keep_open(desk, soon, late, word)
    keeping = Keeping(desk)
    keeping.time.hear(desk.clock())
    one = {"id": word["id"], "day": 1, "held": False, "sealed": False, "gone": True}
    keeping.told([one], None)
    assert [one.id for one in OwedHere(desk).all()] == [soon["id"], late["id"]]
    keeping.time.hear(desk.clock() + DAY_MS)
    keeping.sweep()
    assert [one.id for one in OwedHere(desk).all()] == [late["id"]]


def test_news_sweeps_once_a_day_and_again_when_something_was_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping, swept = Keeping(desk), list[int]()
    really = Keeping.sweep

    def sweep(this: Keeping) -> int:
        swept.append(1)
        return really(this)

    monkeypatch.setattr(Keeping, "sweep", sweep)
    assert keeping.sweep_once() == 0  # no node has said what day it is
    assert swept == []
    keeping.time.hear(desk.clock())
    for _ in range(3):
        keeping.sweep_once()
    assert len(swept) == 1
    header = row(1, retain_until=desk.clock() // DAY_MS)
    said: dict[str, object] = {"about": {}, "body": {}}
    Inbox(desk).keep({"id": header["id"], "header": header, "content": said})
    assert keeping.sweep_once() == 1  # it came on the day on which it goes
    assert desk.store.count(Shelf.OPENED) == 0
    keeping.time.hear(desk.clock() + DAY_MS)
    keeping.sweep_once()
    keeping.sweep_once()
    assert len(swept) == 3
