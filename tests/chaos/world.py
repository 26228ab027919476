"""One round's world: every party a process, every line between two of them one of ours."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from saphan import Node
from saphan_broker.cli.whole_status import whole_status
from saphan_schemas.errors import OperatorError
from support.oracle import Ledger

from chaos import disks, namespaces, template
from chaos.line import Line
from chaos.load import Load
from chaos.parties import Party
from chaos.schedule import (
    AGENCIES,
    BROKER,
    DESKS,
    PRIMARY,
    REPLICA,
    Form,
    Schedule,
    line,
    lines,
)
from chaos.servers import Replicated
from chaos.story import Story


class World:
    """Everything that runs in a round."""

    def __init__(self, place: Path, schedule: Schedule, story: Story, *, small_disk: bool) -> None:
        self.place = place
        self.form: Form = schedule.form
        self.story = story
        self.ledger = Ledger(place / "ledger.jsonl")
        self.parties: dict[str, Party] = {}
        self.lines = {name: Line(name) for name in lines(schedule.form)}
        self.server: Replicated | None = None
        self.load: Load | None = None
        self.small_disk = small_disk
        self.clocks_were_wrong = False
        self._opened: set[tuple[str, str]] = set()
        self._seen: set[tuple[str, str]] = set()
        self._writing = place / "officers-write"
        self._replicas = schedule.replicas

    @property
    def data(self) -> Path:
        """The broker's --data."""
        return template.data_folder(self.place)

    @property
    def lost_data(self) -> Path:
        """The oracle's copy of a --data that was deleted."""
        return self.data.with_name("lost")

    @property
    def lost_log(self) -> Path:
        """What was exported of that."""
        return self.place / "lost-log"

    @property
    def keys(self) -> Path:
        """The broker's --keys."""
        return self.place / "keys"

    # --- starting and stopping --------------------------------------------------------------------

    async def start(self) -> None:
        """All lines, then all parties, each when what it calls is there."""
        for one in self.lines.values():
            await one.start()
        if self.small_disk:
            await asyncio.to_thread(disks.small_disk, self.data.parent)
        if self.form == "network":
            await asyncio.to_thread(namespaces.make, self.place)
        if self.form == "valkey":
            await self._start_servers()
        self._add(BROKER, self._broker_command, ready=self._broker_ready)
        await self._run(BROKER)
        for name in AGENCIES:
            self._add(name, lambda name=name: self._node_command(name), ready=self._node_ready)
        await asyncio.gather(*map(self._run, AGENCIES))
        for desk in DESKS:
            self._start_desk(desk)
        await asyncio.gather(*map(self._run, DESKS))
        await self._agreed()

    async def stop(self) -> None:
        """All parties cleanly, who calls before who is called; then the lines."""
        for name in (*DESKS, *AGENCIES, BROKER):
            if name in self.parties:
                await self.parties[name].stop()
        if self.server is not None:
            await asyncio.to_thread(self.server.free)
        for one in self.lines.values():
            await one.stop()
        if self.form == "network":
            await asyncio.to_thread(namespaces.remove, self.place)

    def keep(self, folder: Path) -> None:
        """What the parties have printed, for whoever looks for the cause; blocking.

        Keys and stores are not among it.
        """
        folder.mkdir(exist_ok=True)
        for found in (*self.place.glob("*.log"), *self.place.glob("*.jsonl")):
            shutil.copy(found, folder)
        for found in self.place.rglob("saphan*-error.log"):
            shutil.copy(found, folder / f"{found.parent.name}.{found.name}")

    def remove(self) -> None:
        """Take the folders away; blocking."""
        if self.small_disk and self.data.parent.is_mount():
            disks.unmount(self.data.parent)
        shutil.rmtree(self.place)

    # --- parties ----------------------------------------------------------------------------------

    def _add(self, name: str, command: Any, **options: Any) -> None:
        self.parties[name] = Party(name, command, self.place, self.story, **options)

    async def _run(self, name: str) -> None:
        self.parties[name].start()
        await self.parties[name].up()

    def _broker_command(self) -> Sequence[str | Path]:
        if self.form == "network":
            listening = ["--listen", f"{namespaces.address(BROKER)}:{namespaces.PORT}"]
        else:
            listening = ["--listen", "127.0.0.1:0", "--plain"]
        words = self.broker_program("run")
        words += [*listening, "--quotas", self.place / "quotas.json"]
        words += ["--processes", "2"] if self.form == "valkey" else []
        return [*namespaces.inside(self.form == "network", self.place, BROKER), *words]

    def broker_program(
        self, *command: str, keys: bool = True, data: Path | None = None
    ) -> list[str | Path]:
        """`saphan-broker COMMAND` with its folders and its store.

        Args:
            keys: whether the command takes them; data: another folder than the broker's.
        """
        words: list[str | Path] = [sys.executable, "-m", "saphan_broker", *command, "--json"]
        words += ["--data", data or self.data]
        words += ["--keys", self.keys] if keys else []
        return words + self.store_options()

    def store_options(self) -> list[str | Path]:
        """How the broker's programs name the store."""
        if self.form != "valkey":
            return []
        port = self.lines[line(BROKER, PRIMARY)].port
        return ["--redis", f"redis://127.0.0.1:{port}/0", "--replicas", str(self._replicas)]

    def _broker_ready(self, said: dict[str, Any]) -> None:
        self.point_at_broker(said["url"])

    def point_at_broker(self, url: str) -> None:
        """Where the nodes' lines lead now."""
        where = urlsplit(url)
        for agency in AGENCIES:
            if (one := self.lines.get(line(agency, BROKER))) is not None:
                assert where.hostname is not None
                assert where.port is not None
                one.target = (where.hostname, where.port)

    def _node_command(self, name: str) -> Sequence[str | Path]:
        if self.form == "network":
            broker = f"wss://{namespaces.address(BROKER)}:{namespaces.PORT}"
            desks_at = f"{namespaces.address(name)}:{namespaces.PORT}"
        else:
            broker = f"http://127.0.0.1:{self.lines[line(name, BROKER)].port}"
            desks_at = "127.0.0.1:0"
        return [
            *namespaces.inside(self.form == "network", self.place, name),
            sys.executable, "-m", "saphan", "node", "run", "--json", "--dir", self.place / name,
            "--broker", broker, "--desks", desks_at,
        ]  # fmt: skip

    def _node_ready(self, said: dict[str, Any]) -> None:
        host, _, port = said["desks"].rpartition(":")
        for desk in DESKS:
            one = self.lines.get(line(desk, said["agency"]))
            if one is not None:
                one.target = (host, int(port))

    def _start_desk(self, desk: str) -> None:
        agency = desk.removeprefix("desk:")
        if self.form == "network":
            address = f"{namespaces.address(agency)}:{namespaces.PORT}"
        else:
            address = f"127.0.0.1:{self.lines[line(desk, agency)].port}"
        template.point_desk(self.place, desk, address)
        folder = template.desk_folder(self.place, desk).folder
        words = [sys.executable, "-m", "chaos.desk_program", folder, self._writing]
        # An officer's machine stands in the agency's network.
        before = namespaces.inside(self.form == "network", self.place, agency)
        self._add(
            desk,
            lambda: [*before, *words],
            ready=lambda _said: None,
            told=lambda said: self._desk_told(desk, said),
        )

    def _desk_told(self, desk: str, said: dict[str, Any]) -> None:
        if said["what"] == "listed":
            self._note_seen(desk, said["id"])
        elif said["what"] == "opened" and self.load is not None:
            # A kill may have cut what it said of the list.
            if (desk, said["id"]) not in self._seen:
                self._note_seen(desk, said["id"])
            self.load.note_opened(desk, said["id"], said["title"])
            self._opened.add((desk, said["id"]))
            self.story.tell("opened", desk=desk, id=said["id"])
        elif said["what"] == "written" and self.load is not None:
            self.load.note_written(desk, said["title"], said["to"])
        elif said["what"] == "sent" and self.load is not None:
            self.load.note_sent(said["title"], said["id"])
        elif said["what"] in ("sent back", "line ended"):
            self.story.tell(said["what"], desk=desk, code=said["code"])

    def _note_seen(self, desk: str, bulletin: str) -> None:
        """An officer was told of it as a new one."""
        self.ledger.shown(desk.removeprefix("desk:"), "dao", bulletin)
        self._seen.add((desk, bulletin))
        self.story.tell("listed", desk=desk, id=bulletin)

    async def _start_servers(self) -> None:
        self.server = Replicated(self.place, self.lines[line(REPLICA, PRIMARY)].port)
        self.point_at_primary()
        await asyncio.to_thread(self.server.start)

    def point_at_primary(self) -> None:
        """Where the broker's and the replica's lines lead now."""
        assert self.server is not None
        for one in (line(BROKER, PRIMARY), line(REPLICA, PRIMARY)):
            self.lines[one].target = ("127.0.0.1", self.server.port)

    async def _agreed(self) -> None:
        """Wait until every node's line is open and it has replayed the agreement."""
        for name in AGENCIES:
            async with asyncio.timeout(30), Node(self.place / name) as node:
                while not (await node.identity())["agreements"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    def write_now(self) -> None:
        """Officers write from now on."""
        self._writing.touch()

    def write_no_more(self) -> None:
        """Officers write nothing new; what they have written is sent."""
        self._writing.unlink()

    def listed(self) -> set[tuple[str, str]]:
        """(desk, bulletin) of everything that officers have opened."""
        return self._opened

    # --- looking ----------------------------------------------------------------------------------

    def holder(self) -> int | None:
        """Process id of the broker process that sequences; None: nobody does just now; blocking."""
        try:
            found = whole_status(self.data)["processes"]
        except OperatorError:
            return None
        pids = [one["pid"] for one in found if one["role"] == "holder"]
        return pids[0] if pids else None


@asynccontextmanager
async def running(
    made: Path, schedule: Schedule, story: Story, logs: Path, *, small_disk: bool
) -> AsyncIterator[World]:
    """A world copied from a template, for as long as the block lasts; it removes itself.

    Args:
        logs: folder for what the parties have printed, if the block fails.
    """
    place = await asyncio.to_thread(template.copy, made)
    world = World(place, schedule, story, small_disk=small_disk)
    try:
        await world.start()
        yield world
    except BaseException:
        world.keep(logs)
        raise
    finally:
        try:
            await world.stop()
        finally:
            await asyncio.to_thread(world.remove)
