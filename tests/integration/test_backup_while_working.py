"""A backup is of one moment, however busy the node is: what its store names, the keys open."""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan.backup.custodians import make_custodian
from saphan.backup.header import Part
from saphan.backup.making import Plan, make_backup
from saphan.backup.restoring import read_header, restore
from saphan.backup.shares import open_share
from saphan.keys.keyfiles import read_key
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role
from support.bridge import CHEAP, KH, LA, SECRET, Bridge, agreed, wish

BACKUPS = 4


async def test_every_bulletin_of_a_backup_opens_with_its_keys(bridge: Bridge) -> None:
    """Each bulletin has a retention day of its own, so that archive keys are made all the time."""
    place = bridge.place
    secret, _, custodian = make_custodian(place, "dara", SECRET, CHEAP)
    key = MailboxKey(read_key(secret, Role.MAILBOX, SECRET).seed)
    done = asyncio.Event()
    today = bridge.clock() // DAY_MS
    sent = 0

    async def send() -> None:
        nonlocal sent
        while not done.is_set():
            await la.send(wish(retain_until=today + 30 + sent))
            sent += 1

    def save(number: int) -> list[Path]:
        out: dict[Part, Path] = {
            "data": place / f"{number}.data",
            "keys": place / f"{number}.keys",
        }
        plan = Plan(
            office=bridge.offices[LA],
            out=out,
            custodians=(custodian,),
            quorum=1,
            made=bridge.clock(),
        )
        make_backup(plan)
        return list(out.values())

    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            sending = asyncio.create_task(send())
            saved = [await asyncio.to_thread(save, number) for number in range(BACKUPS)]
            done.set()
            await sending
    held = 0
    for number, files in enumerate(saved):
        share = open_share(read_header(files[0]), key)
        back = restore(place / f"back{number}", files, [share], now=bridge.clock()).recovered
        assert back.readable == back.bulletins >= held
        held = back.bulletins
    assert 0 < held <= sent
