"""Keys rotate and are revoked while bulletins are under way: nothing is lost or signed again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from saphan.key_places import activate
from saphan.keyring import add_key, revoke_key
from saphan.mailbox_rotation import rotate_mailbox
from saphan.node import anew, waiting
from saphan.node.service import NodeService
from saphan_protocol.directory import KeyInfo
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Role
from support import officers
from support.bridge import (
    CHEAP,
    KH,
    LA,
    OFFICERS,
    SECRET,
    Bridge,
    agreed,
    eventually,
    opened,
    states,
    wish,
)


def days_pass(bridge: Bridge, days: int) -> None:
    bridge.clock.ahead += days * DAY_MS
    bridge.node_clock.ahead += days * DAY_MS


async def register(node: NodeService, operation: Path) -> None:
    await opened(node)
    result = await node.line.register(await asyncio.to_thread(operation.read_bytes))
    assert result.code is None, result


async def revoke(bridge: Bridge, node: NodeService, agency: str, key: bytes) -> None:
    """The agency's root revokes a key; any node may bring the operation."""
    office = bridge.offices[agency]
    made = await asyncio.to_thread(lambda: revoke_key(office, key, SECRET, now=bridge.clock()))
    await register(node, made.operation)


def consigned(node: NodeService) -> list[tuple[str, str | None]]:
    rows = node.db.rows("SELECT state, code FROM consignments ORDER BY id")
    return [(state, code) for state, code in rows]


def events(node: NodeService, bulletin: bytes) -> list[str]:
    return [event["event"] for event in node.bulletins.status(bulletin)["timeline"]]


def codes(node: NodeService) -> list[str]:
    return [alarm.code for alarm in node.alarms.standing()]


async def delivered(node: NodeService) -> bytes:
    bulletin = await node.send(wish())
    await eventually(lambda: states(node, bulletin) == ["accepted"])
    return bulletin


def used(bridge: Bridge, agency: str) -> KeyInfo:
    """The mailbox key to which others seal now."""
    directory = bridge.offices[agency].replay()
    name = bridge.mailbox(agency).name.removesuffix(".key")
    (key,) = [k for k in directory.all_keys(agency) if k.key_id.hex().startswith(name)]
    return key


async def enrolled(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
        async with bridge.node(KH) as kh:
            await agreed(kh)


async def test_a_sender_that_was_offline_for_ten_days_drains_its_outbox(bridge: Bridge) -> None:
    """Sealed in the first week, sent in the second: the key's overlap is over by then. What the
    officer signed arrives as it was signed; he is not asked again, and need not even be there."""
    await enrolled(bridge)
    async with bridge.node(LA) as la:
        author = await officers.first(bridge, la, OFFICERS[LA])
        sent = [await author.send(wish()) for _ in range(3)]
    old = used(bridge, KH)
    days_pass(bridge, 10)
    assert old.seal_until is not None
    assert old.seal_until < bridge.clock()
    assert used(bridge, KH) != old
    async with bridge.broker_running(), bridge.node(KH) as kh:
        async with bridge.node(LA) as la:
            await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))
            # The node knew that the week was over: no refusal of each stands in the log.
            assert consigned(la) == 3 * [("ended", None)] + 3 * [("logged", None)]
            for one in sent:
                assert events(la, one) == ["submitted", "handover", "accepted"]
        found = kh.bulletins.inbox(0, 9)
        assert sorted(row["id"] for row in found) == sorted(one.hex() for one in sent)
        assert [row["author"] for row in found] == 3 * [OFFICERS[LA]]


async def test_a_recipient_that_was_offline_for_ten_days_opens_what_came(bridge: Bridge) -> None:
    """The key's week is over when its owner comes back; its private half is still there."""
    await enrolled(bridge)
    old = used(bridge, KH)
    async with bridge.broker_running(), bridge.node(LA) as la:
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["submitted"])
    days_pass(bridge, 10)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        assert consigned(la) == [("logged", None)]
        (key,) = kh.db.rows("SELECT mailbox_key FROM deliveries")
        assert key == (old.key_id,)


async def test_a_recipient_whose_weeks_have_ended_keeps_nothing_waiting_for_ever(
    bridge: Bridge,
) -> None:
    """Nobody made new weeks: one bulletin goes out when they are there at last, the other one has
    expired by then, and its author hears of it."""
    await enrolled(bridge)
    days_pass(bridge, 7 * LIMITS.mailbox_first_weeks - 20)
    async with bridge.node(LA) as la:
        early = await la.send(wish())
        days_pass(bridge, 15)
        late = await la.send(wish())
    days_pass(bridge, 8)
    async with bridge.broker_running(), bridge.node(LA) as la:
        await eventually(lambda: "mailbox_missing" in codes(la))
        assert states(la, early) == states(la, late) == ["queued"]
    days_pass(bridge, 8)
    office = bridge.offices[KH]
    async with bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        await eventually(lambda: states(la, early) == ["refused"])
        assert la.bulletins.status(early)["deliveries"][0]["code"] == "expired"
        await eventually(lambda: {"mailbox_missing", "bulletin_refused"} <= set(codes(la)))
        made = await asyncio.to_thread(
            lambda: rotate_mailbox(office, 2, SECRET, now=bridge.clock())
        )
        await register(la, made.made.operation)
        await eventually(lambda: states(la, late) == ["submitted"])
        await eventually(lambda: "mailbox_missing" not in codes(la))


