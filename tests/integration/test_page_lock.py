"""Lock and unlock: when a page locks by itself, what it asks for, how often it may be tried."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from unittest import mock

import aiohttp
import pytest
from saphan.cli.desk_page import _PlacesOnly
from saphan.keys.passphrase import Passphrase
from saphan.web.locking.attempts import Attempts
from saphan.web.locking.idle import LOOKING, Presence
from saphan.web.settings.choices import Choices, keep_choices, read_choices
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import LIMITS, MINUTE_MS
from support.bridge import SECRET
from support.desk_page import DeskPage, desk_folder, desk_page

RIGHT = {"passphrase": SECRET.reveal().decode()}
WRONG = {"passphrase": "open sesame of a thief"}


class Up:
    """How long the machine was up, ms."""

    now = 0

    def __call__(self) -> int:
        return self.now


async def heard(stream: aiohttp.ClientResponse) -> str:
    """The next topic of /events."""
    while True:
        line = (await stream.content.readline()).decode()
        if line.startswith("data: "):
            return line.split()[-1]


async def test_only_a_person_keeps_a_page_open() -> None:
    async with desk_page() as page:
        up = Up()
        page.place.presence = Presence(up)
        assert page.place.presence.left_ms(MINUTE_MS) == MINUTE_MS
        up.now = 30_000
        for path, headers in (
            ("/settings", {"X-Desk": LOOKING}),
            ("/static/page.css", {}),
            ("/settings", {"Cookie": "saphan=wrong"}),
        ):
            await page.http.get(page.url(path), headers=page.headers() | headers)
        asked = page.http.get(page.url("/events"), headers=page.headers())
        async with asked as stream:
            assert await heard(stream) == "open"
        assert page.place.presence.left_ms(MINUTE_MS) == 30_000
        assert (await page.post("/alive"))[0] == 204
        assert page.place.presence.left_ms(MINUTE_MS) == MINUTE_MS
        up.now = 200_000
        assert page.place.presence.left_ms(MINUTE_MS) < 0
        await page.post("/settings", {"lock_minutes": "1"})
        assert page.place.presence.left_ms(MINUTE_MS) == MINUTE_MS


async def test_who_wakes_a_laptop_up_is_shown_nothing() -> None:
    """Quicker than the look at the clock, which slept: a click, or a tab that looks by itself."""
    async with desk_page() as page:
        up, told = Up(), list[str]()
        page.place.presence = Presence(up)
        page.place.lock, page.place.lock_after_ms = told.append, MINUTE_MS
        up.now = MINUTE_MS
        for method, path, more in (
            ("POST", "/alive", {}),
            ("GET", "/settings", {"X-Desk": LOOKING}),
            ("GET", "/inbox?page=2", {}),
            ("POST", "/settings", {}),
        ):
            sent = page.headers(Origin=f"http://{page.host}", **more)
            async with page.http.request(
                method, page.url(path), headers=sent, allow_redirects=False
            ) as answer:
                assert answer.status == 303
                assert answer.headers["Location"].startswith("/unlock?next=/")
                assert answer.headers["Connection"] == "close"
        assert set(told) == {"idle"}
        assert page.place.presence.left_ms(MINUTE_MS) == 0


async def test_what_was_opened_can_be_locked_whatever_goes_wrong_then(tmp_path: Path) -> None:
    """The disk is full when the language that was chosen at the lock is to be kept."""
    folder = await asyncio.to_thread(desk_folder, tmp_path / "desk")
    async with desk_page(folder=folder, opened=False) as page:
        told: list[str] = []
        page.place.lock = told.append
        await page.post("/language", {"lang": "lo"}, follow=False)
        full = OperatorError("desk_disk_full", "no room", hint="make some")
        with mock.patch("saphan.web.workplace.keep_choices", side_effect=full):
            await page.post("/unlock", RIGHT, follow=False)
        # It is open, says so, and locks: no key waits behind a page that asks for the passphrase.
        assert page.place.open is not None
        await page.post("/lock", {"next": "/sent"}, follow=False)
        assert told == ["asked"]


async def test_locking_is_told_once_and_every_tab_hears_of_an_unlock() -> None:
    async with desk_page(opened=False) as page:
        told: list[str] = []
        page.place.lock = told.append
        async with page.http.get(page.url("/events"), headers=page.headers()) as stream:
            assert await heard(stream) == "locked"
            # A locked page has nothing to lock; the order leads to where it was given.
            assert await page.post("/lock", {"next": "/sent"}, follow=False) == (303, "/sent")
            assert told == []
            await page.post("/unlock", RIGHT, follow=False)
            assert await heard(stream) == "open"
            await page.post("/lock", {"next": "/sent"}, follow=False)
            assert told == ["asked"]


async def test_a_locked_page_shows_no_room() -> None:
    async with desk_page(opened=False) as page:
        for path in ("/inbox?page=2", "/settings", "/drafts"):
            async with page.http.get(
                page.url(path), headers=page.headers(), allow_redirects=False
            ) as answer:
                assert answer.status == 303
                assert answer.headers["Location"].startswith("/unlock?next=/")
        status, text = await page.get("/inbox?page=2")
        assert 'value="/inbox?page=2"' in text
        assert (status, "kh.gpo" in text, "<nav" in text) == (200, True, False)


async def test_a_wrong_passphrase_says_so_and_is_not_shown_again() -> None:
    async with desk_page(opened=False) as page:
        status, text = await page.post("/unlock", {**WRONG, "next": "/drafts/3"})
        assert status == 403
        assert "passphrase_wrong" in text
        assert 'value="/drafts/3"' in text
        assert WRONG["passphrase"] not in text
        assert str(page.place.folder.folder) not in text
        for bad in ("", "x" * 2000, "two\nlines"):
            status, text = await page.post("/unlock", {"passphrase": bad})
            assert (status, "passphrase_malformed" in text) == (403, True)
        assert page.place.open is None


async def test_passphrases_cannot_be_tried_without_end() -> None:
    async with desk_page(opened=False) as page:
        up = Up()
        page.place.attempts = Attempts(up)
        for _ in range(LIMITS.unlock_tries):
            assert (await page.post("/unlock", WRONG))[0] == 403
        for _ in range(3):
            # Not even the right one is looked at; and asking does not make the wait longer.
            status, text = await page.post("/unlock", RIGHT)
            assert (status, "unlock_wait" in text) == (503, True)
        up.now += LIMITS.unlock_wait_ms
        assert (await page.post("/unlock", WRONG))[0] == 403
        up.now += LIMITS.unlock_wait_ms
        assert (await page.post("/unlock", RIGHT))[0] == 503
        up.now += LIMITS.unlock_wait_ms
        assert await page.post("/unlock", RIGHT, follow=False) == (303, "/inbox")


def test_the_wait_grows_and_has_an_end() -> None:
    up = Up()
    attempts = Attempts(up)
    waits = []
    for _ in range(40):
        attempts.wrong()
        try:
            attempts.check()
            waits.append(0)
        except Unavailable as error:
            waits.append(error.retry_after_ms)
    assert waits[: LIMITS.unlock_tries] == [0] * (LIMITS.unlock_tries - 1) + [10_000]
    assert waits == sorted(waits)
    assert waits[-1] == LIMITS.unlock_wait_max_ms
    attempts.right()
    attempts.check()


async def test_two_who_unlock_at_once_open_one_desk() -> None:
    async with desk_page(opened=False) as page:
        both = await asyncio.gather(*(page.post("/unlock", RIGHT, follow=False) for _ in range(4)))
        assert set(both) == {(303, "/inbox")}
        assert page.open.me.handle == "dao"


async def test_language_and_idle_time_are_kept_sealed_at_the_desk(tmp_path: Path) -> None:
    folder = await asyncio.to_thread(desk_folder, tmp_path / "desk")
    async with desk_page(folder=folder) as page:
        await page.post("/language", {"lang": "km", "next": "/settings"})
        _, text = await page.post("/settings", {"lock_minutes": "2"})
        assert '<option value="2" selected>' in text
        assert page.place.lock_after_ms == 2 * MINUTE_MS
        for bad in ("0", "61", "-1", "x", ""):
            status, text = await page.post("/settings", {"lock_minutes": bad})
            assert (status, "choice_unknown" in text) == (400, True)
    async with desk_page(folder=folder, opened=False) as page:
        assert page.place.lang == "en"
        await page.post("/unlock", RIGHT, follow=False)
        assert (page.place.lang, page.place.lock_after_ms) == ("km", 2 * MINUTE_MS)
    async with desk_page(folder=folder, opened=False) as page:
        # Who switches at the lock means it: this officer reads the page of unlocking.
        await page.post("/language", {"lang": "lo"}, follow=False)
        await page.post("/unlock", RIGHT, follow=False)
        assert await page.open.work(read_choices) == Choices(lang="lo", lock_minutes=2)


async def test_what_a_newer_program_chose_is_chosen_anew() -> None:
    async with desk_page() as page:

        def spoil(desk: object) -> None:
            keep_choices(desk, Choices(lang="lo", lock_minutes=999))  # type: ignore[arg-type]

        await page.open.work(spoil)
        assert await page.open.work(read_choices) == Choices()


async def test_settings_show_words_to_compare_by_telephone(page: DeskPage) -> None:
    _, text = await page.get("/settings")
    key = await page.open.work(lambda desk: desk.key.key_id)
    assert key.hex() in text
    assert text.count('class="words"') >= 8


@pytest.fixture
async def page() -> AsyncIterator[DeskPage]:
    async with desk_page() as made:
        yield made


async def test_errors_are_pages_and_never_traces(page: DeskPage) -> None:
    for path, status, said in (
        ("/nowhere", 404, "There is no such page"),
        ("/lock", 405, "takes no such request"),
    ):
        found, text = await page.get(path)
        assert (found, said in text) == (status, True), path
        assert "Traceback" not in text


async def test_a_bug_is_a_page_too_and_its_note_has_no_content(
    page: DeskPage, caplog: pytest.LogCaptureFixture
) -> None:
    page.open.rows = None  # type: ignore[assignment]
    status, text = await page.get("/inbox")
    assert (status, "Something unforeseen" in text) == (500, True)
    (record,) = [one for one in caplog.records if one.name == "saphan.web"]
    shown = _PlacesOnly("%(message)s").format(record)
    assert re.fullmatch(r"a page met a bug\nAttributeError at \w+:\d+( < \w+:\d+)*", shown)


async def test_too_large_an_order_is_refused(page: DeskPage) -> None:
    body = io.BytesIO(b"lock_minutes=" + b"1" * LIMITS.page_body_bytes)
    sent = page.headers(Origin=f"http://{page.host}")
    sent["Content-Type"] = "application/x-www-form-urlencoded"
    async with page.http.post(page.url("/settings"), headers=sent, data=body) as answer:
        status, text = answer.status, await answer.text()
    assert (status, "too large" in text) == (413, True)


async def test_a_wrong_desk_is_refused_before_a_page_opens(tmp_path: Path) -> None:
    folder = await asyncio.to_thread(desk_folder, tmp_path / "desk")
    async with desk_page(folder=folder, opened=False) as page:
        await asyncio.to_thread(folder.key_file.unlink)
        status, text = await page.post("/unlock", RIGHT)
        assert (status, "file_missing" in text) == (500, True)
        assert page.place.open is None
    assert Passphrase(RIGHT["passphrase"]).reveal() == SECRET.reveal()
