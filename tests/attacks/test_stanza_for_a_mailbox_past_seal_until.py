"""A sender seals to a mailbox key whose time to seal is over.

Its private half was stolen in a raid, or is about to be destroyed: nothing may be sealed to it any
more, whoever asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from saphan.keys.keyfiles import SecretKey, write_plain
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.directory_records import Change
from saphan_schemas.frames import Submission
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import BatchSignature, Role
from support.agency import Agency, Made, seed
from support.bridge import KH, LA, Bridge, agreed, eventually
from support.brokers import World
from support.ceremony import Ceremony
from support.corrupt import admits_anything
from support.hostile import Hostile
from support.roster import codes, operate
from support.session import Line

WEEK = 7 * DAY_MS


async def short_lived(world: World) -> MailboxKey:
    """kh.gpo's second mailbox key, for one week of sealing and four of opening."""
    agency = world.agencies[KH]
    chain = Ceremony(agency)
    chain.enrol()
    key = MailboxKey(seed("kh.gpo one week", 32))
    now = world.clock()
    change = Change("add", Role.MAILBOX, key.public, None, now + WEEK, now + 4 * WEEK)
    line = await world.line(KH)
    assert (await line.register(chain.operate([change]))).code is None
    await line.close()
    return key


def to_the_old_key(
    world: World, key: MailboxKey
) -> tuple[Made, Sequence[Submission], BatchSignature]:
    sender, recipient = world.agencies[LA], Agency(KH, world.clock())
    recipient.mailbox = key
    now = world.clock()
    made = sender.bulletin([KH], now, expires=now + DAY_MS)
    items, batch = sender.submissions([made], [recipient])
    return made, items, batch


async def test_a_hostile_sender_seals_to_it(world: World) -> None:
    key = await short_lived(world)
    line = await world.line(LA)
    _, items, batch = to_the_old_key(world, key)
    (result,) = await line.submit(items, batch)
    assert result.code is None  # in its week it is as good as any
    await line.close()
    world.clock.ahead = WEEK + 1000
    line = await world.line(LA)
    made, items, batch = to_the_old_key(world, key)
    (result,) = await line.submit(items, batch)
    assert result.code == "mailbox_ended"
    (refusal,) = result.indices
    assert (await line.entry(refusal))[0].type == "saphan/refused/1"
    assert await world.broker.store.stanzas([(made.bulletin_id, KH)]) == {}


async def test_a_corrupt_broker_logs_it(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipient's node judges again, at the entry's own time: though it holds the key, it
    hands nothing over, and the stanza stays where it is."""
    key = MailboxKey(seed("kh.gpo one week", 32))
    now = bridge.clock()
    change = Change("add", Role.MAILBOX, key.public, None, now + WEEK, now + 4 * WEEK)
    operation = await asyncio.to_thread(operate, bridge, KH, [change])
    write_plain(
        bridge.offices[KH].key_file(Role.MAILBOX, key.key_id),
        SecretKey(Role.MAILBOX, key.public, seed("kh.gpo one week", 32)),
    )
    async with bridge.broker_running() as broker:
        async with bridge.node(KH) as kh:
            await agreed(kh)
            await broker.admit_operation(operation)
        bridge.clock.ahead = bridge.node_clock.ahead = WEEK + 1000
        hostile = Hostile(bridge, LA, KH)
        recipient = Agency(KH, now)
        recipient.mailbox = key
        made = hostile.bulletin()
        admits_anything(monkeypatch)
        line = Line(hostile.agency, bridge.pins, bridge.clock, True)
        await line.connect(bridge.url)
        items, batch = hostile.agency.submissions([made], [recipient])
        (result,) = await line.submit(items, batch)
        assert result.code is None
        async with bridge.node(KH) as kh:
            await eventually(lambda: "admission_differs" in codes(kh))
            assert kh.db.rows("SELECT state, code FROM deliveries") == [
                ("submitted", "mailbox_ended")
            ]
            assert kh.bulletins.inbox(0, 9) == []
        rows = await broker.store.deliveries([(made.bulletin_id, KH)])
        assert rows[made.bulletin_id, KH].state == "submitted"
        await line.close()
