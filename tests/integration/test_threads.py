"""Requests, replies and corrections between real nodes: who owes what by when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from saphan.cli.render import status_lines
from saphan.cli.thread_lines import thread_lines
from saphan.node.telling.warnings import Warnings
from saphan.node.threads.book import ThreadBook
from saphan_schemas.errors import InvalidInput, Refused
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states
from support.notices import Office
from support.threads import HOUR_MS, accepted, after, known, letter, owed, related


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


@pytest.fixture(autouse=True)
def resting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test looks at deadlines when it says so."""

    async def rest(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Warnings, "run", rest)


def part(node: Any, bulletin: bytes) -> dict[str, Any]:
    (found,) = node.bulletins.status(bulletin)["owed"]
    assert isinstance(found, dict)
    return found


def rfc3339(millis: int) -> str:
    return datetime.fromtimestamp(millis // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_delay_is_announced_and_both_sides_see_the_same(
    bridge: Bridge,
) -> None:
    """Timeline: asked for 8 hours; one answer and a delay of three days, which go by."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await kh.send(letter("info_request", (LA,)))
        assert owed(kh, request) == [(LA, "undelivered")]
        await eventually(lambda: states(kh, request) == ["accepted"])
        await known(la, request)
        found = part(kh, request)
        assert found["due"] == found["accepted"] + 8 * HOUR_MS
        assert found["clock"]["zone"] == "Asia/Vientiane"
        assert part(la, request) == found
        assert found["state"] == "waiting"

        delay = {
            "reason": "judicial_authorisation",
            "expected_at": rfc3339(found["accepted"] + 72 * HOUR_MS),
        }
        first = await accepted(la, letter("info_reply", (KH,), request, body_delay=delay))
        for node in (la, kh):
            now = part(node, request)
            assert [one["state"] for one in now["questions"]] == ["answered", "interim"]
            assert (now["state"], now["late"], now["replies"]) == ("interim", False, [first.hex()])
        after(bridge, 71)
        assert part(kh, request)["state"] == "interim"
        after(bridge, 2)
        assert part(kh, request)["state"] == part(la, request)["state"] == "overdue"
        text = "\n".join(status_lines(kh.bulletins.status(request)))
        assert f"OVERDUE: {LA} owed an answer by" in text
        assert "question 2: announced" in text


async def test_what_is_answered_in_the_end_and_then_corrected(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(kh, letter("info_request", (LA,)))
        await known(la, request)
        first = await accepted(la, letter("info_reply", (KH,), request))
        after(bridge, 9)
        last = await accepted(la, letter("info_reply_final", (KH,), request))
        for node in (la, kh):
            now = part(node, request)
            assert (now["state"], now["late"]) == ("answered", True)
            assert [one["reply"] for one in now["questions"]] == [first.hex(), last.hex()]

        relations = [related("in_reply_to", request), related("corrects", last)]
        better = letter(
            "info_reply_final",
            (KH,),
            request,
            about_message_kind="correction",
            about_relations=relations,
        )
        correction = await accepted(la, better)
        for node in (la, kh):
            now = part(node, request)
            assert now["replies"] == [first.hex(), correction.hex()]
            thread = node.bulletins.threads.thread(first)
            rows = [bytes.fromhex(row["id"]) for row in thread["bulletins"]]
            assert rows == [request, first, last, correction]
            assert thread["bulletins"][2]["replaced_by"] == [correction.hex()]
            assert [row["outcome"] for row in thread["bulletins"]] == [
                None, "interim", "full", "full",
            ]  # fmt: skip
            shown = "\n".join(thread_lines(thread))
            assert f"{correction.hex()[:16]} took its place" in shown
            assert f"answers {request.hex()[:16]}" in shown


async def test_what_breaks_a_thread_is_refused_at_the_sender_with_the_fix(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(kh, letter("info_request", (LA,)))
        await known(la, request)

        async def refused(wish: Any) -> str:
            with pytest.raises(Refused) as error:
                await la.send(wish)
            assert error.value.field
            assert error.value.hint
            return error.value.code

        assert await refused(letter("info_reply", (KH,))) == "relation_unknown"
        foreign = letter(
            "info_request", (KH,), about_relations=[related("corrects", request)],
            about_message_kind="correction",
        )  # fmt: skip
        assert await refused(foreign) == "relation_foreign"
        nothing = letter(
            "info_request", (KH,), about_relations=[related("related", request)],
            about_message_kind="cancel",
        )  # fmt: skip
        assert await refused(nothing) == "relation_missing"
        assert la.db.row("SELECT count(*) FROM relations") == (0,)


async def test_a_false_correction_is_rejected_by_the_recipient(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LA's node is not what it should be: it lets out a correction of KH's own bulletin."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        original = await accepted(kh, letter("training_notice", (LA,)))
        monkeypatch.setattr(ThreadBook, "check", lambda *_: None)
        false = letter(
            "training_notice", (KH,), about_message_kind="correction",
            about_relations=[related("corrects", original)],
        )  # fmt: skip
        bulletin = await la.send(false)
        await eventually(lambda: states(la, bulletin) == ["rejected"])
        (event,) = [
            one for one in la.bulletins.status(bulletin)["timeline"] if one["event"] == "rejected"
        ]
        assert event["code"] == "relation_refused"
        assert "/about/relations/0" in event["detail"]
        assert kh.bulletins.status(original)["replaced_by"] == []
        assert la.bulletins.status(original)["replaced_by"] == []
        assert kh.db.row("SELECT count(*) FROM relations") == (0,)


async def test_legal_assistance_is_acknowledged_and_then_told_of(bridge: Bridge) -> None:
    """By working days, which the node counts without holidays, and says so."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(la, letter("mla_request", (KH,)))
        await known(kh, request)
        found = part(la, request)
        assert (found["what"], found["state"]) == ("acknowledgement", "waiting")
        assert found["clock"]["holiday_file_missing"]
        text = "\n".join(status_lines(kh.bulletins.status(request)))
        assert f"{KH} owes an acknowledgement by" in text
        assert "no holiday file for KH" in text
        after(bridge, 24 * 9)
        assert [one["share"] for one in la.warnings.look()] == [100]
        word = letter(
            "mla_request", (LA,), about_message_kind="update",
            about_relations=[related("in_reply_to", request)],
            body_execution={"state": "received", "since": "2026-01-05"},
        )  # fmt: skip
        told = await accepted(kh, word)
        assert part(la, request) == part(kh, request)
        found = part(la, request)
        assert (found["what"], found["state"], found["late"]) == ("status", "waiting", True)
        assert la.bulletins.status(told)["owed"] == []
        last = letter(
            "mla_request", (LA,), about_message_kind="update",
            about_relations=[related("in_reply_to", request), related("supersedes", told)],
            body_execution={"state": "executed", "since": "2026-01-06"},
        )  # fmt: skip
        await accepted(kh, last)
        assert owed(la, request) == [(KH, "answered")]
        after(bridge, 24 * 60)
        assert la.warnings.look() == []


