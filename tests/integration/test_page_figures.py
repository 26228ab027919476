"""The page of figures: counted from what the desk has, drawn, and told in tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from saphan.desk.desk import Desk, number_name
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox
from saphan.desk.store import Shelf
from saphan_schemas.limits import DAY_MS, HOUR_MS
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.samples import wish
from support.bare_desk import row
from support.desk_letters import letter
from support.desk_page import DeskPage, desk_page

ROW = re.compile(r'<tr><th scope="row"[^>]*>(.*?)</th>(.*?)</tr>')
CELL = re.compile(r'<td class="num">(.*?)</td>')
TAG = re.compile("<[^>]*>")


def at(page: DeskPage, days: float) -> int:
    return page.place.clock() - round(days * DAY_MS)


def listed(desk: Desk, sample: str, received: int, **fields: Any) -> dict[str, Any]:
    seq = 1 + desk.store.count(Shelf.INBOX)
    usual = {"retain_until": 30_000, "created": received, "schema": f"saphan/{sample}/1"}
    made = row(seq, received=received, **(usual | fields))
    desk.store.put(Shelf.INBOX, number_name(seq), msgspec.json.encode(made), 30_000)
    return made


def opened(desk: Desk, sample: str, of: str, received: int, **body: Any) -> None:
    said, header = wish(sample, of), listed(desk, sample, received)
    said["body"] |= body
    Inbox(desk).keep({
        "id": header["id"], "header": header, "author": "bounmy", "attachments": [],
        "content": {"about": said["about"], "body": said["body"]},
    })  # fmt: skip


def sent(desk: Desk, bulletin: bytes, to: str = "la.ospp", relations: object = None) -> None:
    """Queued now, and taken by the node."""
    written = letter(to)
    if relations is not None:
        value = msgspec.json.decode(written.data)
        value["about"]["relations"] = relations
        written = msgspec.structs.replace(written, data=msgspec.json.encode(value))
    outbox = Outbox(desk)
    outbox._sent(outbox.queue(written, {}), bulletin)


async def figures(page: DeskPage, query: str = "") -> tuple[dict[str, list[str]], str]:
    """Cells of every row by its name, and the page."""
    await page.open.work(page.open.rows.load)
    while not await page.open.work(page.open.search.load):
        pass
    status, text = await page.get(f"/figures{query}")
    assert status == 200, text
    rows = {TAG.sub("", name): cells for name, cells in ROW.findall(text)}
    return {
        name: [TAG.sub("", c) for c in CELL.findall(cells)] for name, cells in rows.items()
    }, text


async def test_volumes_are_counted_by_type_and_corridor() -> None:
    async with desk_page() as page:

        def fill(desk: Desk) -> None:
            for days in (1, 2, 40, 4_000):
                listed(desk, "drug_seizure", at(page, days))
            listed(desk, "case_statistics", at(page, 3), sender="th.oncb")
            sent(desk, bytes(32))

        await page.open.work(fill)
        rows, text = await figures(page)
        assert rows["Drug seizure"] == ["3", "1", "4"]
        assert rows["la.ospp"] == ["3", "1", "4"]
        assert rows["th.oncb"] == ["1", "0", "1"]
        assert "4 received and 1 sent in this period." in text
        assert (await figures(page, "?kind=real"))[0].get("th.oncb") is None
        assert (await figures(page, "?kind=exercise"))[0]["th.oncb"] == ["1", "0", "1"]


async def test_months_are_those_of_the_offices_own_zone() -> None:
    async with desk_page() as page:
        now = datetime(2026, 11, 30, 18, tzinfo=UTC)  # already December there
        page.place.clock.ahead = round(now.timestamp() * 1_000) - page.place.clock()  # type: ignore[attr-defined]
        await page.open.work(lambda desk: listed(desk, "drug_seizure", at(page, 1 / 24)))
        await page.open.work(lambda desk: listed(desk, "drug_seizure", at(page, 2 / 24)))
        rows, _ = await figures(page, "?months=6")
        assert list(rows)[:6] == [
            "July 2026", "August 2026", "September 2026", "October 2026", "November 2026",
            "December 2026",
        ]  # fmt: skip
        assert rows["December 2026"] == ["1", "0", "1"]
        assert rows["November 2026"] == ["1", "0", "1"]


async def test_answers_are_timed_from_the_request_to_the_first_reply() -> None:
    async with desk_page() as page:

        def fill(desk: Desk) -> None:
            asked = listed(desk, "info_request", at(page, 5), answer_by=at(page, 3), id="ab" * 32)
            for number in range(2):  # the first one counts
                relations = [{"kind": "in_reply_to", "bulletin_id": asked["id"]}]
                sent(desk, bytes([number]) * 32, relations=relations)
            theirs = (bytes([1]) * 32).hex()
            desk.clock.ahead += DAY_MS  # type: ignore[attr-defined]
            opened(desk, "info_reply", theirs, desk.clock(), outcome="interim")  # it takes longer
            desk.clock.ahead += 2 * DAY_MS  # type: ignore[attr-defined]
            opened(desk, "info_reply", theirs, desk.clock(), outcome="full")
            opened(desk, "info_reply", "5a" * 32, desk.clock(), outcome="full")  # of nobody here

        await page.open.work(fill)
        _, text = await figures(page)
        tiles = text[text.index('<div class="tiles">') :].partition('<div class="panel">')[0]
        found = [TAG.sub("", cell) for cell in re.findall("<dd>(.*?)</dd>", tiles)]
        assert found == ["1", "5 d", "5 d", "1", "1", "3 d", "3 d", "0"]


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_drawings_are_whole_and_need_no_style(lang: str) -> None:
    async with desk_page(lang=lang) as page:
        evil = '</svg><script>alert(1)</script>"'
        await page.open.work(lambda desk: listed(desk, "drug_seizure", at(page, 1)))
        await page.open.work(
            lambda desk: listed(desk, "x", at(page, HOUR_MS / DAY_MS), schema=f"xx.a/{evil}/1")
        )
        _, text = await figures(page, "?months=60")
        drawings = re.findall("<svg viewBox=.*?</svg>", text, re.DOTALL)
        shown = [one for one in drawings if 'width="720"' in one]
        assert len(shown) == 3  # no answers, no picture of them
        for one in shown:
            tree = ElementTree.fromstring(one)  # noqa: S314 (our own)
            assert not any("style" in element.attrib for element in tree.iter())
        assert "<script>alert" not in text
        assert text.count('class="picture" aria-hidden="true"') == 3
        assert text.count("<table") >= 4


async def test_an_empty_desk_has_figures_too() -> None:
    async with desk_page() as page:
        rows, text = await figures(page, "?months=nonsense&kind=nonsense")
        assert "0 received and 0 sent in this period." in text
        assert len([name for name in rows if re.search(r"20\d\d", name)]) == 12
