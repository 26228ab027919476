"""Days that follow from what comes later: answered, cancelled, ended, rejected; and records'."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from saphan.agreements.terms import first_terms, parse_terms
from saphan.node.retaining.reviews import Decision
from saphan.node.service import NodeService
from saphan.retention.reckoning import add_months
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.retention import default_table
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states, wish
from support.threads import accepted, known, letter, related

Json = dict[str, Any]
AMBER = {"tlp": "amber"}


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def shown(node: NodeService, bulletin: bytes) -> Json:
    """How it stands once all days are reckoned."""
    await node.engine.in_frames(node.retention.sweeping.begin)
    await node.engine.in_reading(node.retention.sweeping.reckoner.finish)
    return await node.retention.shown(bulletin)


async def closed(node: NodeService, bulletin: bytes) -> str | None:
    found: str | None = (await shown(node, bulletin))["closing"]
    return found


async def test_an_answered_request_is_closed_at_both_ends(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)
            request = await accepted(la, letter("info_request", (KH,)))
            await known(kh, request)
            for node in (la, kh):
                assert await closed(node, request) is None
            interim = await accepted(kh, letter("info_reply", (LA,), request))
            await known(la, interim)
            assert await closed(la, request) is None
            final = await accepted(kh, letter("info_reply_final", (LA,), request))
            await known(la, final)
            today = bridge.clock() // DAY_MS
            for node in (la, kh):
                for one in (request, interim, final):
                    assert await closed(node, one) == "closed"
                    found = await shown(node, one)
                    assert found["closed"] == today
                    # Closed: kept for two years at most, and asked about when its author wants.
                    assert found["planned"] <= add_months(today, 24)


async def test_what_answers_an_erased_request_is_closed_with_it(bridge: Bridge) -> None:
    """Else it would stay until its own last day, years after the request that it answers."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)
            request = await accepted(la, letter("info_request", (KH,)))
            interim = await accepted(kh, letter("info_reply", (LA,), request))
            await known(la, interim)
            assert await closed(la, interim) is None
            await la.retention.decide(request, Decision("erase", "keeper", "the case is over"))
            assert await closed(la, interim) == "closed"
            final = await accepted(kh, letter("info_reply_final", (LA,), request))
            await known(la, final)
            for one in (interim, final):
                assert await closed(la, one) == "closed"


async def test_a_notice_about_the_wrong_person_goes_within_thirty_days(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            notice = await accepted(la, letter("subject_notice", (KH,), marking=AMBER))
            cancel = letter(
                "subject_notice_cancelled",
                (KH,),
                notice,
                marking=AMBER,
                body_cancel_reason="wrong_person",
            )
            cancelled = await accepted(la, cancel)
            await known(kh, cancelled)
            today = bridge.clock() // DAY_MS
            for node in (la, kh):
                for one in (notice, cancelled):
                    found = await shown(node, one)
                    assert (found["closing"], found["rule"]) == ("wrong_person", "cancelled")
                    assert found["day"] == today + 30


async def test_the_wrong_person_counts_for_every_version_and_after_another_end(
    bridge: Bridge,
) -> None:
    """What was corrected before, and what was cancelled for another reason before."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            first = await accepted(la, letter("subject_notice", (KH,), marking=AMBER))
            relations = [related("corrects", first)]
            newer = letter(
                "subject_notice",
                (KH,),
                marking=AMBER,
                about_relations=relations,
                about_message_kind="correction",
            )
            second = await accepted(la, newer)
            matter = [first, second]
            for reason, word in (("found", "cancelled"), ("wrong_person", "wrong_person")):
                cancel = letter(
                    "subject_notice_cancelled",
                    (KH,),
                    matter[-1],
                    marking=AMBER,
                    body_cancel_reason=reason,
                )
                matter.append(await accepted(la, cancel))
                await known(kh, matter[-1])
                for node in (la, kh):
                    assert {await closed(node, one) for one in matter} == {word}


async def test_an_operation_ends_with_its_result(bridge: Bridge) -> None:
    """The proposal is not named by the result: what lies between says that they are one matter."""
    first = parse_terms(first_terms((LA, KH), datetime.now(UTC).date()))
    async with bridge.broker_running():
        await bridge.enrol(rules=first.rules)  # up to red, which operations are marked
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)
            proposal = await accepted(la, letter("controlled_delivery", (KH,)))
            await known(kh, proposal)
            consent = await accepted(kh, letter("controlled_delivery_consent", (LA,), proposal))
            await known(la, consent)
            assert await closed(la, proposal) is None
            result = await accepted(la, letter("controlled_delivery_result", (KH,), consent))
            await known(kh, result)
            for node in (la, kh):
                for one in (proposal, consent, result):
                    assert await closed(node, one) == "ended"


async def test_what_was_rejected_stays_for_a_while_only(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            wrong = wish()
            wrong.body["cells"][0]["value"] = "many"
            monkeypatch.setattr("saphan.compose.validate_content", lambda *_: None)
            bulletin = await la.send(wrong)
            await eventually(lambda: states(kh, bulletin) == ["rejected"])
            found = await shown(kh, bulletin)
            days = default_table().rejected_days
            assert (found["day"], found["rule"]) == (bridge.clock() // DAY_MS + days, "rejected")
            assert (await shown(la, bulletin))["rule"] != "rejected"


async def test_records_go_after_their_own_life(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            gone, other = [await accepted(la, wish()) for _ in range(2)]
            await known(kh, other)
            await kh.engine.in_frames(lambda: kh.retention.sweeping.erasing.erase([gone], "order"))
            kh.line.wake_statements()
            await eventually(lambda: len(said(kh, gone)) == 1)
            forgetting = kh.retention.sweeping.forgetting
            last = (await shown(kh, gone))["retain_until"]
            assert await kh.engine.in_frames(lambda: forgetting.look(last)) == 0
            over = last + LIMITS.record_days
            assert await kh.engine.in_frames(lambda: forgetting.look(over)) == 1
            for table, column in (
                ("bulletins", "id"),
                ("entries", "bulletin"),
                ("statements", "bulletin"),
                ("deliveries", "bulletin"),
            ):
                query = f"SELECT count(*) FROM {table} WHERE {column} = ?"  # noqa: S608 - constants
                assert kh.db.rows(query, (gone,)) == [(0,)]
                assert kh.db.rows(query, (other,)) != [(0,)]
            assert kh.db.rows("SELECT count(*) FROM retention") == [(1,)]
        # It starts and goes on: the corridor's next entry follows the one that was forgotten.
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            assert await accepted(la, wish())
            assert kh.alarms.standing() == []


def said(node: NodeService, bulletin: bytes) -> list[object]:
    query = "SELECT 1 FROM entries WHERE bulletin = ? AND event = 'erased'"
    return list(node.db.rows(query, (bulletin,)))
