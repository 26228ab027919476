"""A broker that has lived, made once and copied for each test that loses something of it."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from saphan_broker.keys import read_pins
from saphan_protocol.keys import SigningKey
from saphan_schemas.directory_records import Change
from saphan_schemas.records import Role

from support.agency import Agency, seed
from support.brokers import World
from support.reporting import Copy, copy_of
from support.succeeding import exchange

LA, KH = "la.ospp", "kh.gpo"


@dataclass(frozen=True)
class Lived:
    """Folders of a broker at rest: early, when the agencies were enrolled, and late.

    Args:
        early, late: what nodes held at each time.
        packages: texts beside directory leaves.
    """

    world: World
    early: Copy
    late: Copy
    packages: dict[int, bytes]

    def again(self, place: Path) -> World:
        """The broker as it was late, in other folders."""
        for name in ("data", "keys"):
            shutil.copytree(self.world.place / name, place / name)
        made = World(place)
        made.agencies = self.world.agencies
        made._pins = self.world.pins
        return made

    def put_back(self, world: World, name: str) -> None:
        """`data` or `keys` as it was early: a backup that lacks what was signed since."""
        shutil.rmtree(world.place / name)
        shutil.copytree(self.world.place / f"{name}.early", world.place / name)


def live(place: Path) -> Lived:
    """Make one: three bulletins, a copy, another agency's key and three bulletins more."""

    async def scenario() -> Lived:
        world = World(place, LA, KH)
        first, second = world.agencies.values()
        await world.init()
        async with world.running() as broker:
            await world.enrol()
            await exchange(world, first, second)
            early = await copy_of(broker.state)
        for name in ("data", "keys"):
            shutil.copytree(place / name, place / f"{name}.early")
        async with world.running() as broker:
            line = await world.line(LA)
            version, newest, _ = broker.state.directory.version(LA)
            assert newest is not None
            result = await line.register(operation=spare_officer(first, version, newest))
            assert result.code is None, result
            await line.close()
            await exchange(world, first, second)
            late = await copy_of(broker.state)
            packages = await broker.state.store.packages(0, len(late.leaves))
        return Lived(world, early, late, packages)

    return asyncio.run(scenario())


def spare_officer(agency: Agency, version: int, newest: bytes) -> bytes:
    """A directory operation: a further officer's key."""
    key = SigningKey(Role.OFFICER, seed(f"{agency.name} spare {version}", 64))
    change = Change("add", Role.OFFICER, key.public, f"spare-{version}", None, None)
    return agency.operation(version + 1, newest, [change], [key])


def renamed(world: World) -> World:
    """The same world with the pins that its data directory has now."""
    world._pins = read_pins(world.data / "pins.json")
    return world
