"""The page of a desk with 10,000 opened bulletins: `make bench-page`; writes RESULTS-page.md.

python -m benchmarks.desk_page          three minutes
python -m benchmarks.desk_page --toy    every piece once, with few bulletins; only printed

Everything is measured in a browser, as an officer has it: until the page is there, its style and
script included. The desk has no line meanwhile. The passphrase comes from a file, for nobody types
at the same speed twice; the key opens at the cost that keys have.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote, urlsplit

from playwright.async_api import Page, async_playwright
from saphan.desk.folder import DeskFolder

from benchmarks import machine, programs, report, running
from benchmarks.programs import Program
from benchmarks.report import Run, Target
from benchmarks.running import say
from benchmarks.seeded_desk import PEOPLE, PLACES, seed
from benchmarks.world import SECRET, make_world

MB: Final = 1_000_000
QUIET_SECONDS: Final = 5.0
"""So long without work, and what goes on by itself has ended."""
LOADED: Final = "performance.getEntriesByType('navigation')[0].loadEventEnd"
SERVED: Final = (
    "(n => n.responseEnd - n.requestStart)(performance.getEntriesByType('navigation')[0])"
)
BROWSER: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many bulletins the desk has, and how often each thing is done."""

    bulletins: int
    launches: int
    times: int


FULL: Final = Plan(bulletins=10_000, launches=7, times=100)
TOY: Final = Plan(bulletins=40, launches=1, times=2)
TARGETS: Final = (
    Target("from the command to the inbox, s", lambda r: r["launch"], 1.5, True, "{:.2f}"),
    Target("the same over the floor", lambda r: r["launch"] / r["floor"], 3, True, "{:.1f}"),
    Target("opening a bulletin, ms", lambda r: r["open"], 150, True, "{:.0f}"),
    Target("opening a bulletin, p95, ms", lambda r: r["open p95"], 150, True, "{:.0f}"),
    Target("a search, ms", lambda r: r["search"], 200, True, "{:.0f}"),
    Target("a search, p95, ms", lambda r: r["search p95"], 200, True, "{:.0f}"),
    Target("memory at the end, MB", lambda r: r["memory"], 200, True, "{:.0f}"),
    Target("memory at most, MB", lambda r: r["memory at most"], 200, True, "{:.0f}"),
)
FIGURES: Final = {
    "floor": "floor: saphan desk drafts (starts, opens the key and the store, lists nothing), s",
    "first": "the first launch, which reads what no page has seen yet, s",
    "indexed": "after it: until everything has been read to be searched in, once, s",
    "launch": "from the command to the inbox in the browser, s",
    "loaded": "after it: until everything can be searched in, s",
    "link": "of it: until the launch link is printed, s",
    "inbox": "the inbox again, ms",
    "inbox served": "of it: the desk's share, ms",
    "open": "opening a bulletin, ms",
    "open served": "of it: the desk's share, ms",
    "open p95": "opening a bulletin, p95, ms",
    "search": "a search, ms",
    "search served": "of it: the desk's share, ms",
    "search p95": "a search, p95, ms",
    "figures": "the page of figures, ms",
    "memory": "memory of the page's process at the end, MB",
    "memory at most": "the same at most, MB",
}


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of one page: until the browser has it, and until the desk has answered."""

    loaded: float
    served: float


class Bench:
    """One desk, and a browser that is running already."""

    def __init__(self, plan: Plan, desk: DeskFolder, place: Path, page: Page) -> None:
        self._plan = plan
        self._desk = desk
        self._log = place / "page.log"
        self._page = page
        self._secret = place / "passphrase"
        self._secret.touch(mode=0o600)
        self._secret.write_bytes(SECRET.reveal())

    async def all(self) -> list[Run]:
        """Every figure."""
        runs: list[Run] = []
        say("the first launch")
        async with self._launched() as (program, _, first):
            runs.append({"first": first, "indexed": await _settled(program)})
        say("launches")
        for _ in range(self._plan.launches):
            floor = await self._floor()
            async with self._launched() as (_, link, launch):
                runs.append({"floor": floor, "launch": launch, "link": link})
        async with self._launched() as (program, _, _):
            runs.append({"loaded": await _settled(program)})
            runs += await self._pages()
            now, most = program.memory()
            runs.append({"memory": now / MB, "memory at most": most / MB})
        return runs

    async def _pages(self) -> list[Run]:
        runs: list[Run] = []
        say("bulletins")
        chance, times = Random(3), self._plan.times
        ids = [chance.randrange(1, self._plan.bulletins + 1) for _ in range(times)]
        names = [hashlib.sha256(f"bulletin {seq}".encode()).hexdigest() for seq in ids]
        runs += _figures("open", [await self._visit(f"/bulletins/{name}") for name in names])
        say("searches")
        words = [*PLACES, *PEOPLE, "methamphetamine", "LA-OSPP-2026-BM-00017", "00021"]
        asked = [words[at % len(words)] for at in range(times)]
        found = [await self._visit(f"/search?q={quote(word)}") for word in asked]
        runs += _figures("search", found)
        again = [await self._visit("/inbox") for _ in range(max(1, times // 10))]
        runs += _figures("inbox", again)
        runs.append({"figures": (await self._visit("/figures")).loaded})
        return runs

    async def _visit(self, path: str) -> Timed:
        parts = urlsplit(self._page.url)
        answer = await self._page.goto(f"{parts.scheme}://{parts.netloc}{path}")
        if answer is None or answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer and answer.status}")
        loaded = float(await self._page.evaluate(LOADED))
        return Timed(loaded, float(await self._page.evaluate(SERVED)))

    @asynccontextmanager
    async def _launched(self) -> AsyncIterator[tuple[Program, float, float]]:
        """(program, seconds until the link, until the inbox)."""
        words = ("saphan", "desk", "open", self._desk.folder, "--no-browser", "--json")
        begin = time.perf_counter()
        secret = ("--passphrase-file", self._secret)
        async with programs.started("page", self._log, *words, *secret) as program:
            link = (await program.hear())["link"]
            linked = time.perf_counter() - begin
            await self._page.goto(link)
            await self._page.wait_for_url("**/inbox")  # the link leads on by itself
            yield program, linked, time.perf_counter() - begin

    async def _floor(self) -> float:
        words = ("saphan", "desk", "drafts", self._desk.folder, "--json")
        begin = time.perf_counter()
        secret = ("--passphrase-file", self._secret)
        async with programs.started("drafts", self._log, *words, *secret) as program:
            await program.process.wait()
            return time.perf_counter() - begin


def _keep_bytecode(place: Path) -> None:
    """As at an officer's installed program: nothing is compiled again at each start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(place / "bytecode")
    words = "import saphan.cli.desk, saphan.cli.desk_page, saphan.web.serving"
    subprocess.run([sys.executable, "-c", words], check=True)


