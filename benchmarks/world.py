"""The world of the measurements: a broker with enrolled agencies, made once, copied for each run.

Every run begins with an empty store and the same keys, so bulletins sealed once fit all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from saphan import agency as ceremony
from saphan.agreements.draft import finish, propose, sign
from saphan.agreements.terms import first_terms, parse_terms
from saphan.keys.keyfiles import Argon2Cost, read_key
from saphan.keys.passphrase import Passphrase
from saphan.node.config import system_clock
from saphan.office import Office
from saphan_broker.broker import open_broker
from saphan_broker.init import init
from saphan_broker.sequencing.work import Logged, Package
from saphan_protocol.invitation import Invitation, format_invitation, parse_invitation
from saphan_protocol.pins import Pins, format_pins
from saphan_schemas.records import Role

SENDER: Final = "la.ospp"
RECIPIENT: Final = "kh.gpo"
SENDERS: Final = 20
"""Agencies that send one bulletin at a time in measurement 2."""
NAME: Final = "bridge.example"
CHEAP: Final = Argon2Cost(memory_kib=64, iterations=1, lanes=1)
SECRET: Final = Passphrase("nobody is kept out by this")


def small_senders(count: int) -> list[str]:
    """Names of the agencies that send one at a time."""
    return [f"la.office{number:02d}" for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class World:
    """Folders of one broker and its agencies."""

    place: Path

    @property
    def data(self) -> Path:
        """The broker's --data."""
        return self.place / "data"

    @property
    def keys(self) -> Path:
        """The broker's --keys."""
        return self.place / "keys"

    def office(self, name: str) -> Office:
        """An agency's folder."""
        return Office(self.place / name)

    def copy(self, to: Path) -> World:
        """The same world elsewhere; nothing may run in it."""
        shutil.copytree(self.place, to)
        return World(to)

    def remove(self) -> None:
        """Take it away."""
        shutil.rmtree(self.place)


async def make_world(place: Path, senders: int = SENDERS) -> World:
    """Broker, agencies and their agreement: everything up to the first bulletin."""
    world = World(place)
    names = [SENDER, RECIPIENT, *small_senders(senders)]
    package = await asyncio.to_thread(_prepare, world, names)
    await _enrol(world, names, [package])
    return world


async def crowd(world: World, strangers: int) -> None:
    """Enrol that many agencies more, each with an agreement of its own with the recipient."""
    names = [f"vn.office{number:03d}" for number in range(strangers)]

    def prepare() -> list[bytes]:
        invitation = parse_invitation(world.office(SENDER).invitation_file.read_bytes())
        _ceremonies(world, names, invitation)
        return [_agreement(world, [name, RECIPIENT], invitation.pins) for name in names]

    await _enrol(world, names, await asyncio.to_thread(prepare))


def _prepare(world: World, names: list[str]) -> bytes:
    """The broker's and every agency's ceremony; gives the agreement signed by all."""
    world.place.mkdir(mode=0o700)
    invitation, _ = init(world.data, world.keys, NAME)
    _ceremonies(world, names, invitation)
    return _agreement(world, names, invitation.pins)


def _ceremonies(world: World, names: list[str], invitation: Invitation) -> None:
    pins = invitation.pins
    for name in names:
        folder, now = world.place / name, system_clock()
        office = ceremony.init(folder, name, SECRET, {"officer": SECRET}, now=now, cost=CHEAP)
        office.pins_file.write_bytes(format_pins(pins))
        office.invitation_file.write_bytes(format_invitation(invitation))


async def _enrol(world: World, names: list[str], packages: list[bytes]) -> None:
    broker = await open_broker(world.data, world.keys)
    try:
        await broker.start(override="set-up of a measurement")
        for name in names:
            await broker.admit_operation(world.office(name).enrolment.read_bytes())
        for package in packages:
            outcome = await broker.sequencer.submit(Package(package, RECIPIENT)).outcome
            if not isinstance(outcome, Logged):
                raise RuntimeError(f"the agreement is refused: {outcome.error}")
    finally:
        await broker.stop()


def _agreement(world: World, names: list[str], pins: Pins) -> bytes:
    """Everyone may send everything to the recipient, and the recipient to the first of them."""
    terms = json.loads(first_terms([names[0], RECIPIENT], datetime.now(UTC).date()))
    rule = terms["rules"][0]
    terms["rules"] += [rule | {"from": name, "to": RECIPIENT} for name in names[2:]]
    parties = [world.office(name).read_agency() for name in names]
    draft = propose(parse_terms(json.dumps(terms).encode()), parties, pins)
    for name in names:
        root = read_key(world.office(name).root_key, Role.ROOT, SECRET).signing()
        draft = sign(draft, root, pins, os.urandom(32))
    return finish(draft, os.urandom(32))