async def test_a_day_that_is_announced_is_over_at_midnight_where_it_was_announced(
    bridge: Bridge,
) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(la, letter("mla_request", (KH,)))
        await known(kh, request)
        word = letter(
            "mla_request", (LA,), about_message_kind="update",
            about_relations=[related("in_reply_to", request)],
            body_execution={
                "state": "accepted", "since": "2026-01-05", "expected_on": "2098-12-01",
            },
        )  # fmt: skip
        await accepted(kh, word)
        over = datetime.fromisoformat("2098-12-02T00:00+07:00")
        found = part(la, request)
        assert found["until"] == found["expected"] == over.timestamp() * 1000
        assert part(kh, request) == found


async def test_a_corrected_or_cancelled_request_is_owed_by_nobody(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(kh, letter("info_request", (LA,)))
        better = letter(
            "info_request", (LA,), about_message_kind="correction",
            about_relations=[related("corrects", request)],
        )  # fmt: skip
        newer = await accepted(kh, better)
        await known(la, newer)
        assert owed(kh, request) == owed(la, request) == [(LA, "replaced")]
        assert owed(kh, newer) == [(LA, "waiting")]
        await accepted(la, letter("info_reply_final", (KH,), request))  # it crossed the correction
        assert owed(kh, newer) == owed(la, newer) == [(LA, "answered")]
        third = await accepted(kh, letter("info_request", (LA,)))
        await known(la, third)
        cancel = letter(
            "info_request", (LA,), about_message_kind="cancel",
            about_relations=[related("supersedes", third)],
        )  # fmt: skip
        ending = await accepted(kh, cancel)
        assert owed(kh, third) == owed(la, third) == [(LA, "replaced")]
        assert owed(kh, ending) == owed(la, ending) == []


async def test_who_owes_a_reply_and_who_waits_for_it_are_warned_once_of_each(
    bridge: Bridge,
) -> None:
    office = Office(bridge)
    office.set()
    async with bridge.node(KH) as kh, bridge.node(LA) as la:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,)))
        await known(kh, request)
        due = part(la, request)["due"]
        assert la.warnings.look() == []
        after(bridge, 4.1)
        for node in (la, kh):
            (event,) = node.warnings.look()
            assert event == {
                "type": "warning",
                "id": request.hex(),
                "sender": LA,
                "recipient": KH,
                "deadline": "reply",
                "at": due,
                "share": 50,
                "state": "waiting",
            }
            assert node.warnings.look() == []
        await office.after(kh, 0)
        (line,) = await eventually(lambda: [one for one in office.lines() if "warning" in one])
        assert line["warning"] == {"deadline": "reply", "share": 50}
        assert line["deadline"] == due
        after(bridge, 3.2)
        assert [one["share"] for one in kh.warnings.look()] == [90]
        after(bridge, 1)
        assert [one["share"] for one in kh.warnings.look()] == [100]  # and LA says the last only
        assert [(one["share"], one["state"]) for one in la.warnings.look()] == [(100, "overdue")]
        await accepted(kh, letter("info_reply_final", (LA,), request))
        after(bridge, 25)
        assert la.warnings.look() == kh.warnings.look() == []
        for node in (la, kh):
            assert node.db.row("SELECT count(*) FROM owed") == (0,)
            shares = [one["share"] for one in node.bulletins.status(request)["warnings"]]
            assert shares == ([50, 90, 100] if node is kh else [50, 100])