async def test_weeks_made_ahead_are_used_without_anybody_doing_anything(bridge: Bridge) -> None:
    """Bulletins of four different weeks are sealed to four keys; 24 more weeks are enrolled."""
    await enrolled(bridge)
    keys = []
    for _ in range(4):
        async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH):
            await delivered(la)
        keys.append(used(bridge, KH).key_id)
        days_pass(bridge, 7)
    assert len(set(keys)) == 4
    office = bridge.offices[KH]
    done = await asyncio.to_thread(lambda: rotate_mailbox(office, 24, SECRET, now=bridge.clock()))
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await eventually(lambda: kh.line.state.state == "open")
        await register(kh, done.made.operation)
        await eventually(lambda: len(kh.logs.directory.keys(KH, Role.MAILBOX)) == 32)
        await eventually(lambda: kh.alarms.standing() == [])


async def test_a_bulletin_sealed_to_a_revoked_mailbox_goes_to_the_next_one(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """la.ospp seals while its line is down; meanwhile kh.gpo revokes the key of this week; the
    broker refuses the old consignment; the second one arrives, same id. Whoever looks first makes
    it: the refusal's answer, which waits for the directory here, makes no third."""
    monkeypatch.setattr(waiting, "ANEW_WAIT_S", 0.5)
    await enrolled(bridge)
    async with bridge.node(LA) as la:
        bulletin = await la.send(wish())
        fresh = consigned(la)
    old = bridge.mailbox(KH)
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await agreed(kh)
        await revoke(bridge, kh, KH, used(bridge, KH).key_id)
        async with bridge.node(LA) as la:
            size = kh.logs.directory.size
            await eventually(lambda: la.logs.directory.size == size and consigned(la) != fresh)
            await la.watching.look()
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            session = la.line._session
            assert session is not None
            await eventually(lambda: not session.pumps._tasks)
            assert consigned(la) == [("refused", "key_revoked"), ("logged", None)]
            assert events(la, bulletin) == ["refused", "submitted", "handover", "accepted"]
        assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [bulletin.hex()]
    assert old.exists()  # it still opens what was sealed to it before


async def test_lost_private_halves_are_replaced_and_their_alarms_end(bridge: Bridge) -> None:
    """The disk lost a file: all weeks are made anew, and what was sealed to it comes again."""
    await enrolled(bridge)
    bridge.mailbox(KH).unlink()
    office = bridge.offices[KH]
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        async with bridge.broker_running():
            await opened(la)
            bulletin = await la.send(wish())
            await eventually(lambda: "mailbox_key_missing" in codes(kh))
            now = bridge.clock()
            done = await asyncio.to_thread(
                lambda: rotate_mailbox(office, None, SECRET, now=now, replace=True)
            )
            await register(kh, done.made.operation)
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            await eventually(lambda: "mailbox_halves_missing" not in codes(kh))
        async with bridge.broker_running():  # the next session looks through what is left
            await eventually(lambda: codes(kh) == [])


async def test_what_was_logged_is_consigned_anew_when_its_mailbox_is_revoked(
    bridge: Bridge,
) -> None:
    """In the log and not handed over: nobody could ever take it as it is."""
    await enrolled(bridge)
    async with bridge.broker_running(), bridge.node(LA) as la:
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["submitted"])
        await agreed(la)
        await revoke(bridge, la, KH, used(bridge, KH).key_id)
        await eventually(lambda: events(la, bulletin) == ["submitted", "consigned"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert len(kh.bulletins.inbox(0, 9)) == 1
        assert la.db.rows("SELECT attempts FROM deliveries") == [(2,)]
        assert la.alarms.standing() == []


async def test_what_was_logged_is_consigned_anew_when_the_node_key_is_replaced(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stolen node key is revoked: what it consigned goes again under the new one, by itself."""
    monkeypatch.setattr(anew, "PAGE", 2)
    await enrolled(bridge)
    office = bridge.offices[LA]
    async with bridge.broker_running():
        async with bridge.node(LA) as la:
            await agreed(la)
            sent = [await la.send(wish()) for _ in range(5)]
            await eventually(lambda: all(states(la, one) == ["submitted"] for one in sent))
            added = await asyncio.to_thread(
                lambda: add_key(office, Role.NODE, SECRET, now=bridge.clock(), cost=CHEAP)
            )
            await register(la, added.operation)
            stolen = la.key.key_id
        await asyncio.to_thread(lambda: activate(office, Role.NODE))
        async with bridge.node(LA) as la:
            await eventually(lambda: la.line.state.state == "open")
            assert la.key.key_id != stolen
            await revoke(bridge, la, LA, stolen)
            await eventually(lambda: events(la, sent[0]) == ["submitted", "consigned"])
            async with bridge.node(KH) as kh:
                await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))
                assert len(kh.bulletins.inbox(0, 9)) == 5


async def test_private_halves_are_destroyed_when_clock_and_witnesses_say_so(
    bridge: Bridge,
) -> None:
    await enrolled(bridge)
    first = bridge.mailbox(KH)
    key = used(bridge, KH)
    assert key.open_until is not None
    days = (key.open_until - bridge.clock()) // DAY_MS + 2
    bridge.node_clock.ahead += days * DAY_MS
    async with bridge.node(KH) as kh:  # its clock alone says so: no head is heard that old
        await kh.watching.look()
        assert first.exists()
        assert first.stat().st_size > 100
    bridge.clock.ahead += days * DAY_MS
    async with bridge.broker_running(), bridge.node(LA), bridge.node(KH) as kh:
        await eventually(lambda: kh.watching.mailboxes.witnessed() > (key.open_until or 0))
        await kh.watching.look()
        assert not first.exists()
        left = sorted(path.name for path in first.parent.iterdir())
        assert len(left) == LIMITS.mailbox_first_weeks - 1
        assert [alarm.code for alarm in kh.alarms.standing()] == ["mailbox_runs_out"]
