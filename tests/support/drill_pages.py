"""Drills as pages: two offices and a broker that have worked together for a while, at terminals.

The folders are those of getting-started: `agency` in each office, `data` and `keys` at the broker's
operator. Passphrases are all the same; keys are cheap to open.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from saphan.local_api import LocalNode
from saphan_schemas.errors import SaphanError

from support.bridge import KH, LA
from support.broker_command import saphan_broker_here
from support.command import saphan_here
from support.desks import ready_bridge
from support.rooms import ROOT
from support.servers import free_port
from support.terminals import Terminal
from support.walked import blocks, terminals, walk

OPERATOR, VIENTIANE, PHNOM_PENH = "broker's operator", "Vientiane", "Phnom Penh"
OFFICES = {VIENTIANE: LA, PHNOM_PENH: KH}
PATIENCE_S = 60
SECTIONS = {"What you see", "What to do", "What it costs", "How you know that it worked"}
RUN_BROKER = "saphan-broker run --data data --keys keys --listen 127.0.0.1:{port} 2>> broker.log &"
RUN_NODE = "saphan node run --dir agency >> node.log 2>&1 &"


@dataclass(frozen=True)
class Town:
    """Places and what runs there; `port` is the broker's."""

    place: Path
    port: int
    terminals: dict[str, Terminal]

    def folder(self, place: str) -> Path:
        """Where its commands are typed."""
        return self.terminals[place].folder

    def node(self, place: str) -> LocalNode:
        """An office's running node, as its keeper asks it."""
        return LocalNode(self.folder(place) / "agency/node")

    def walk(self, page: str) -> None:
        """Do everything that a page of docs/drills says."""
        text = (ROOT / "docs/drills" / page).read_text(encoding="utf-8")
        assert sorted(re.findall(r"^## (.*)$", text, re.MULTILINE)) == sorted(SECTIONS), page
        assert text.count("```sh") == len(blocks(text)) > 0
        walk(text, self.terminals)

    def started(self, place: str) -> None:
        """Start an office's node, and wait until its line is open."""
        self.terminals[place].type(RUN_NODE)
        self.line(place, "open")

    def line(self, place: str, wanted: str) -> None:
        """Wait until a node's line is in this state, or down for this code."""

        def found() -> bool:
            line = self.node(place).get("/v1/identity")["line"]
            return wanted in (line["state"], line["code"])

        until(found, lambda: self.words(place))

    def words(self, place: str) -> str:
        """What was shown there, and what its programs wrote: why a drill failed."""
        logs = [path for path in self.folder(place).glob("*.log") if path.exists()]
        return self.terminals[place].shown[-3000:] + "".join(p.read_text()[-3000:] for p in logs)


def submitted(town: Town, place: str, operation: Path) -> None:
    """Hand an operation to an office's node, as `saphan keys submit` does."""
    saphan_here("keys", "submit", operation, "--dir", town.folder(place) / "agency")


Open = Callable[..., Town]
"""Makes a town with further places; its nodes run, unless `nodes=False`."""


def until(true: Callable[[], bool], words: Callable[[], str]) -> None:
    """Look again and again; who waits in vain is told what was said."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            if true():
                return
        except SaphanError as error:  # it has not started, or has ended
            last = str(error)
        else:
            last = "not yet"
        assert time.monotonic() < end, f"{last}\n{words()}"
        time.sleep(0.05)


@contextmanager
def town(place: Path, *more: str) -> Iterator[Town]:
    """A broker that runs, and two offices whose nodes do not run yet.

    Args:
        place: an empty folder with a short name; more: other places, with empty folders.
    """
    port = free_port()
    names = (OPERATOR, *OFFICES, *more)
    folders = {name: place / str(number) for number, name in enumerate(names)}
    for folder in folders.values():
        folder.mkdir()
    with terminals(folders) as made:
        yield Town(place, port, made)


async def furnish(town: Town) -> None:
    """The folders of two offices that have agreed, and of their broker, with its invitation."""
    async with ready_bridge() as bridge:
        for name in ("data", "keys"):
            shutil.copytree(bridge.place / name, town.folder(OPERATOR) / name)
        for place, agency in OFFICES.items():
            shutil.copytree(bridge.place / agency, town.folder(place) / "agency")
    file = town.folder(OPERATOR) / "bridge.json"
    address = f"127.0.0.1:{town.port}"
    keys = town.folder(OPERATOR) / "keys"
    saphan_broker_here("invitation", "--keys", keys, "--address", address, "--out", file)
    for place in OFFICES:
        folder = town.folder(place) / "agency"
        saphan_here("agency", "pin", file, "--yes", "--dir", folder)
