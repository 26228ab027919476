"""A whole bridge on real files and sockets: one broker, two agencies made by the real ceremony."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace
from saphan import agency as ceremony
from saphan.agreements.draft import finish, propose, sign
from saphan.agreements.terms import first_terms, parse_terms
from saphan.compose import Wish
from saphan.evidence.for_desks import bundle_for_desk
from saphan.keys.keyfiles import read_key
from saphan.keys.mailbox_schedule import choose
from saphan.keys.passphrase import Passphrase
from saphan.node.config import NodeConfig, system_clock
from saphan.node.service import NodeService, running
from saphan.node.serving import serving as node_serving
from saphan.office import Office
from saphan_broker.app import make_app, serving
from saphan_broker.broker import Broker, open_broker
from saphan_broker.http_log import LogPages
from saphan_broker.init import init
from saphan_broker.tls_files import PLAIN
from saphan_protocol.keys import SigningKey
from saphan_protocol.pins import Pins, format_pins
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role
from saphan_schemas.samples import sample

from support.brokers import Clock
from support.cheap import CHEAP as CHEAP

T = TypeVar("T")
SECRET = Passphrase("open sesame of a test")
LA, KH, VN = "la.ospp", "kh.gpo", "vn.vks"
OFFICERS = {LA: "bounmy", KH: "sokha", VN: "lan"}


def wish(to: str = KH, name: str = "case_statistics", **fields: Any) -> Wish:
    """A sample bulletin as a case system would push it."""
    content = sample(name)
    return Wish(
        to=(to,),
        schema=f"saphan/{name}/1",
        about=content["about"],
        body=content["body"],
        exercise=True,
        **fields,
    )


async def eventually(look: Callable[[], T | None], seconds: float = 20.0) -> T:
    """What `look` finds once it finds something; the bound only ends a hopeless test."""
    async with asyncio.timeout(seconds):
        while True:
            found = look()
            if found:
                return found
            await asyncio.sleep(0.01)


class Bridge:
    """Folders of a broker and two agencies; nodes and broker start and stop as a test likes."""

    def __init__(self, place: Path, *agencies: str) -> None:
        self.agencies = agencies or (LA, KH)
        # Unix sockets have short names only, and pytest's folders have long ones.
        self.place = Path(tempfile.mkdtemp(prefix="sb", dir="/tmp"))
        self.clock = Clock()
        self.node_clock = Clock()
        self.offices: dict[str, Office] = {}
        self.url = ""
        self.shown = PLAIN
        """What the broker shows to its nodes; most tests are about something else than TLS."""
        self._port = 0
        self._broker: Broker | None = None

    def remove(self) -> None:
        """Take the folders away."""
        shutil.rmtree(self.place)

    @property
    def broker(self) -> Broker:
        assert self._broker is not None
        return self._broker

    def prepare(self) -> None:
        """init, agencies, pins: made once for all tests of this process, then copied; blocking."""
        made = _made(self.agencies)
        self.pins: Pins = Office(made / self.agencies[0]).read_pins()
        self._fill(made)

    def copy(self, other: Bridge) -> None:
        """The folders of another one that does not run now; blocking."""
        self.pins = other.pins
        self._fill(other.place)

    def _fill(self, made: Path) -> None:
        shutil.copytree(made, self.place, dirs_exist_ok=True)
        self.offices = {name: Office(self.place / name) for name in self.agencies}

    def agreement(self, replaces: bytes | None = None, **terms: Any) -> bytes:
        """A finished agreement between both agencies, signed by their roots."""
        files = [office.read_agency() for office in self.offices.values()]
        today = datetime.fromtimestamp(self.clock() / 1000, UTC).date()
        first = parse_terms(first_terms(self.agencies, today))
        # Below the highest marking, so that one can be above it.
        amber = tuple(replace(rule, tlp_ceiling="amber") for rule in first.rules)
        wanted = replace(first, **{"rules": amber, **terms})
        draft = propose(wanted, files, self.pins, replaces)
        for office in self.offices.values():
            root = read_key(office.root_key, Role.ROOT, SECRET).signing()
            draft = sign(draft, root, self.pins, os.urandom(32))
        return finish(draft, os.urandom(32))

    def officer(self, agency: str) -> SigningKey:
        """The agency's first officer."""
        path = self.offices[agency].key_file(Role.OFFICER, b"", OFFICERS[agency])
        return read_key(path, Role.OFFICER, SECRET).signing()

    def mailbox(self, agency: str) -> Path:
        """File of the mailbox key to which others seal now."""
        office, now = self.offices[agency], self.clock()
        key = choose(office.replay(), agency, now, now + 30 * DAY_MS)
        return office.key_file(Role.MAILBOX, key.key_id)

    def config(self, agency: str, **options: Any) -> NodeConfig:
        """A node's options."""
        given = {"bundles": bundle_for_desk, **options}
        return NodeConfig(
            folder=self.place / agency, broker=self.url, clock=self.node_clock, **given
        )

    @asynccontextmanager
    async def broker_running(self) -> AsyncIterator[Broker]:
        """The broker at the same address each time."""
        self._broker = await open_broker(self.place / "data", self.place / "keys", clock=self.clock)
        try:
            await self._broker.start()
            tokens = self._broker.tokens
            pages = LogPages(self._broker.state, lambda token: tokens.agency(token) is not None)
            app = make_app(self._broker, pages.routes())
            self._broker.state.certificate = self.shown.fingerprint
            tls = self.shown.context
            async with serving(app, "127.0.0.1", self._port, tls) as (host, port):
                scheme = "http" if tls is None else "https"
                self._port, self.url = port, f"{scheme}://{host}:{port}"
                yield self._broker
        finally:
            await self._broker.stop()

    @asynccontextmanager
    async def node(self, agency: str, **options: Any) -> AsyncIterator[NodeService]:
        """A running node."""
        async with running(self.config(agency, **options)) as service:
            yield service

    @asynccontextmanager
    async def node_with_api(self, agency: str, **options: Any) -> AsyncIterator[NodeService]:
        """A running node whose local API listens."""
        async with node_serving(self.config(agency, **options)) as service:
            yield service

    async def enrol(self, **terms: Any) -> None:
        """Both agencies enter the directory, then their agreement over la.ospp's node."""
        for office in self.offices.values():
            await self.broker.admit_operation(office.enrolment.read_bytes())
        package = await asyncio.to_thread(lambda: self.agreement(**terms))
        async with self.node(LA) as node:
            await opened(node)
            result = await node.line.register(None, package)
            assert result.code is None, result