async def test_an_announced_delay_is_warned_of_anew(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(kh, letter("info_request", (LA,)))
        await known(la, request)
        after(bridge, 5)
        assert [one["share"] for one in kh.warnings.look()] == [50]
        start = part(kh, request)["accepted"]
        delay = {"reason": "volume", "expected_at": rfc3339(start + 100 * HOUR_MS)}
        await accepted(la, letter("info_reply", (KH,), request, body_delay=delay))
        after(bridge, 3)
        assert kh.warnings.look() == []  # the time has moved
        after(bridge, 45)
        (event,) = kh.warnings.look()
        assert (event["share"], event["state"]) == (50, "interim")
        after(bridge, 50)
        assert [one["share"] for one in kh.warnings.look()] == [100]


async def test_words_rest_sealed_and_go_with_their_bulletin(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(kh, letter("info_request", (LA,)))
        await known(la, request)
        reply = await accepted(la, letter("info_reply", (KH,), request))
        for node in (la, kh):
            kept = node.db.rows("SELECT sealed FROM thread_words")
            assert len(kept) == 2
            assert not any(b"judicial" in row[0] or b"KH-GPO" in row[0] for row in kept)
            assert node.db.row("SELECT count(*) FROM relations") == (1,)
        with kh.db.transaction() as tx:
            tx.execute("DELETE FROM bodies WHERE seq = (SELECT seq FROM bulletins WHERE id = ?)",
                       (reply,))  # fmt: skip
        assert kh.db.row("SELECT count(*) FROM relations") == (0,)
        assert kh.db.row("SELECT count(*) FROM thread_words") == (1,)
        assert owed(kh, request) == [(LA, "waiting")]


async def test_what_is_not_shown_does_not_count(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(kh)
        request = await accepted(kh, letter("info_request", (LA,)))
        await known(la, request)
        reply = await accepted(la, letter("info_reply_final", (KH,), request))
        hidden = kh.bulletins.status(request, lambda one: one != reply)
        assert [one["state"] for one in hidden["owed"]] == ["waiting"]
        thread = kh.bulletins.threads.thread(request, lambda one: one != reply)
        assert [row["id"] for row in thread["bulletins"]] == [request.hex()]
        with pytest.raises(InvalidInput):
            kh.bulletins.resolve("00000000")
