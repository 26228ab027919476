"""Restore drills: nodes as processes, killed and lost; custodians; what the broker's log holds."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from saphan import Node
from saphan.backup.custodians import make_custodian
from saphan.backup.restoring import read_header
from saphan.backup.shares import open_share, write_share
from saphan.cli.main import main
from saphan.keys.keyfiles import read_key
from saphan.local_api import LocalNode
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Role

from support.bridge import CHEAP, SECRET, Bridge, eventually, wish
from support.broker_process import BrokerProcess, broker_process

CUSTODIANS = ("dara", "mali", "noy")
QUORUM = 2


class Drill:
    """A bridge whose nodes are processes, and three custodians of their backups."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.place = bridge.place
        self._nodes: dict[str, asyncio.subprocess.Process] = {}
        for name in CUSTODIANS:
            make_custodian(self.place, name, SECRET, CHEAP)

    # --- processes --------------------------------------------------------------------------------

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[BrokerProcess]:
        """The broker as a process; nodes that start later find it."""
        async with broker_process(self.place / "data", self.place / "keys") as process:
            self.bridge.url = process.url
            yield process

    async def start(self, agency: str) -> None:
        """`saphan node run`, once it says that it runs and knows the agreement."""
        said = self.place / f"{agency}.log"
        with said.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "saphan", "node", "run", "--json",
                "--dir", str(self.place / agency), "--broker", self.bridge.url,
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert process.stdout is not None
        assert b'"agency"' in await process.stdout.readline(), self._words(agency)
        self._nodes[agency] = process
        # The directory came with the first session, or with the backup.
        await eventually(lambda: self.store(agency, "SELECT 1 FROM agreements"))

    async def kill(self, agency: str) -> None:
        """SIGKILL; nothing is finished."""
        process = self._nodes.pop(agency)
        process.kill()
        await process.wait()

    async def lose(self, agency: str) -> None:
        """The machine burns; the root key lies elsewhere, as it should."""
        if agency in self._nodes:
            await self.kill(agency)
        kept = self.place / f"{agency}.root"
        if not kept.exists():
            shutil.copytree(self.place / agency / "root", kept)
        shutil.rmtree(self.place / agency)

    def bring_root(self, agency: str) -> None:
        """For a ceremony: the root's medium is at the machine."""
        shutil.copytree(
            self.place / f"{agency}.root", self.place / agency / "root", dirs_exist_ok=True
        )

    async def stop_all(self) -> None:
        for agency in tuple(self._nodes):
            await self.kill(agency)

    # --- commands ---------------------------------------------------------------------------------

    async def saphan(self, *words: object, status: int = 0) -> dict[str, Any]:
        """A command's JSON."""

        def run() -> str:
            with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
                ended = main([*map(str, words), "--json"])
            assert ended == status, err.getvalue()
            return out.getvalue()

        found: dict[str, Any] = json.loads(await asyncio.to_thread(run))
        return found

    async def backup(self, agency: str, *parts: str, name: str = "b") -> dict[str, Any]:
        """`saphan node backup`, while the node runs or not."""
        out = [word for part in parts for word in (f"--{part}", self._file(agency, name, part))]
        pubs = ",".join(str(self.place / f"{one}.pub") for one in CUSTODIANS)
        given = ("--custodians", pubs, "--quorum", QUORUM)
        return await self.saphan("node", "backup", "--dir", self.place / agency, *out, *given)

    async def restore(self, agency: str, *parts: str, name: str = "b") -> dict[str, Any]:
        """`saphan node restore` with the shares of two custodians."""
        files = {part: self._file(agency, name, part) for part in parts}
        shares = [self._share(who, path) for who in CUSTODIANS[:QUORUM] for path in files.values()]
        given = [word for part, path in files.items() for word in (f"--{part}", path)]
        return await self.saphan(
            *("node", "restore", "--dir", self.place / agency, *given),
            *("--shares", ",".join(map(str, shares))),
        )

    def _file(self, agency: str, name: str, part: str) -> Path:
        return self.place / f"{agency}.{name}.{part}"

    def _share(self, who: str, backup: Path) -> Path:
        out = self.place / f"{who}.{backup.name}.share"
        if not out.exists():
            header = read_header(backup)
            key = read_key(self.place / f"{who}.key", Role.MAILBOX, SECRET)
            write_share(out, header, open_share(header, MailboxKey(key.seed)))
        return out

    # --- what is seen -----------------------------------------------------------------------------

    async def send(self, agency: str, to: str, count: int, *files: Path) -> list[str]:
        """Bulletins that the node has taken."""
        one = wish(to)
        given: dict[str, Any] = {"schema": one.schema, "about": one.about, "body": one.body}
        async with Node(self.place / agency) as node:
            return [await node.send(to=to, attachments=files, **given) for _ in range(count)]

    async def read(self, agency: str, bulletin: str) -> Any:
        """Content for the agency's case system."""
        return await self.ask(agency, f"/v1/bulletins/{bulletin}/content")

    async def attachment(self, agency: str, bulletin: str) -> bytes:
        """The first attachment of a bulletin that the case system has read."""
        await self.read(agency, bulletin)
        out = self.place / f"{agency}.{bulletin[:16]}.out"
        async with Node(self.place / agency) as node:
            await node.save(bulletin, 1, out)
        return await asyncio.to_thread(out.read_bytes)

    async def ask(self, agency: str, path: str) -> dict[str, Any]:
        """An answer of a node's API."""
        found: dict[str, Any] = await asyncio.to_thread(
            LocalNode(self.place / agency / "node").get, path
        )
        return found

    async def inbox(self, agency: str) -> list[tuple[int, str]]:
        """(place, id) of everything shown, in order."""
        rows = (await self.ask(agency, "/v1/inbox?limit=500"))["bulletins"]
        return [(row["seq"], row["id"]) for row in rows]

    def store(self, agency: str, query: str) -> list[tuple[Any, ...]]:
        """Rows of a node's store, read beside it."""
        path = self.place / agency / "node/data/node.db"
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as store:
            return store.execute(query).fetchall()
        return []

    def log(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the broker's store: what it shows of the log's entries."""
        with closing(sqlite3.connect(self.place / "data/broker.db")) as store:
            return store.execute(query).fetchall()

    async def states(self, agency: str, bulletins: list[str], state: str) -> None:
        """Wait until the node knows each of these deliveries to be in this state."""

        def all_there() -> bool:
            rows = self.store(agency, "SELECT hex(bulletin), state FROM deliveries")
            found = {name.lower(): where for name, where in rows}
            return all(found.get(one) == state for one in bulletins)

        try:
            await eventually(all_there, 40)
        except TimeoutError:
            raise AssertionError([await self._standing(name) for name in self._nodes]) from None

    async def _standing(self, agency: str) -> object:
        """How a node stands, for whoever reads why a drill failed."""
        with suppress(SaphanError):
            found = await self.ask(agency, "/v1/identity")
            rows = "SELECT hex(bulletin), recipient, state, code FROM deliveries"
            facts = self.store(agency, "SELECT name, value FROM facts")
            more = (facts, self.store(agency, rows), self._words(agency))
            return found["line"], found["alarms"], more
        return agency, "does not answer"

    def _words(self, agency: str) -> str:
        """The end of what the process has said, and of the page of code that it has written."""
        files = (self.place / f"{agency}.log", self.place / agency / "saphan-error.log")
        return "".join(path.read_text(encoding="utf-8")[-4000:] for path in files if path.exists())

    async def listened(self, agency: str) -> None:
        """Wait until a restored node has heard what it missed."""
        await eventually(
            lambda: (
                self.store(agency, "SELECT 1 FROM facts WHERE name = 'restored'")
                and not self.store(agency, "SELECT 1 FROM facts WHERE name = 'listening'")
            ),
            40,
        )

    async def alarms(self, agency: str) -> set[str]:
        with suppress(SaphanError):
            return {alarm["code"] for alarm in (await self.ask(agency, "/v1/identity"))["alarms"]}
        return set()

    def said_once(self) -> bool:
        """No event of any bulletin stands in the log twice, and nothing was refused."""
        twice = self.log(
            "SELECT event FROM entry GROUP BY bulletin, recipient, event, issuer"
            " HAVING count(*) > 1"
        )
        return twice == [] and self.log("SELECT 1 FROM entry WHERE event = 'refused'") == []
