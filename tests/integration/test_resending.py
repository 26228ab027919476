"""What an agency has said can be said again for the life of its record: the first receipt answers.

Against the real broker, for every event, after both sides started anew, after the outcome, and
after the key that signed was revoked.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan.cli.main import main
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.key_places import activate
from saphan.keyring import add_key, revoke_key
from saphan.node.disclosing import Asked, Disclosed
from saphan.node.resending import Receipt
from saphan.node.rows.statements import Said, keep_statements, sign_statements
from saphan.node.service import NodeService
from saphan.node.wire.asking import Asking
from saphan_protocol.batch import sign_one
from saphan_protocol.bundle.report import Finding
from saphan_protocol.stanza import seal_stanza
from saphan_schemas.bundles import BundleDisclosure
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import Refused, Unavailable
from saphan_schemas.frames import Result, StatementItem
from saphan_schemas.records import Event, OfficerRead, Role, Signature
from support.attaching import pdf, send
from support.bridge import (
    CHEAP,
    KH,
    LA,
    OFFICERS,
    SECRET,
    VN,
    Bridge,
    agreed,
    bridged,
    eventually,
    opened,
    states,
    wish,
)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def read(bridge: Bridge, kh: NodeService, bulletin: bytes) -> None:
    """An officer reads."""
    key = await asyncio.to_thread(bridge.officer, KH)
    record = encode(OfficerRead(bulletin, KH, OFFICERS[KH], key.key_id, bridge.node_clock()))
    signature = sign_one(key, "saphan/officer_read/1", record, os.urandom(32))
    await kh.read(bulletin, record, encode(signature))


def said(receipts: list[Receipt]) -> list[tuple[str, bool]]:
    return [(one.event, one.same) for one in receipts]


def entries(node: NodeService, bulletin: bytes) -> list[Any]:
    return node.db.rows(
        "SELECT idx, event, recipient FROM entries WHERE bulletin = ? ORDER BY idx", (bulletin,)
    )


def size(bridge: Bridge) -> int:
    head = bridge.broker.state.evidence.published
    assert head is not None
    return head.size


async def test_everything_said_in_a_life_has_its_first_receipt_again(bridge: Bridge) -> None:
    """Timeline: sent, handed over, accepted, read, disclosed; both nodes and the broker start anew;
    each says everything again: the log does not grow, and every place is the first."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            await read(bridge, kh, bulletin)
            kh.disclosing.disclose(bulletin, Asked("the court", "order 1"))
            kh.line.wake_statements()
            await eventually(lambda: entries(kh, bulletin)[-1][1] == "exported")
            await eventually(lambda: "read" in states(la, bulletin))
            before = entries(kh, bulletin)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await opened(la)
        await opened(kh)
        grown = size(bridge)
        ours = await la.resending.resend(bulletin)
        theirs = await kh.resending.resend(bulletin)
        assert said(ours) == [("submitted", True)]
        assert said(theirs) == [
            ("handover", True),
            ("accepted", True),
            ("read", True),
            ("exported", True),
        ]
        places = {(event, recipient): index for index, event, recipient in before}
        assert all(places[one.event, one.recipient] == one.index for one in [*ours, *theirs])
        assert (size(bridge), entries(kh, bulletin)) == (grown, before)
        assert not la.alarms.standing()


