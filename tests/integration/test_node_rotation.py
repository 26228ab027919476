"""A mailbox key ends while bulletins are under way: the node consigns anew, nobody signs again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.keyring import add_key, revoke_key
from saphan_schemas.records import Role
from support.bridge import CHEAP, KH, LA, SECRET, Bridge, agreed, bridged, eventually, states, wish


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def test_a_bulletin_sealed_to_a_revoked_mailbox_goes_to_the_new_one(bridge: Bridge) -> None:
    """la.ospp seals while its line is down; meanwhile kh.gpo enrols a new mailbox key and revokes
    the old one; the broker refuses the old consignment; the second one arrives, same id."""
    office = bridge.offices[KH]
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
    async with bridge.node(LA) as la:
        bulletin = await la.send(wish())
    (old,) = (office.node / "mailbox").glob("*.key")
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await agreed(kh)
        (key,) = kh.logs.directory.keys(KH, Role.MAILBOX)
        added = await asyncio.to_thread(
            lambda: add_key(office, Role.MAILBOX, SECRET, now=bridge.clock(), cost=CHEAP)
        )
        assert (await kh.line.register(added.operation.read_bytes(), None)).code is None
        revoked = await asyncio.to_thread(
            lambda: revoke_key(office, key.key_id, SECRET, now=bridge.clock())
        )
        assert (await kh.line.register(revoked.operation.read_bytes(), None)).code is None
        async with bridge.node(LA) as la:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            codes = la.db.rows("SELECT state, code FROM consignments ORDER BY id")
            assert codes[0] == ("refused", "key_revoked")
            assert codes[-1] == ("logged", None)
            events = [e["event"] for e in la.bulletins.status(bulletin)["timeline"]]
            assert events == ["refused", "submitted", "handover", "accepted"]
        assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [bulletin.hex()]
    assert old.exists()  # it still opens what was sealed to it before
