"""What the broker says by itself, at both nodes: heard, shown, checked, and no end of anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan.cli.render import status_lines
from saphan.node.rows.statements import Said, keep_statements, sign_statements
from saphan.node.service import NodeService
from saphan_broker.sequencing import own_words
from saphan_broker.sequencing.work import Expiry
from saphan_protocol.aftermath import Aftermath, advance
from saphan_protocol.delivery import State
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Event
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states, wish

HOUR_MS = 60 * 60_000


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def lacks(*_: object) -> None:
    raise InvalidInput("schema_unknown", "this program has no such type")


def alarms(node: NodeService) -> set[str]:
    return {alarm.code for alarm in node.alarms.standing()}


def after(bridge: Bridge, millis: int) -> None:
    bridge.clock.ahead += millis
    bridge.node_clock.ahead += millis


async def sent(bridge: Bridge, la: NodeService, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A bulletin that KH has handed over, and does not answer: its program lacks the schema."""
    await agreed(la)
    now = bridge.clock()
    with monkeypatch.context() as older:
        older.setattr("saphan.node.judging.validate_content", lacks)
        async with bridge.node(KH) as kh:
            bulletin = await la.send(wish(expires=now + 20 * HOUR_MS, answer_by=now + HOUR_MS))
            await eventually(lambda: states(la, bulletin) == ["handed_over"])
            await eventually(
                lambda: kh.db.rows("SELECT 1 FROM deliveries WHERE code = 'schema_unknown'")
            )
    return bulletin


