"""Two offices with desks whose pages run, all of it in real processes: broker, nodes, pages.

    async with page_world() as world:
        link = await world.la.open()

`la` writes, `second` signs second (requests of la.ospp leave with two signatures), `kh` reads
in the other country. Pages start when a test opens them; nodes can be killed and come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from saphan.desk.folder import DeskFolder
from saphan.desk.inviting import invite
from saphan.desk.start import start_desk
from saphan.keyring import enrol_request
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.officer_request import parse_request
from saphan_broker.broker import open_broker

from support.bridge import CHEAP, KH, LA, SECRET, Bridge
from support.broker_process import broker_process
from support.command import environment, saphan_command
from support.desks import ready_bridge
from support.servers import free_port

STOP_SECONDS: Final = 20.0
PASSPHRASE: Final = SECRET.reveal().decode()
TWO_SIGN: Final = "saphan/info_request/1"
"""Leaves la.ospp with the signatures of two officers."""
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    LA: {"four_eyes": [{"schemas": [TWO_SIGN]}]},
    KH: {},
}


@dataclass
class PageDesk:
    """An officer's desk, and its page once it is opened.

    Args:
        options: of `saphan desk open`; a test may change them before it opens the page.
    """

    agency: str
    handle: str
    folder: DeskFolder
    options: tuple[str, ...] = ()
    running: asyncio.subprocess.Process | None = None
    link: str = ""

    async def open(self) -> str:
        """Start the page, or leave it running; its one-time launch link."""
        if self.running is None or self.running.returncode is not None:
            await self._start()
        return self.link

    async def stop(self) -> int:
        """SIGTERM; the page's exit status."""
        if self.running is None:
            return 0
        if self.running.returncode is None:
            self.running.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.running.wait(), STOP_SECONDS)
        except TimeoutError:
            self.running.kill()
            await self.running.wait()
            raise AssertionError(f"the page did not end when told to: {self.said}") from None

    @property
    def said(self) -> str:
        """What the page's process wrote to standard error, over all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.folder.folder.with_suffix(".log")

    async def _start(self) -> None:
        words = ("desk", "open", str(self.folder.folder), "--no-browser", "--json", *self.options)
        with self._log.open("ab") as log:
            self.running = await asyncio.create_subprocess_exec(
                *saphan_command(*words),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environment(),
            )
        assert self.running.stdout is not None
        line = await self.running.stdout.readline()
        assert line, f"the page did not start: {self.said}"
        self.link = json.loads(line)["link"]


@dataclass
class NodeProcess:
    """A node that serves desks at the same address in each of its lives."""

    bridge: Bridge
    agency: str
    port: int
    running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """`saphan node run`, until it says that it runs."""
        self.running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "saphan", "node", "run",
            "--dir", str(self.bridge.place / self.agency), "--broker", self.bridge.url,
            "--desks", f"127.0.0.1:{self.port}", "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )  # fmt: skip
        assert self.running.stdout is not None
        assert b'"agency"' in await self.running.stdout.readline()

    async def kill(self) -> None:
        """SIGKILL, as when the power goes."""
        if self.running is not None and self.running.returncode is None:
            self.running.kill()
            await self.running.wait()


@dataclass
class PageWorld:
    """Both offices; `la` and `second` are colleagues, `kh` sits in the other country."""

    bridge: Bridge
    nodes: dict[str, NodeProcess]
    desks: dict[str, PageDesk] = field(default_factory=dict)

    @property
    def la(self) -> PageDesk:
        return self.desks["la"]

    @property
    def second(self) -> PageDesk:
        return self.desks["second"]

    @property
    def kh(self) -> PageDesk:
        return self.desks["kh"]


PEOPLE: Final = {"la": (LA, "khamla"), "second": (LA, "noy"), "kh": (KH, "dara")}


@asynccontextmanager
async def page_world(**settings: dict[str, Any]) -> AsyncIterator[PageWorld]:
    """A running world; everything ends and goes with the block.

    Args:
        settings: of the nodes, `la` and `kh`, in place of `SETTINGS`.
    """
    async with ready_bridge() as bridge:
        world = PageWorld(
            bridge, {agency: NodeProcess(bridge, agency, free_port()) for agency in (LA, KH)}
        )
        await _enrol_desks(world)
        for agency, short in ((LA, "la"), (KH, "kh")):
            _write_settings(bridge, agency, settings.get(short, SETTINGS[agency]))
        async with broker_process(bridge.place / "data", bridge.place / "keys") as broker:
            bridge.url = broker.url
            try:
                await asyncio.gather(*(node.start() for node in world.nodes.values()))
                yield world
            finally:
                await _end(world)


async def _enrol_desks(world: PageWorld) -> None:
    """`saphan desk init`, `keys add officer`, and the operation admitted, for each of them."""
    place = world.bridge.place
    broker = await open_broker(place / "data", place / "keys")
    try:
        await broker.start(override="no node runs yet in this test")
        for name, (agency, handle) in PEOPLE.items():
            world.desks[name] = PageDesk(agency, handle, DeskFolder(place / f"desk-{name}"))
            operation = await asyncio.to_thread(_enrol, world, world.desks[name])
            await broker.admit_operation(operation)
    finally:
        await broker.stop()


def _enrol(world: PageWorld, desk: PageDesk) -> bytes:
    office, now = world.bridge.offices[desk.agency], world.bridge.clock()
    invitation = invite(office, f"127.0.0.1:{world.nodes[desk.agency].port}", now)
    made = start_desk(desk.folder, invitation, SECRET, now=now, handle=desk.handle, cost=CHEAP)
    assert made.request is not None
    request = parse_request(made.request.read_bytes())
    return enrol_request(office, request, SECRET).operation.read_bytes()


def _write_settings(bridge: Bridge, agency: str, found: dict[str, Any]) -> None:
    path = bridge.offices[agency].node / SETTINGS_NAME
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"saphan": "settings/1"} | found))


async def _end(world: PageWorld) -> None:
    for desk in world.desks.values():
        with contextlib.suppress(ProcessLookupError):
            await desk.stop()
    for node in world.nodes.values():
        await node.kill()
