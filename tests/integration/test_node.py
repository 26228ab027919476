"""Two real nodes and a real broker, over real sockets and files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from saphan.compose import Wish
from saphan.node.effects import Effects
from saphan.node.engine import Engine
from saphan_protocol.stanza import seal_stanza
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.frames import Feed
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, opened, states, wish


async def test_a_bulletin_goes_the_whole_way(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert [row["id"] for row in kh.bulletins.inbox(0, 10)] == [bulletin.hex()]
            content = await kh.read_by_system(bulletin)
            assert content["content"] == {
                "about": wish().about,
                "attachments": [],
                "body": wish().body,
            }
            await eventually(
                lambda: (
                    [e["event"] for e in la.bulletins.status(bulletin)["timeline"]]
                    == ["submitted", "handover", "accepted", "read"]
                )
            )
            assert la.alarms.standing() == kh.alarms.standing() == []
            # The other agency has cosigned the newest head, and the sender's node knows it.
            await eventually(
                lambda: (
                    [KH in e["witnesses"] for e in la.bulletins.status(bulletin)["timeline"]]
                    == [True] * 4
                )
            )


async def test_what_is_sent_without_a_line_goes_when_the_broker_comes(bridge: Bridge) -> None:
    """The broker stops; a bulletin is taken all the same; the broker comes back; it arrives."""
    async with bridge.broker_running():
        await bridge.enrol()
    async with bridge.node(KH) as kh:
        async with bridge.broker_running(), bridge.node(LA) as la:
            await agreed(la)
            await agreed(kh)
        async with bridge.node(LA) as la:
            bulletin = await la.send(wish())
            assert states(la, bulletin) == ["queued"]
        # The sender's node stops and starts: what was answered with an id is still there.
        async with bridge.node(LA) as la, bridge.broker_running():
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert len(kh.bulletins.inbox(0, 10)) == 1


async def test_a_recipient_that_was_away_gets_everything_once(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            sent = await asyncio.gather(*(la.send(wish()) for _ in range(70)))
            found: list[str] = []
            for _ in range(2):  # the second start finds everything done
                async with bridge.node(KH) as kh:
                    await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))
                    found = [row["id"] for row in kh.bulletins.inbox(0, 500)]
            assert sorted(found) == sorted(one.hex() for one in sent)


async def test_a_lost_store_is_filled_again_from_the_log(bridge: Bridge) -> None:
    """kh.gpo loses node.db, keeps its keys: every entry comes again, nothing is stated twice."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await la.send(wish())
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                await eventually(lambda: states(kh, bulletin) == ["accepted"])
            for path in (bridge.place / KH / "node" / "data").glob("node.db*"):
                path.unlink()
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(kh, bulletin) == ["accepted"])
                content = await kh.read_by_system(bulletin)
                assert content["content"]["body"] == wish().body
                await eventually(
                    lambda: (
                        [e["event"] for e in la.bulletins.status(bulletin)["timeline"]]
                        == ["submitted", "handover", "accepted", "read"]
                    )
                )
                assert kh.db.rows("SELECT 1 FROM statements WHERE state = 'refused'") == []
                assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [bulletin.hex()]


