"""Broker, agencies, agreement, desks up to the first bulletin: made once, copied for rounds."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from saphan import agency as ceremony
from saphan.agreements.draft import finish, propose, sign
from saphan.agreements.terms import first_terms, parse_terms
from saphan.desk.folder import DeskFolder
from saphan.desk.inviting import invite
from saphan.desk.start import start_desk
from saphan.keyring import enrol_request
from saphan.keys.keyfiles import read_key
from saphan.node.config import system_clock
from saphan.office import Office
from saphan.officer_request import parse_request
from saphan_broker.broker import open_broker
from saphan_broker.init import init
from saphan_broker.opening import SQLITE, StoreChoice
from saphan_broker.sequencing.work import Logged, Package
from saphan_protocol.invitation import format_invitation
from saphan_protocol.pins import Pins, format_pins
from saphan_schemas.records import Role
from support.servers import Server

from benchmarks.world import CHEAP, SECRET
from chaos.schedule import AGENCIES, DESKS

NAME: Final = "bridge.example"
ENDLESS: Final = {
    "default": dict.fromkeys(("bulletins_per_minute", "bytes_per_day", "open_deliveries"), 2**53)
}
"""The loads send more than agencies do."""


def desk_folder(place: Path, desk: str) -> DeskFolder:
    """Where a desk lies in a world."""
    return DeskFolder(place / desk.replace(":", "-"))


def data_folder(place: Path) -> Path:
    """The broker's --data: below a folder that can be a disk of its own."""
    return place / "disk" / "data"


def server_folder(place: Path) -> Path:
    """Where the Valkey server's files lie in a world."""
    return place / "valkey"


async def make(place: Path, *, carried: bool) -> None:
    """Everything before the first bulletin.

    Args:
        place: a folder that is not there yet.
        carried: by a Valkey server, whose files lie in the folder too.
    """
    data_folder(place).parent.mkdir(mode=0o700, parents=True)
    if not carried:
        await _make(place, SQLITE)
        return
    server = Server(server_folder(place))
    try:
        await asyncio.to_thread(server.start)
        await _make(place, StoreChoice(redis=server.address()))
        await asyncio.to_thread(server.stop)
    finally:
        await asyncio.to_thread(server.free)


def copy(template: Path) -> Path:
    """A world of its own, under a short name: Unix sockets have no long ones."""
    place = Path(tempfile.mkdtemp(prefix="sc", dir="/var/tmp"))
    shutil.copytree(template, place, dirs_exist_ok=True)
    return place


async def _make(place: Path, choice: StoreChoice) -> None:
    invitation, _ = await asyncio.to_thread(
        lambda: init(data_folder(place), place / "keys", NAME, store=choice)
    )
    package = await asyncio.to_thread(_agencies, place, invitation.pins)
    for name in AGENCIES:
        Office(place / name).invitation_file.write_bytes(format_invitation(invitation))
    (place / "quotas.json").touch(0o600)
    (place / "quotas.json").write_text(json.dumps(ENDLESS))
    broker = await open_broker(data_folder(place), place / "keys", store=choice)
    try:
        await broker.start(override="the world of a test is made")
        for name in AGENCIES:
            await broker.admit_operation(Office(place / name).enrolment.read_bytes())
        outcome = await broker.sequencer.submit(Package(package, AGENCIES[0])).outcome
        if not isinstance(outcome, Logged):
            raise RuntimeError(f"the agreement is refused: {outcome.error}")
        for desk in DESKS:
            await broker.admit_operation(await asyncio.to_thread(_desk, place, desk))
    finally:
        await broker.stop()


def _agencies(place: Path, pins: Pins) -> bytes:
    """Every agency's ceremony, and the agreement signed by all."""
    offices = []
    for name in AGENCIES:
        office = ceremony.init(
            place / name, name, SECRET, {"officer": SECRET}, now=system_clock(), cost=CHEAP
        )
        office.pins_file.write_bytes(format_pins(pins))
        offices.append(office)
    terms = parse_terms(first_terms(AGENCIES, datetime.now(UTC).date()))
    draft = propose(terms, [office.read_agency() for office in offices], pins)
    for office in offices:
        root = read_key(office.root_key, Role.ROOT, SECRET).signing()
        draft = sign(draft, root, pins, os.urandom(32))
    return finish(draft, os.urandom(32))


def _desk(place: Path, desk: str) -> bytes:
    """Makes a desk; gives the operation that enrols its officer."""
    office, now = Office(place / desk.removeprefix("desk:")), system_clock()
    invitation = invite(office, "127.0.0.1:9", now)
    handle = "dao"
    made = start_desk(
        desk_folder(place, desk), invitation, SECRET, now=now, handle=handle, cost=CHEAP
    )
    assert made.request is not None
    request = parse_request(made.request.read_bytes())
    return enrol_request(office, request, SECRET).operation.read_bytes()


def point_desk(place: Path, desk: str, address: str) -> None:
    """The desk calls its node at another address."""
    folder = desk_folder(place, desk)
    folder.write(replace(folder.read(), address=address))
