"""The page of what is owed: any number of requests, the nearest deadline first."""

from __future__ import annotations

import re

from saphan.desk.desk import Desk
from support.bridge import KH, LA
from support.desk_page import desk_page
from support.open_requests import HOUR_MS, SINCE, keep_open, open_request, owed_by

ROW = re.compile(r'<tr id="o-([0-9a-f]{16})-')


async def test_many_requests_come_in_pages_each_once() -> None:
    async with desk_page() as page:
        ours = [open_request(n, owed_by(KH, SINCE + n * HOUR_MS)) for n in range(120, 0, -1)]
        theirs = [open_request(n, owed_by(LA, SINCE), sender=KH) for n in (200, 201)]

        def fill(desk: Desk) -> None:
            keep_open(desk, *ours, *theirs)
            page.open.standing.load(desk)

        await page.open.work(fill)
        found: list[str] = []
        for number, count in ((1, 52), (2, 50), (3, 20)):
            status, text = await page.get(f"/owed?page={number}")
            assert status == 200
            assert '<span class="count">120</span></h2>' in text
            assert page.place.say("page.owed.theirs_none") not in text
            assert len(ROW.findall(text)) == count
            found += ROW.findall(text)
        assert len(set(found)) == 122
        mine = [one["id"][:16] for one in reversed(ours)]
        assert [one for one in found if one in mine] == mine
        for beyond in ("4", "999999", "x", "-1", "%E0%BB%91"):
            assert (await page.get(f"/owed?page={beyond}"))[0] == 200
