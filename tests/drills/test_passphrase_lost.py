"""docs/drills/passphrase-lost.md, as it stands there; the lost ones really open nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from saphan.keyring import add_key
from saphan.keys.keyfiles import read_key, write_sealed
from saphan.keys.passphrase import Passphrase
from saphan.office import Office
from saphan_schemas.records import Role
from support.bridge import CHEAP, KH, LA, SECRET, agreed, eventually, states, wish
from support.desks import ready_bridge
from support.rooms import ROOT
from support.terminals import Terminal
from support.walked import blocks, terminals, walk

PAGE = (ROOT / "docs/drills/passphrase-lost.md").read_text(encoding="utf-8")


async def test_officer_and_duty_office_work_on_with_new_keys() -> None:
    async with (
        ready_bridge() as bridge,
        bridge.broker_running(),
        bridge.node_with_api(LA) as la,
        bridge.node_with_api(KH) as kh,
    ):
        office = bridge.offices[KH]
        await agreed(la)
        await agreed(kh)
        before = await la.send(wish())
        await eventually(lambda: states(la, before) == ["accepted"])
        order = await asyncio.to_thread(enrol_order, office, bridge.clock())
        assert (await kh.line.register(order, None)).code is None
        await eventually(lambda: list(kh.logs.directory.keys(KH, Role.ORDER)))
        await asyncio.to_thread(lose, office)
        shown = await asyncio.to_thread(walked, bridge.place, before)
        for role in (Role.OFFICER, Role.ORDER):
            assert len(list(kh.logs.directory.keys(KH, role))) == 1
        assert "EXERCISE" in shown.shown
        rows = kh.db.rows("SELECT id FROM bulletins WHERE sender = ?", (KH,))
        await eventually(lambda: [states(kh, bulletin) for (bulletin,) in rows] == [["accepted"]])


def enrol_order(office: Office, now: int) -> bytes:
    """The operation that enrols an order key."""
    made = add_key(office, Role.ORDER, SECRET, now=now, passphrase=SECRET, cost=CHEAP)
    return made.operation.read_bytes()


def lose(office: Office) -> None:
    """From now on both keys are under passphrases that nobody knows; blocking."""
    for role, handle in ((Role.OFFICER, "sokha"), (Role.ORDER, None)):
        path = office.key_file(role, b"", handle)
        key = read_key(path, role, SECRET)
        path.unlink()
        write_sealed(path, key, Passphrase(os.urandom(16).hex()), CHEAP)


def walked(place: Path, bulletin: bytes) -> Terminal:
    """The page, with the id of a bulletin that came before; blocking."""
    assert PAGE.count("```sh") == len(blocks(PAGE))
    shutil.copy(ROOT / "demo/figures.json", place)
    with terminals({"Phnom Penh": place}) as made:
        walk(PAGE.replace("8c1f03aa", bulletin.hex()[:8]), made)
        return made["Phnom Penh"]
