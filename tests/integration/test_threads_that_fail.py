"""Corrections that one of their recipients does not take, and answers that are taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan.compose import Wish
from saphan.desk.thread_answers import Owed
from saphan.node.service import NodeService
from saphan.node.threads.book import ThreadBook
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, states
from support.threads import accepted, after, known, letter, owed, related


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, LA, KH, VN) as made, made.broker_running():
        await made.enrol()
        yield made


def rejecting(node: NodeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on this node rejects whatever names another bulletin."""

    def refuse(*_: Any) -> None:
        raise InvalidInput("rule_broken", "this node is of another mind", field="/body")

    monkeypatch.setattr(node.outbox.threads, "received", refuse)


async def test_a_correction_that_is_rejected_by_one_of_them_misses_them(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sent it sees that; and who was asked and did not get the correction owes an answer."""
    async with bridge.node(LA) as la, bridge.node(KH), bridge.node(VN) as vn:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH, VN)))
        rejecting(vn, monkeypatch)
        better = letter(
            "info_request", (KH, VN), about_message_kind="correction",
            about_relations=[related("corrects", request)],
        )  # fmt: skip
        correction = await la.send(better)
        await eventually(lambda: states(la, correction) == ["accepted", "rejected"])
        assert owed(la, request) == [(KH, "replaced"), (VN, "waiting")]
        assert owed(vn, request) == [(VN, "waiting")]
        assert owed(la, correction) == [(KH, "waiting"), (VN, "ended")]
        (relation,) = la.bulletins.status(correction)["relations"]
        assert relation["stands"] == "misses"

        # Who corrects the correction names the original too: VN has nothing else.
        monkeypatch.undo()
        one, both = [related("corrects", correction)], [related("corrects", request)]
        again = letter(
            "info_request", (KH, VN), about_message_kind="correction", about_relations=one
        )
        with pytest.raises(Refused) as refused:
            await la.send(again)
        assert refused.value.code == "correction_misses"
        assert VN in refused.value.message
        assert KH not in refused.value.message
        assert request.hex() in str(refused.value.hint)
        best = letter(
            "info_request", (KH, VN), about_message_kind="correction", about_relations=one + both
        )
        await accepted(la, best)
        assert owed(vn, request) == [(VN, "replaced")]


async def test_a_correction_that_nobody_took_replaces_nothing(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer stands at both ends while what should take its place was rejected."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,)))
        await known(kh, request)
        reply = await accepted(kh, letter("info_reply_final", (LA,), request))
        rejecting(la, monkeypatch)
        relations = [related("in_reply_to", request), related("corrects", reply)]
        better = letter(
            "info_reply_final", (LA,), request, about_message_kind="correction",
            about_relations=relations,
        )  # fmt: skip
        correction = await kh.send(better)
        await eventually(lambda: states(kh, correction) == ["rejected"])
        for node in (la, kh):
            (found,) = node.bulletins.status(request)["owed"]
            assert (found["state"], found["replies"]) == ("answered", [reply.hex()])
            assert node.bulletins.status(reply)["replaced_by"] == []


async def test_an_answer_that_was_taken_back_answers_nothing(bridge: Bridge) -> None:
    """It is owed again, and warned of again."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,)))
        await known(kh, request)
        reply = await accepted(kh, letter("info_reply_final", (LA,), request))
        after(bridge, 4.1)
        for node in (la, kh):
            assert node.warnings.look() == []
        relations = [related("in_reply_to", request), related("supersedes", reply)]
        taken_back = letter(
            "info_reply_final", (LA,), request, about_message_kind="cancel",
            about_relations=relations,
        )  # fmt: skip
        await accepted(kh, taken_back)
        assert owed(la, request) == owed(kh, request) == [(KH, "waiting")]
        after(bridge, 9)
        for node in (la, kh):
            assert owed(node, request) == [(KH, "overdue")]
            assert [one["share"] for one in node.warnings.look()] == [100]


async def test_an_answer_in_the_place_of_a_delay_is_as_late_as_it_came(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,)))
        await known(kh, request)
        first = await accepted(kh, letter("info_reply", (LA,), request))
        after(bridge, 9)
        relations = [related("in_reply_to", request), related("supersedes", first)]
        last = letter(
            "info_reply_final", (LA,), request, about_message_kind="update",
            about_relations=relations,
        )  # fmt: skip
        reply = await accepted(kh, last)
        for node in (la, kh):
            (found,) = node.bulletins.status(request)["owed"]
            assert (found["state"], found["replies"]) == ("answered", [reply.hex()])
            assert found["late"]