async def test_a_rejection_and_what_did_not_open_can_be_said_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: the first stanza does not open; under the second one is a body without sense."""
    made: list[int] = []

    def spoiled(key: bytes, *rest: Any) -> bytes:
        made.append(1)
        return seal_stanza(key if len(made) > 1 else bytes(32), *rest)

    monkeypatch.setattr("saphan.node.sealing.seal_stanza", spoiled)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            wrong = wish()
            wrong.body["cells"][0]["value"] = "many"
            monkeypatch.setattr("saphan.compose.validate_content", lambda *_: None)
            bulletin = await la.send(wrong)
            await eventually(lambda: states(la, bulletin) == ["rejected"])
            await eventually(lambda: states(kh, bulletin) == ["rejected"])
            ours = [("submitted", True), ("consigned", True)]
            assert said(await la.resending.resend(bulletin)) == ours
            assert said(await kh.resending.resend(bulletin)) == [
                ("handover", True),
                ("unopened", True),
                ("handover", True),
                ("rejected", True),
            ]


async def test_a_recall_can_be_said_again(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["submitted"])
            recall(la, bulletin)
            await eventually(lambda: states(la, bulletin) == ["recalled"])
            receipts = await la.resending.resend(bulletin)
            assert said(receipts) == [("submitted", True), ("recalled", True)]


def recall(la: NodeService, bulletin: bytes) -> None:
    digest = la.db.rows("SELECT digest FROM bulletins WHERE id = ?", (bulletin,))[0][0]
    recalled = about(la, bulletin, digest, Event.RECALLED, code="error")
    with la.db.transaction() as tx:
        keep_statements(tx, *sign_statements(la.key, LA, [recalled]))
    la.line.wake_statements()


def about(
    node: NodeService, bulletin: bytes, digest: bytes, event: Event, code: str | None
) -> Said:
    """What a node may say about a bulletin from LA to KH."""
    return Said(
        event=event,
        bulletin=bulletin,
        ciphertext=digest,
        sender=LA,
        recipient=KH,
        time=node.config.clock(),
        code=code,
    )


async def test_what_waits_is_not_said_again(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            await bridge.broker.stop()
            bulletin = await la.send(wish())
            with pytest.raises(Refused, match="nothing_said"):
                await la.resending.resend(bulletin)


async def test_what_a_revoked_key_said_has_its_receipt_and_nothing_new_is_taken(
    bridge: Bridge,
) -> None:
    """Timeline: accepted; both nodes change their keys, and revoke the old ones; both say it all
    again; then somebody says something new with an old key."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            old = {node.agency: node.key for node in (la, kh)}
            for node in (la, kh):
                await new_key(bridge, node)
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            for node in (la, kh):
                await opened(node)
                assert node.key.key_id != old[node.agency].key_id
                await revoke(bridge, node, old[node.agency].key_id)
            assert said(await la.resending.resend(bulletin)) == [("submitted", True)]
            answers = [("handover", True), ("accepted", True)]
            assert said(await kh.resending.resend(bulletin)) == answers
            stored = kh.db.rows("SELECT digest FROM bulletins WHERE id = ?", (bulletin,))
            new = about(kh, bulletin, stored[0][0], Event.READ, code="system")
            batch, (signed,) = sign_statements(old[KH], KH, [new])
            item = StatementItem(Event.READ, LA, KH, signed.body, signed.item, signed.salt)
            result = await kh.line.asking().send_again(item, batch)
            assert result.code == "key_revoked"
            place = await foreign(la, kh, bulletin)
            assert (place.code, place.indices) == ("sender_not_peer", ())


async def foreign(la: NodeService, kh: NodeService, bulletin: bytes) -> Result:
    """What la.ospp is answered who says again what kh.gpo has said."""
    signed = (await asyncio.to_thread(kh.resending._said, bulletin))[0]
    return await la.line.asking().send_again(signed.item, signed.signature)


async def new_key(bridge: Bridge, node: NodeService, *, start: bool = True) -> None:
    office = bridge.offices[node.agency]
    added = await asyncio.to_thread(
        lambda: add_key(office, Role.NODE, SECRET, now=bridge.clock(), cost=CHEAP)
    )
    await register(node, added.operation)
    if start:
        await asyncio.to_thread(lambda: activate(office, Role.NODE))


async def revoke(bridge: Bridge, node: NodeService, key: bytes) -> None:
    office = bridge.offices[node.agency]
    made = await asyncio.to_thread(lambda: revoke_key(office, key, SECRET, now=bridge.clock()))
    await register(node, made.operation)


async def register(node: NodeService, operation: Path) -> None:
    result = await node.line.register(await asyncio.to_thread(operation.read_bytes))
    assert result.code is None, result


