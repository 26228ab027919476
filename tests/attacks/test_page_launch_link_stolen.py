"""Whoever reads the launch link, of a terminal, a history or a process list, comes too late."""

from __future__ import annotations

import stat
from pathlib import Path

from saphan.web.locking.launch_file import remove_launch, write_launch
from saphan.web.sessions import LAUNCH_MS, Sessions
from support.brokers import Clock
from support.desk_page import desk_page


async def test_a_link_is_good_once_and_its_thief_shows() -> None:
    async with desk_page(opened=False) as page:
        token = page.place.sessions.launch()
        for status in (200, 401, 401):
            async with page.http.get(
                page.url(f"/launch/{token}"), headers={"Host": page.host}
            ) as answer:
                assert answer.status == status
                assert ("Set-Cookie" in answer.headers) == (status == 200)
                text = await answer.text()
                # Who comes second is told that somebody was first; nobody is told whose desk it is.
                assert ("used before" in text) == (status == 401)
                assert "dao" not in text


async def test_a_thief_who_is_first_still_needs_the_passphrase() -> None:
    async with desk_page(opened=False) as page:
        token = page.place.sessions.launch()
        async with page.http.get(page.url(f"/launch/{token}"), headers={"Host": page.host}):
            pass
        # The officer's own browser is out from now on: one browser at a time.
        status, _ = await page.get("/inbox")
        assert status == 401


def test_a_link_grows_old_and_a_new_one_takes_its_place() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    first = sessions.launch()
    second = sessions.launch()
    assert sessions.enter(first) is None
    assert sessions.enter("") is None
    assert sessions.enter(second[:-1]) is None
    assert sessions.knows(sessions.enter(second))
    third = sessions.launch()
    clock.ahead += LAUNCH_MS
    assert sessions.enter(third) is None
    assert not sessions.knows(None)
    assert not sessions.knows("")


def test_no_cookie_and_no_link_can_be_read_back() -> None:
    sessions = Sessions(Clock())
    token = sessions.launch()
    cookie = sessions.enter(token)
    assert cookie is not None
    assert cookie not in repr(sessions)
    assert token not in repr(sessions)


def test_the_browser_is_led_by_a_file_that_only_the_officer_reads(tmp_path: Path) -> None:
    """On its command line, every user of the machine could read the link."""
    path = write_launch(tmp_path, "http://abcdefgh.localhost:1/launch/x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert 'content="0;url=http://abcdefgh.localhost:1/launch/x"' in path.read_text()
    remove_launch(tmp_path)
    remove_launch(tmp_path)
    assert not path.exists()