async def test_two_nodes_on_one_directory_are_refused(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node(LA):
        with pytest.raises(OperatorError) as caught:
            async with bridge.node(LA):
                pass
    assert caught.value.code == "node_locked"


async def test_a_hostile_sender_gets_a_rejection_that_only_it_can_read(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """la.ospp's program seals a body that breaks the schema; kh.gpo says so, sealed to la.ospp."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            wrong = wish()
            wrong.body["cells"][0]["value"] = "many"
            monkeypatch.setattr("saphan.compose.validate_content", lambda *_: None)
            bulletin = await la.send(wrong)
            await eventually(lambda: states(la, bulletin) == ["rejected"])
            event = la.bulletins.status(bulletin)["timeline"][-1]
            assert (event["event"], event["code"]) == ("rejected", "schema_invalid")
            assert "/body/cells/0/value" in event["detail"]
            assert kh.bulletins.inbox(0, 9) == []
            with pytest.raises(Refused, match="not_readable"):
                await kh.read_by_system(bulletin)
            statement = kh.db.row("SELECT body FROM statements WHERE event = 'rejected'")
            assert statement is not None
            assert b"cells" not in statement[0]


async def test_what_did_not_open_is_consigned_anew(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stanza is spoiled; the recipient says unopened; the second one opens; same id."""
    whole = seal_stanza
    made: list[int] = []

    def spoiled(key: bytes, *rest: object) -> bytes:
        made.append(1)
        return whole(key if len(made) > 1 else bytes(32), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("saphan.node.sealing.seal_stanza", spoiled)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert [e["event"] for e in la.bulletins.status(bulletin)["timeline"]] == [
                "submitted",
                "handover",
                "unopened",
                "consigned",
                "handover",
                "accepted",
            ]
            assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [bulletin.hex()]


async def test_an_older_recipient_answers_after_its_upgrade(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kh.gpo's program lacks the schema: it neither rejects nor shows, and answers once it can."""

    def lacks(*_: object) -> None:
        raise InvalidInput("schema_unknown", "this program has no such type")

    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            with monkeypatch.context() as older:
                older.setattr("saphan.node.judging.validate_content", lacks)
                async with bridge.node(KH) as kh:
                    bulletin = await la.send(wish())
                    await eventually(
                        lambda: kh.db.rows("SELECT 1 FROM deliveries WHERE code = 'schema_unknown'")
                    )
                    assert kh.bulletins.inbox(0, 9) == []
            assert states(la, bulletin) == ["handed_over"]
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                assert len(kh.bulletins.inbox(0, 9)) == 1


async def test_without_its_mailbox_key_a_node_does_not_hand_over(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        key = bridge.mailbox(KH)
        away = key.rename(bridge.place / key.name)
        async with bridge.node(LA) as la:
            await agreed(la)
            async with bridge.node(KH) as kh:
                bulletin = await la.send(wish())
                codes = ["mailbox_halves_missing", "mailbox_key_missing"]
                await eventually(lambda: sorted(a.code for a in kh.alarms.standing()) == codes)
            await eventually(lambda: states(la, bulletin) == ["submitted"])
            away.rename(key)
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, bulletin) == ["accepted"])


async def test_a_node_with_a_wrong_clock_says_so_and_keeps_what_it_has(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        bridge.node_clock.ahead = 86_400_000
        async with bridge.node(LA) as la:
            await eventually(lambda: la.line.state.code == "clock_skew")
            assert la.line.state.state == "waiting"
            assert "clock_skew" in [alarm.code for alarm in la.alarms.standing()]


async def test_a_stanza_that_changed_on_the_line_is_asked_for_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bit of the stanza flips in the feed; the second answer is whole, nobody consigns anew."""
    take = Engine.take_feed
    flipped: list[int] = []

    def flip(engine: Engine, frame: Feed) -> Effects:
        entries = []
        for entry in frame.entries:
            if entry.stanza is not None and not flipped:
                flipped.append(entry.index)
                changed = bytes([entry.stanza[0] ^ 1]) + entry.stanza[1:]
                entry = msgspec.structs.replace(entry, stanza=changed)
            entries.append(entry)
        return take(engine, msgspec.structs.replace(frame, entries=tuple(entries)))

    monkeypatch.setattr(Engine, "take_feed", flip)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert flipped
            events = [e["event"] for e in la.bulletins.status(bulletin)["timeline"]]
            assert events == ["submitted", "handover", "accepted"]


async def test_one_bulletin_goes_to_two_agencies_each_in_its_own_corridor(tmp_path: Path) -> None:
    """vn.vks is away at first: kh.gpo's answer does not wait, and neither sees the other's."""
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            one = wish()
            both = Wish(to=(VN, KH), schema=one.schema, about=one.about, body=one.body)
            bulletin = await la.send(both)
            await eventually(lambda: states(la, bulletin) == ["accepted", "submitted"])
            async with bridge.node(VN) as vn:
                await eventually(lambda: states(la, bulletin) == ["accepted", "accepted"])
                assert (await vn.read_by_system(bulletin))["content"]["body"] == one.body
            seen = {e["recipient"] for e in kh.bulletins.status(bulletin)["timeline"]}
            assert seen == {KH}
            seen = {e["recipient"] for e in la.bulletins.status(bulletin)["timeline"]}
            assert seen == {KH, VN}