async def opened(node: NodeService) -> None:
    """Wait until the node's line is open."""
    await eventually(lambda: node.line.state.state == "open")


async def agreed(node: NodeService) -> None:
    """Wait until the node has replayed the agreement."""
    await eventually(lambda: list(node.logs.directory.agreements(LA, KH)))


def states(node: NodeService, bulletin: bytes) -> list[str]:
    """States of a bulletin's deliveries, by recipient."""
    rows = node.db.rows(
        "SELECT state FROM deliveries WHERE bulletin = ? ORDER BY recipient", (bulletin,)
    )
    return [state for (state,) in rows]


@cache
def _made(agencies: tuple[str, ...]) -> Path:
    """Folders of a broker that knows nobody, and of agencies after their ceremony."""
    place = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    atexit.register(shutil.rmtree, place)
    invitation, _ = init(place / "data", place / "keys", "bridge.example")
    for name in agencies:
        officer = OFFICERS[name]
        office = ceremony.init(
            place / name, name, SECRET, {officer: SECRET}, now=system_clock(), cost=CHEAP
        )
        office.pins_file.write_bytes(format_pins(invitation.pins))
    return place


@asynccontextmanager
async def bridged(place: Path, *agencies: str) -> AsyncIterator[Bridge]:
    """A bridge whose folders are removed afterwards."""
    made = Bridge(place, *agencies)
    await asyncio.to_thread(made.prepare)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.remove)