async def test_a_newer_word_in_the_place_of_an_older_one_is_a_newer_word(bridge: Bridge) -> None:
    """For legal assistance: the next one is owed a month after it."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        request = await accepted(la, letter("mla_request", (KH,)))
        await known(kh, request)
        names = [related("in_reply_to", request)]
        told = []
        for _ in range(2):
            word = letter(
                "mla_request", (LA,), about_message_kind="update", about_relations=names,
                body_execution={"state": "accepted", "since": "2026-01-05"},
            )  # fmt: skip
            told.append(await accepted(kh, word))
            names = [related("in_reply_to", request), related("supersedes", told[-1])]
            after(bridge, 24 * 3)
        for node in (la, kh):
            (found,) = node.bulletins.status(request)["owed"]
            (line,) = [
                one["time"] for one in node.bulletins.status(told[-1])["timeline"]
                if one["event"] == "submitted"
            ]  # fmt: skip
            assert (found["since"], found["late"]) == (line, False)


async def test_an_exercise_answers_and_changes_nothing_that_is_real(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,), exercise=False))
        await known(kh, request)
        reply = letter("info_reply_final", (LA,), request)
        cancel = letter(
            "info_request", (KH,), about_message_kind="cancel",
            about_relations=[related("corrects", request)],
        )  # fmt: skip
        for node, made in ((kh, reply), (la, cancel)):
            with pytest.raises(Refused) as refused:
                await node.send(made)
            assert refused.value.code == "relation_type"
        # Nodes that do not look let it out.
        monkeypatch.setattr(ThreadBook, "check", lambda *_: None)
        await accepted(kh, reply)
        sent = await la.send(cancel)
        await eventually(lambda: states(la, sent) == ["rejected"])
        assert owed(la, request) == owed(kh, request) == [(KH, "waiting")]


async def test_a_flood_that_somebody_is_not_shown_is_said(bridge: Bridge) -> None:
    """More bulletins than are looked at: what is left out may be hidden among them."""
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        original = await accepted(la, letter("training_notice", (KH,)))
        with la.db.transaction() as tx:
            for _ in range(LIMITS.thread_bulletins):
                tx.execute(
                    "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrap_day,"
                    " stored) SELECT randomblob(32), sender, randomblob(16), header, header_id,"
                    " digest, wrap_day, stored FROM bulletins WHERE id = ?",
                    (original,),
                )
            tx.execute(
                "INSERT INTO relations SELECT seq, 0, 'related', ?1 FROM bulletins WHERE id != ?1",
                (original,),
            )
        found = la.bulletins.threads.thread(original, lambda one: one == original)
        assert (len(found["bulletins"]), found["more"]) == (1, True)


def test_a_desk_takes_what_was_announced_for_a_time_long_ago() -> None:
    """A replier who is silly, or means it, closes no asker's view."""
    told = {
        "replier": KH, "delivery": "accepted", "what": "reply", "since": 0, "state": "interim",
        "accepted": 0, "read": None, "due": 5, "until": 5, "expected": -1_000_000_000_000,
        "reason": "volume", "transferred_to": None, "late": False, "questions": [], "replies": [],
        "clock": None,
    }  # fmt: skip
    assert msgspec.convert(told, Owed).expected == -1_000_000_000_000


async def test_two_corrections_of_one_bulletin_know_of_each_other(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        original = await accepted(la, letter("training_notice", (KH,)))

        def correcting(*those: bytes) -> Wish:
            return letter(
                "training_notice", (KH,), about_message_kind="correction",
                about_relations=[related("corrects", one) for one in those],
            )  # fmt: skip

        first = await accepted(la, correcting(original))
        with pytest.raises(Refused) as refused:
            await la.send(correcting(original))
        assert refused.value.code == "relation_replaced"
        assert first.hex() in str(refused.value.hint)
        second = await accepted(la, correcting(original, first))
        assert kh.bulletins.status(first)["replaced_by"] == [second.hex()]
        await accepted(la, correcting(second))