async def test_sender_and_recipient_are_told_and_a_later_answer_counts(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: handed over, not answered for two hours; then kh.gpo's program is brought up to
    date, accepts, and an officer's system reads it."""
    async with bridge.node(LA) as la:
        bulletin = await sent(bridge, la, monkeypatch)
    after(bridge, 2 * HOUR_MS)
    async with bridge.node(LA) as la:
        with la.events.listen() as told:
            event: dict[str, Any] | None = {}
            while event is not None and event.get("event") != "unanswered":
                event = await told.next(60)
        assert event is not None
        assert (event["id"], event["recipient"], event["code"]) == (bulletin.hex(), KH, "no_answer")
        assert states(la, bulletin) == ["unanswered"]
        text = "\n".join(status_lines(la.bulletins.status(bulletin)))
        assert f"{KH}: Delivered but not answered in time (no_answer)" in text
        assert "Not answered in time" in text
        with monkeypatch.context() as older:
            older.setattr("saphan.node.judging.validate_content", lacks)
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(kh, bulletin) == ["unanswered"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            await eventually(lambda: states(kh, bulletin) == ["accepted"])
            assert [one["event"] for one in kh.bulletins.status(bulletin)["timeline"]] == [
                "submitted",
                "handover",
                "unanswered",
                "accepted",
            ]
            await kh.read_by_system(bulletin)
            await eventually(lambda: states(la, bulletin) == ["read"])
            await eventually(lambda: states(kh, bulletin) == ["read"])
            assert not alarms(la) | alarms(kh)


async def test_a_restored_node_steps_through_the_same_states(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole log is judged anew from its start, with the broker's words in it."""
    async with bridge.node(LA) as la:
        bulletin = await sent(bridge, la, monkeypatch)
    after(bridge, 2 * HOUR_MS)
    async with bridge.node(LA) as la:
        await eventually(lambda: states(la, bulletin) == ["unanswered"], 60)
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            await kh.read_by_system(bulletin)
            await eventually(lambda: states(la, bulletin) == ["read"])
        size = la.logs.after or 0
    store = list((bridge.place / KH / "node/data").glob("node.db*"))
    assert store
    for path in store:
        path.unlink()
    async with bridge.node(KH) as kh:
        await eventually(lambda: (kh.logs.after or 0) >= size)
        assert states(kh, bulletin) == ["read"]


@pytest.mark.parametrize(
    ("says", "wanted"),
    [
        ((Event.UNANSWERED, "no_answer"), "unanswered_early"),
        ((Event.UNANSWERED, "no_outcome"), "code_unknown"),
        ((Event.EXPIRED, "no_outcome"), "expired_early"),
        ((Event.EXPIRED, "undelivered"), "expired_code"),
    ],
)
async def test_a_broker_that_lies_about_time_is_named_by_both_nodes(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, says: tuple[Event, str], wanted: str
) -> None:
    """It waits for no witness and no deadline, and says what it likes of a delivery that was handed
    over a moment ago. The nodes go on as its log says: that is what everybody will be shown."""
    monkeypatch.setattr("saphan_broker.sequencing.own_words.said_by_time", lambda *_: says)
    async with bridge.node(LA) as la:
        bulletin = await sent(bridge, la, monkeypatch)
        work = bridge.broker._sweep._submit(Expiry(bulletin, LA, KH, 2**50))
        await work.outcome
        await eventually(lambda: wanted in alarms(la))
        assert states(la, bulletin) == [says[0].value]
        async with bridge.node(KH) as kh:
            await eventually(lambda: wanted in alarms(kh))


async def test_a_node_that_hears_it_all_at_once_names_the_lie_too(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was down: bulletin and untimely end come to it in one frame."""
    early = (Event.EXPIRED, "undelivered")
    monkeypatch.setattr("saphan_broker.sequencing.own_words.said_by_time", lambda *_: early)
    async with bridge.node(LA) as la:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["submitted"])
        await bridge.broker._sweep._submit(Expiry(bulletin, LA, KH, 2**50)).outcome
        await eventually(lambda: "expired_early" in alarms(la))
    async with bridge.node(KH) as kh:
        await eventually(lambda: states(kh, bulletin) == ["expired"])
        assert "expired_early" in alarms(kh)


async def test_a_refusal_that_is_dated_after_its_entry_is_an_alarm(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = own_words.broker_statement

    def later(event: Event, bulletin: bytes, digest: bytes, time: int, code: str) -> Any:
        return honest(event, bulletin, digest, time + HOUR_MS, code)

    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        monkeypatch.setattr(own_words, "broker_statement", later)
        says(kh, bulletin, Event.DECLINED, "court_order")  # nobody recalled it: refused
        await eventually(lambda: "stated_in_future" in alarms(kh))


def says(node: NodeService, bulletin: bytes, event: Event, code: str) -> None:
    """What no node of ours would say at this time."""
    ((digest,),) = node.db.rows("SELECT digest FROM bulletins WHERE id = ?", (bulletin,))
    said = Said(
        event=event,
        bulletin=bulletin,
        ciphertext=digest,
        sender=LA,
        recipient=KH,
        time=node.config.clock(),
        code=code,
    )
    with node.db.transaction() as tx:
        keep_statements(tx, *sign_statements(node.key, node.agency, [said]))
    node.line.wake_statements()


async def test_a_second_reading_stops_the_node_as_every_illegal_order_does(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_all(state: State, after: Aftermath, event: Event) -> tuple[State, Aftermath]:
        return (State.READ, after) if event is Event.READ else advance(state, after, event)

    monkeypatch.setattr("saphan_broker.sequencing.saying.advance", takes_all)
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(kh, bulletin) == ["accepted"])
        await kh.read_by_system(bulletin)
        await eventually(lambda: states(kh, bulletin) == states(la, bulletin) == ["read"])
        bridge.node_clock.ahead += 1  # other bytes
        says(kh, bulletin, Event.READ, "system")
        for node in (la, kh):
            await eventually(lambda: node.line.state.state == "stopped")  # noqa: B023
            assert "already_read" in alarms(node)


async def test_what_belongs_into_another_corridor_is_not_believed(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker logs a refusal as a step of a delivery: nothing of the frame is kept."""
    refused = (Event.REFUSED, "expired")
    monkeypatch.setattr(own_words, "said_by_time", lambda *_: refused)
    monkeypatch.setattr(own_words, "step", lambda state, _: state)
    monkeypatch.setattr(own_words, "Step", str)
    async with bridge.node(LA) as la:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["submitted"])
        before = la.logs.after
        await bridge.broker._sweep._submit(Expiry(bulletin, LA, KH, 2**50)).outcome
        await eventually(lambda: "corridor_wrong" in alarms(la))
        assert la.logs.after == before


async def test_an_order_that_the_table_does_not_allow_stops_the_node(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker logs the same warning a second time: nothing of the frame is kept."""
    async with bridge.node(LA) as la:
        bulletin = await sent(bridge, la, monkeypatch)
        submit = bridge.broker._sweep._submit
        await submit(Expiry(bulletin, LA, KH, 2**50)).outcome
        await eventually(lambda: states(la, bulletin) == ["unanswered"], 60)
        before = la.logs.after
        monkeypatch.setattr(
            "saphan_broker.sequencing.own_words.said_by_time",
            lambda *_: (Event.UNANSWERED, "no_answer"),
        )
        monkeypatch.setattr("saphan_broker.sequencing.own_words.step", lambda state, _: state)
        await submit(Expiry(bulletin, LA, KH, 2**50)).outcome
        await eventually(lambda: "order_illegal" in alarms(la))
        assert la.logs.after == before
        assert la.line.state.state != "open"
