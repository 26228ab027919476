"""What cannot go on ends, and says so; what can go on is not hidden behind it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from saphan.node import recovery
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import MAX_ATTEMPTS, Deliveries, Delivery
from saphan_broker.sequencing import judging
from saphan_protocol.stanza import seal_stanza
from saphan_schemas.records import Marking
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.hostile import Hostile
from support.session import Line


async def test_a_recipient_that_never_opens_anything_ends_the_attempts(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(_: bytes, *rest: object) -> bytes:
        return seal_stanza(bytes(32), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("saphan.node.sealing.seal_stanza", spoiled)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: "not_consigned_anew" in [a.code for a in la.alarms.standing()])
            events = [e["event"] for e in la.bulletins.status(bulletin)["timeline"]]
            assert events.count("consigned") == MAX_ATTEMPTS - 1
            assert states(la, bulletin) == ["unopened"]


async def test_what_the_broker_refuses_for_good_is_an_alarm(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This node's own admission would refuse it; a newer broker may refuse what an older node
    takes."""
    monkeypatch.setattr("saphan.node.outbox.admit", lambda *_, **__: None)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            red = wish(marking=Marking("red", ("H1",)))
            red.about["handling"]["onward"] = "none"
            bulletin = await la.send(red)
            await eventually(lambda: states(la, bulletin) == ["refused"])
            (alarm,) = await eventually(la.alarms.standing)
            assert alarm.code == "bulletin_refused"
            assert bulletin.hex()[:16] in alarm.message
            assert "agreement_marking" in alarm.message


async def test_all_late_handovers_are_made_when_the_mailbox_key_is_back(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one portion of them: the first must not hide the rest until the next session."""
    monkeypatch.setattr(recovery, "PORTION", 2)
    async with bridge.broker_running():
        await bridge.enrol()
        key = bridge.mailbox(KH)
        away = key.rename(bridge.place / key.name)
        async with bridge.node(LA) as la:
            await agreed(la)
            async with bridge.node(KH) as kh:
                sent = [await la.send(wish()) for _ in range(5)]
                missing = "SELECT 1 FROM deliveries WHERE code = 'mailbox_key_missing'"
                await eventually(lambda: len(kh.db.rows(missing)) == len(sent))
            away.rename(key)
            async with bridge.node(KH):
                await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))


def test_attempts_counted_meanwhile_are_not_forgotten(tmp_path: Path) -> None:
    """A frame's deliveries are read before, and kept after, another thread consigned anew."""
    name, db = (b"b" * 32, KH), Database(tmp_path / "data")
    first = Deliveries(db, ())
    first.add(*name, Delivery(LA, "unopened", 1, attempts=1))
    with db.transaction() as tx:
        first.keep(tx)
    frame = Deliveries(db, [name[0]])
    with db.transaction() as tx:
        tx.execute("UPDATE deliveries SET attempts = attempts + 1")
    read = frame.get(*name)
    assert read is not None
    read.touched = True
    with db.transaction() as tx:
        frame.keep(tx)
    assert db.rows("SELECT attempts FROM deliveries") == [(2,)]
    db.close()


async def test_two_bulletins_with_one_nonce_are_not_both_taken(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sender and broker agree to lie: what would not be kept is not handed over either."""
    facts, same = judging.Bulletin._facts, msgspec.structs.replace
    monkeypatch.setattr(
        judging.Bulletin, "_facts", lambda *given: same(facts(*given), nonce=os.urandom(16))
    )
    async with bridge.broker_running():
        await bridge.enrol()
        hostile = Hostile(bridge, LA, KH)
        header = hostile.agency.header
        monkeypatch.setattr(hostile.agency, "header", lambda *a: same(header(*a), nonce=b"n" * 16))
        line = Line(hostile.agency, bridge.pins, bridge.clock, True)
        async with bridge.node(KH) as kh:
            await agreed(kh)
            await line.connect(bridge.url)
            made = [hostile.bulletin() for _ in range(3)]
            for part in (made[:2], made[2:]):  # beside each other, and one after the other
                results = await line.submit(*hostile.submissions(part))
                assert {result.code for result in results} == {None}
            refused = "SELECT bulletin FROM deliveries WHERE code = 'replay'"
            await eventually(lambda: len(kh.db.rows(refused)) == 2)
            await eventually(lambda: kh.bulletins.inbox(0, 9))
            assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [made[0].bulletin_id.hex()]
            assert kh.db.rows("SELECT DISTINCT bulletin FROM statements") == [
                (made[0].bulletin_id,)
            ]
            assert [alarm.code for alarm in kh.alarms.standing()] == ["admission_differs"]
        await line.close()