async def _settled(program: Program) -> float:
    """Seconds until the program has nothing to do any more by itself."""
    begin, busy = time.perf_counter(), program.cpu_seconds()
    quiet = begin
    while time.perf_counter() - quiet < QUIET_SECONDS:
        await asyncio.sleep(0.25)
        now = program.cpu_seconds()
        if now - busy > 0.02:
            quiet = time.perf_counter()
        busy = now
    return quiet - begin


def _figures(name: str, timed: list[Timed]) -> list[Run]:
    """Each time, and the 95th of a hundred."""
    runs: list[Run] = [{name: one.loaded, f"{name} served": one.served} for one in timed]
    ordered = sorted(one.loaded for one in timed)
    return [*runs, {f"{name} p95": ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]}]


async def measured(plan: Plan, place: Path) -> str:
    """The results page."""
    others = machine.Others()
    await asyncio.to_thread(_keep_bytecode, place)
    world = await make_world(place / "world", 0)
    say("a desk with its bulletins")
    desk = await asyncio.to_thread(seed, world, place / "desk", plan.bulletins)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(BROWSER)
        )
        page = await browser.new_page(viewport={"width": 1366, "height": 768})
        runs = await Bench(plan, desk, place, page).all()
        await browser.close()
    used = others.cores()
    lines = [
        "# Results: the desk's page",
        "",
        f"{running.measured_by('make bench-page')}Medians with [min..max]. The desk has "
        f"{plan.bulletins:,} bulletins, all opened, and no line. Times end when the browser has "
        "the whole page.",
        "",
        *report.targets(runs, TARGETS),
        *report.figures(runs, FIGURES),
        f"Others used {used:.2f} cores meanwhile, the browser included.",
        "",
        *report.machine(machine.described()),
    ]
    return "\n".join(lines)


def main() -> int:
    """Parse options, measure, write or print the page."""
    return running.run("measure the desk's page", "RESULTS-page.md", measured, full=FULL, toy=TOY)


if __name__ == "__main__":
    sys.exit(main())
