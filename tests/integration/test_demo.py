"""`make demo` tells the truth: run as people run it, in real processes."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from support.command import environment
from support.rooms import ROOT
from support.tabs import chromium

TIMELINE = re.compile(
    r"#\d+ +[\d:.]+ +(\S+) +submitted: .*\n"
    r" +#\d+ +[\d:.]+ +(\S+) +handover: .*\n"
    r" +#\d+ +[\d:.]+ +\2 +accepted: .*\n"
    r" +#\d+ +[\d:.]+ +\2 +read: ",
)
PAGE = re.compile(r" +link +(http://\S+)\n +passphrase +(.+)\n")
COVERAGE = re.compile(r"events +(\d+) of (\d+) opened")

POINTS = (
    "5,012",
    "1,422",
    "ຍຶດຢາບ້າ",
    "រឹបអូស",
    "methamphetamine tablets",
    "of the text: none has them",
    "refused it (bulletin_id)",
    "writes the answer, signs it: all without a line",
    "goes out once, and only once",
    "files of the desk for words of the texts: none has them",
    "question 1 answered question 2 interim",
    "its copy of the seizure says that another one has taken its place",
    "SIGKILL",
    "40 of 40 accepted, each exactly once",
    "No private key at the auditor",
    "46 accepted",
    "cosigned by kh.gpo and la.ospp",
    "(leaf_differs)",
)


def play(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The demo with `place` as its temporary folder."""
    return subprocess.run(
        [sys.executable, ROOT / "demo/run.py", *words],
        env=environment(TMPDIR=str(place)),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unix sockets have short names only, and the folders of tests have long ones."""
    made = tmp_path_factory.mktemp("d")
    if len(os.fsencode(made)) > 50:
        made = Path("/tmp") / f"d{os.getpid()}"
        made.mkdir()
    return made


@asynccontextmanager
async def staying(place: Path) -> AsyncIterator[str]:
    """A demo that stays: what it told until it waits; it ends well at Ctrl-C."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "demo/run.py", "--stay",
        env=environment(TMPDIR=str(place)), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    try:
        yield (await running.stdout.readuntil(b"Ctrl-C ends the demo.")).decode()
    finally:
        running.send_signal(signal.SIGINT)
        assert await running.wait() == 0


async def test_demo_shows_every_point_and_leaves_nothing_behind(short_path: Path) -> None:
    """Bulletins, a flipped bit, a question, a power cut, an audit, two desks; then all is gone."""
    async with staying(short_path) as told:
        assert TIMELINE.findall(told) == [
            ("la.ospp", "kh.gpo"),
            ("kh.gpo", "la.ospp"),
            ("la.ospp", "kh.gpo"),
        ]
        text = " ".join(told.split())  # sentences are wrapped
        for point in POINTS:
            assert point in text, point
        coverage = COVERAGE.search(told)
        assert coverage is not None
        assert coverage[1] == coverage[2]
        assert "\x1b" not in told, "colours belong on a terminal"
        pages = PAGE.findall(told)
        assert len(pages) == 2
        if shutil.which("chromium"):
            await open_both(pages)
    assert os.listdir(short_path) == []


async def open_both(pages: list[tuple[str, str]]) -> None:
    """Each officer finds in the inbox what the other office has sent."""
    async with chromium() as browser:
        for (link, passphrase), sender in zip(pages, ("kh.gpo", "la.ospp"), strict=True):
            page = await (await browser.new_context()).new_page()
            await page.goto(link)
            await page.locator("input[type=password]").fill(passphrase)
            await page.keyboard.press("Enter")
            await page.locator("main a[href^='/bulletins/']").first.wait_for()
            assert sender in await page.locator("main").inner_text()


def test_demo_that_does_not_stay_says_how_both_desks_are_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "demo"))
    from pages import show_pages
    from pictures import Screen

    told = io.StringIO()
    show_pages(cast(Any, None), [], Screen(told), stay=False)
    assert "demo/run.py --stay" in told.getvalue()


def test_failure_says_what_failed_and_keeps_the_logs(short_path: Path) -> None:
    """A folder too deep for the broker's socket: a sentence and a place to look, no traceback."""
    deep = short_path / ("d" * 90)
    deep.mkdir()
    ended = play(deep)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    what, hint = ended.stderr.strip().splitlines()
    assert what.startswith("demo: broker ended while waiting for the broker: ")
    assert "too long for a Unix socket" in what
    logs = Path(hint.removeprefix("hint: the programs' logs are in "))
    assert (logs / "broker.log").is_file()
