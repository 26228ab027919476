"""An agency with a node of its own making speaks in another agency's place, in its threads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.node.threads.book import ThreadBook
from saphan_schemas.limits import LIMITS
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, states
from support.threads import accepted, known, letter, owed, related


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    """Three agencies; no sender's node looks at threads, recipients' do."""
    monkeypatch.setattr(ThreadBook, "check", lambda *_: None)
    async with bridged(tmp_path, LA, KH, VN) as made, made.broker_running():
        await made.enrol()
        yield made


@pytest.mark.parametrize(
    ("message", "kind"),
    [("correction", "corrects"), ("update", "supersedes"), ("cancel", "corrects")],
)
async def test_corrected_or_withdrawn_by_somebody_else(
    bridge: Bridge, message: str, kind: str
) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh, bridge.node(VN) as vn:
        await agreed(la)
        original = await accepted(la, letter("training_notice", (KH, VN)))
        false = letter(
            "training_notice", (KH, LA), about_message_kind=message,
            about_relations=[related(kind, original)],
        )  # fmt: skip
        bulletin = await vn.send(false)
        await eventually(lambda: states(vn, bulletin) == ["rejected", "rejected"])
        codes = {one["code"] for one in vn.bulletins.status(bulletin)["deliveries"]}
        assert codes == {"relation_refused"}
        for node in (la, kh):
            assert node.bulletins.status(original)["replaced_by"] == []
            assert bulletin.hex() not in {row["id"] for row in node.bulletins.inbox(0, 9)}


async def test_a_request_answered_in_anothers_place(bridge: Bridge) -> None:
    """It is told the request's id, and says that there is nothing to be found."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh, bridge.node(VN) as vn:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,)))
        await known(kh, request)
        reply = await accepted(vn, letter("info_reply_final", (LA,), request))
        assert owed(la, request) == [(KH, "waiting")]
        thread = la.bulletins.threads.thread(request)
        assert {row["id"]: row["sender"] for row in thread["bulletins"]}[reply.hex()] == VN
        await accepted(kh, letter("info_reply_final", (LA,), request))
        assert owed(la, request) == [(KH, "answered")]


async def test_a_flood_of_replies_hides_no_answer(bridge: Bridge) -> None:
    """More of them than are ever looked at, before the one that is owed."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh, bridge.node(VN) as vn:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,)))
        await known(kh, request)
        one = await accepted(vn, letter("info_reply_final", (LA,), request))
        with la.db.transaction() as tx:
            for _ in range(LIMITS.thread_bulletins + 1):
                tx.execute(
                    "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrap_day,"
                    " stored) SELECT randomblob(32), sender, randomblob(16), header, header_id,"
                    " digest, wrap_day, stored FROM bulletins WHERE id = ?",
                    (one,),
                )
            tx.execute(
                "INSERT OR IGNORE INTO relations SELECT seq, 0, 'in_reply_to', ? FROM bulletins"
                " WHERE sender = ?",
                (request, VN),
            )
        reply = await accepted(kh, letter("info_reply_final", (LA,), request))
        (found,) = la.bulletins.status(request)["owed"]
        assert (found["state"], found["replies"]) == ("answered", [reply.hex()])
        thread = la.bulletins.threads.thread(request)
        assert (len(thread["bulletins"]), thread["more"]) == (LIMITS.thread_bulletins, True)


async def test_a_reply_that_another_agency_corrects_stands(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh, bridge.node(VN) as vn:
        await agreed(la)
        request = await accepted(la, letter("info_request", (KH,)))
        await known(kh, request)
        reply = await accepted(kh, letter("info_reply_final", (LA,), request))
        relations = [related("in_reply_to", request), related("corrects", reply)]
        false = letter(
            "info_reply_final", (LA,), request,
            about_message_kind="correction", about_relations=relations,
        )  # fmt: skip
        bulletin = await vn.send(false)
        await eventually(lambda: states(vn, bulletin) == ["rejected"])
        (found,) = la.bulletins.status(request)["owed"]
        assert (found["state"], found["replies"]) == ("answered", [reply.hex()])