async def test_a_broker_that_names_another_place_is_an_alarm(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            page, before = await command(bridge, bulletin, 0), entries(la, bulletin)
            assert re.search(r"kh\.gpo: entry [0-9]+, as before", page)
            moved = Asking.send_again

            for places in ((before[0][0] + 1,), ()):

                async def lies(*given: Any) -> Result:
                    result = await moved(*given)
                    return msgspec.structs.replace(result, indices=places)  # noqa: B023

                monkeypatch.setattr(Asking, "send_again", lies)
                page = await command(bridge, bulletin, 3)
                assert "this node saw it elsewhere" in page or "names no place" in page
                (alarm,) = la.alarms.standing()
                assert alarm.code == "receipt_differs"
                assert "this node saw it elsewhere" in alarm.message
                la.alarms.clear("receipt_differs")

            answers = iter((Result(None, "", None, 0, (0,)),))

            async def goes_after(*_: Any) -> Result:
                found = next(answers, None)
                if found is None:
                    raise Unavailable("line_down", "the line went down meanwhile")
                return found

            monkeypatch.setattr(Asking, "send_again", goes_after)
            await eventually(lambda: states(kh, bulletin) == ["accepted"])
            with pytest.raises(Unavailable):
                await kh.resending.resend(bulletin)
            assert [one.code for one in kh.alarms.standing()] == ["receipt_differs"]


async def command(bridge: Bridge, bulletin: bytes, status: int) -> str:
    """`saphan resend`: what it prints."""
    place = str(bridge.place / LA)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        ended = await asyncio.to_thread(main, ["resend", bulletin.hex(), "--dir", place])
    assert ended == status
    return out.getvalue()


async def test_two_recipients_and_attachments_have_each_their_receipt(tmp_path: Path) -> None:
    """Timeline: a bulletin to two, and one with files and a long body; both are said again."""
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh, bridge.node(VN) as vn:
            await agreed(la)
            await opened(kh)
            await opened(vn)
            both = await la.send(replace(wish(), to=(KH, VN)))
            files = await send(la, pdf(100_000), pdf(9))
            await eventually(lambda: states(la, both) == ["accepted"] * 2)
            await eventually(lambda: states(la, files) == ["accepted"])
            own = "SELECT 1 FROM entries WHERE bulletin = ? AND event = 'accepted'"
            await eventually(lambda: vn.db.row(own, (both,)))  # its own feed has shown it too
            grown = size(bridge)
            receipts = await la.resending.resend(both)
            assert [(one.recipient, one.same) for one in receipts] == [(KH, True), (VN, True)]
            assert said(await la.resending.resend(files)) == [("submitted", True)]
            answers = [("handover", True), ("accepted", True)]
            assert said(await vn.resending.resend(both)) == answers
            assert size(bridge) == grown


async def test_what_waits_under_a_key_that_ends_is_signed_by_the_next_one(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: an officer reads while the line is down, and a key is disclosed; the node's key is
    changed and the old one revoked; the node hears of that only after it has sent. Then the same
    with what it knows. Both disclosures hold before a court."""
    orders = [Asked("the court", "order 1"), Asked("the court", "order 2")]
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            old = kh.key
            await new_key(bridge, kh, start=False)
            await bridge.broker.stop()
            await read(bridge, kh, bulletin)
            kh.disclosing.disclose(bulletin, orders[0])
    await asyncio.to_thread(lambda: activate(bridge.offices[KH], Role.NODE))
    async with bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        office = bridge.offices[KH]
        made = await asyncio.to_thread(
            lambda: revoke_key(office, old.key_id, SECRET, now=bridge.clock())
        )
        await register(la, made.operation)
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["read"])
            await eventually(lambda: not waiting(kh))
            kh.disclosing._key = old
            with pytest.raises(Refused, match="key_revoked"):
                kh.disclosing.disclose(bulletin, orders[1])
            with monkeypatch.context() as older:  # what an old process has left behind
                older.setattr(kh.disclosing, "_check_signers", lambda _: None)
                kh.disclosing.disclose(bulletin, orders[1])
            assert len(waiting(kh)) == 1
        async with bridge.node(KH) as kh:
            await eventually(lambda: waiting(kh) == [])
            listed = kh.disclosing.listed(bulletin)
            assert [(row["state"], row["code"]) for row in listed] == [("logged", None)] * 2
            for order in orders:
                given = kh.disclosing.disclose(bulletin, order)
                assert await judged(bridge, bulletin, given) is None
            assert not any(said for said in await kh.resending.resend(bulletin) if not said.same)


async def judged(bridge: Bridge, bulletin: bytes, given: Disclosed) -> Finding | None:
    """What a stranger finds wrong in the bundle with that disclosure."""
    store = NodeStore(bridge.place / KH / "node" / "data", KH, bridge.pins)
    out = bridge.place / f"{given.salt.hex()}.bundle"
    signature = decode(Signature, given.signature, 8192, "signature")
    item = BundleDisclosure(given.content_key, given.record, signature, given.salt)
    write = partial(export_bundle, store, bulletin, out, bridge.clock(), disclosure=item)
    await asyncio.to_thread(write)
    return (await asyncio.to_thread(check_bundle, out, bridge.pins)).finding


def waiting(node: NodeService) -> list[Any]:
    return node.db.rows("SELECT event FROM statements WHERE state != 'logged'")
