"""Attachments whose line, sender or disk is bad: each is refused by its layer, none is shown."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from saphan.node.events import Listener
from saphan_protocol.admission import measure
from saphan_schemas.codec import decode
from saphan_schemas.frames import Answer, FeedEntry, Held, PartFetched, Result
from saphan_schemas.records import Event, Statement
from support.attaching import pdf, send, shown, stored
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.hostile import Hostile
from support.hostile_attachments import Attacker, bomb, described
from support.mauling_line import mauling_line
from support.session import Line

# --- the line -------------------------------------------------------------------------------------


def part(change: Callable[[bytes], bytes | None]) -> Callable[[Any], object]:
    return lambda frame: (
        msgspec.structs.replace(frame, data=change(frame.data))
        if isinstance(frame, PartFetched) and frame.data
        else None
    )


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


MAULED: dict[str, tuple[str | None, Any]] = {
    "a changed byte": (None, part(flipped)),
    "one byte fewer": ("part_length", part(lambda data: data[:-1])),
    "one byte more": ("part_length", part(lambda data: data + b"x")),
    "nothing": ("part_length", part(lambda _: b"")),
    "another answer": (
        "part_length",
        lambda f: msgspec.structs.replace(f, request=9_999) if isinstance(f, PartFetched) else None,
    ),
    "an attachment that was not consigned": (
        "bulletin_id",
        lambda f: without_attachments(f),
    ),
}


def without_attachments(frame: Any) -> object:
    entries = getattr(frame, "entries", ())
    if not any(isinstance(one, FeedEntry) and one.attachments for one in entries):
        return None
    changed = tuple(msgspec.structs.replace(one, attachments=()) for one in entries)
    return msgspec.structs.replace(frame, entries=changed)


async def test_a_mauled_part_is_fetched_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bulletin after the other, each with one message of the broker changed on the line."""
    # No waiting between sessions.
    monkeypatch.setattr("saphan.node.wire.line.backoff_ms", lambda failures: 0)
    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        straight, bridge.url = bridge.url, url
        async with bridge.node(KH) as kh:
            bridge.url = straight
            async with bridge.node(LA) as la:
                await agreed(la)
                await opened(kh)
                for number, (what, (code, change)) in enumerate(MAULED.items()):
                    line.done.clear()
                    data, line.change = pdf(60_000, number), change
                    with kh.events.listen() as listener:
                        bulletin = await send(la, data)
                        await asyncio.wait_for(line.done.wait(), 20)
                        await eventually(lambda: states(la, bulletin) == ["accepted"], 40)  # noqa: B023
                        assert await shown(kh, bulletin, 1) == data
                        waits = [event async for event in downs(listener)]
                        assert waits == ([] if code is None else [code]), what


@pytest.mark.parametrize("attached", [(), (pdf(9_000),)], ids=["alone", "with an attachment"])
async def test_a_ciphertext_that_was_put_off_is_fetched(
    bridge: Bridge, attached: tuple[bytes, ...]
) -> None:
    """On a slow line the feed gives length and digest only; the handover waits for the bytes."""

    def put_off(frame: Any) -> object:
        if not any(isinstance(one.ciphertext, bytes) for one in getattr(frame, "entries", ())):
            return None
        entries = tuple(
            msgspec.structs.replace(one, ciphertext=measure(one.ciphertext))
            if isinstance(one.ciphertext, bytes)
            else one
            for one in frame.entries
        )
        return msgspec.structs.replace(frame, entries=entries)

    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await send(la, *attached)
            await eventually(lambda: states(la, bulletin) == ["submitted"])
            bridge.url, line.change = url, put_off
            async with bridge.node(KH) as kh:
                await asyncio.wait_for(line.done.wait(), 20)
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                content = await kh.read_by_system(bulletin)
                assert content["content"]["body"] == wish().body
                assert len(content["attachments"]) == len(attached)
                assert len(stored(bridge, KH, "in")) == len(attached)
                assert kh.alarms.standing() == []


async def downs(listener: Listener) -> AsyncIterator[str]:
    """Why the line went down since somebody listens."""
    while (event := await listener.next(0.05)) is not None:
        if event["type"] == "line" and event["state"] == "waiting":
            yield event["code"]


async def test_an_upload_that_the_broker_does_not_keep_begins_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker's answer is changed on the line: the node sends what it believes is missing.

    If it was the last answer the broker has nothing more to say, and the next session asks.
    """
    monkeypatch.setattr("saphan.node.wire.uploading.ANSWER_S", 2)
    data = pdf(60_000)

    def half(frame: Any) -> object:
        if isinstance(frame, Held) and frame.held[0] > 30_000:
            return msgspec.structs.replace(frame, held=(0,))
        return None

    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        bridge.url, line.change = url, half
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, data)
            await asyncio.wait_for(line.done.wait(), 20)
            await eventually(lambda: states(la, bulletin) == ["accepted"], 40)
            assert await shown(kh, bulletin, 1) == data


async def test_a_broker_that_finds_a_wrong_digest_twice_is_alarmed_about_and_tried_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says so of right bytes: nothing is refused, a person hears of it, it goes on."""
    monkeypatch.setattr("saphan.node.wire.uploading.DIGEST_WAIT_MS", 1)
    data = pdf(60_000)

    def refuse(frame: Any) -> object:
        if isinstance(frame, Held) and frame.held[0] > 0:
            why = Result("attachment_digest", "other bytes", None, 0, ())
            return Answer(frame.request, (why,))
        return None

    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        bridge.url, line.change = url, refuse
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, data)
            await asyncio.wait_for(line.done.wait(), 20)
            await eventually(lambda: states(la, bulletin) == ["accepted"], 40)
            assert await shown(kh, bulletin, 1) == data
            assert "attachment_digest" in [alarm.code for alarm in la.alarms.standing()]


async def test_our_own_damaged_file_is_never_sent(bridge: Bridge) -> None:
    data = pdf(60_000)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
        bridge_url, bridge.url = bridge.url, "http://127.0.0.1:9"  # nobody is there
        async with bridge.node(LA) as la:
            bulletin = await send(la, data)
            (path,) = stored(bridge, LA, "out")
            changed = bytearray(path.read_bytes())
            changed[100] ^= 1
            path.write_bytes(changed)
        bridge.url = bridge_url
        async with bridge.node(LA) as la:
            await eventually(lambda: states(la, bulletin) == ["refused"])
            (delivery,) = la.bulletins.status(bulletin)["deliveries"]
            assert delivery["code"] == "attachment_damaged"
            await eventually(lambda: "bulletin_refused" in [a.code for a in la.alarms.standing()])


# --- a hostile sender -----------------------------------------------------------------------------


async def test_hostile_attachments_are_rejected_and_shown_to_nobody(bridge: Bridge) -> None:
    """Each gets its code; an archive that nobody unpacks is an attachment like any other."""
    async with bridge.broker_running():
        await bridge.enrol()
        hostile = Hostile(bridge, LA, KH)
        attacker, line = Attacker(hostile), Line(hostile.agency, bridge.pins, bridge.clock, True)
        async with bridge.node(KH) as kh:
            await agreed(kh)
            await line.connect(bridge.url)
            cases = {made.bulletin_id: (what, code, made) for what, code, made in attacker.cases()}
            archive = [described("report.zip", "application/zip")]
            good = attacker.bulletin(bomb(), content=archive)
            sent = [*(made for _, _, made in cases.values()), good]
            for made in sent:
                await line.bring(made.attachments)
            results = await line.submit(*hostile.submissions(sent))
            assert {result.code for result in results} == {None}
            answers = await answered(line, len(sent))
            assert answers.pop(good.bulletin_id) == (Event.ACCEPTED, None)
            for bulletin, found in answers.items():
                what, code, _ = cases[bulletin]
                assert found == (Event.REJECTED, code), what
            assert [row["id"] for row in kh.bulletins.inbox(0, 99)] == [good.bulletin_id.hex()]
            assert hashlib.sha256(await shown(kh, good.bulletin_id, 1)).digest() == (
                hashlib.sha256(bomb()).digest()
            )
            assert kh.alarms.standing() == []
            over = "SELECT 1 FROM deliveries WHERE state = 'rejected'"
            await eventually(lambda: len(kh.db.rows(over)) == len(cases))
        await line.close()
        # What was rejected is nobody's: it goes at the next start.
        assert len(stored(bridge, KH, "in")) == len(sent)
        async with bridge.node(KH) as kh:
            assert len(stored(bridge, KH, "in")) == 1
            assert await shown(kh, good.bulletin_id, 1) == bomb()


async def answered(line: Line, count: int) -> dict[bytes, tuple[Event, str | None]]:
    """The recipient's answers, as the sender's feed shows them."""
    found: dict[bytes, tuple[Event, str | None]] = {}
    async with asyncio.timeout(40):
        while len(found) < count:
            await asyncio.sleep(0.01)
            for entry, given in line.entries.values():
                event = entry.type.split("/")[1]
                if event in (Event.ACCEPTED, Event.REJECTED, Event.UNOPENED):
                    said = decode(Statement, given.statement, 4096, "statement")
                    found[said.bulletin] = (Event(event), said.code)
    return found


async def test_a_recipient_without_the_attachments_says_that_it_waits(bridge: Bridge) -> None:
    """No handover while bytes are missing; the next session asks for them again."""
    data = pdf(60_000)
    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await send(la, data)
            await eventually(lambda: states(la, bulletin) == ["submitted"])
            bridge.url, line.change = url, part(lambda _: None)
            async with bridge.node(KH) as kh:
                await eventually(kh.alarms.standing)
                assert [alarm.code for alarm in kh.alarms.standing()] == ["attachment_gone"]
                status = kh.bulletins.status(bulletin)
                (delivery,), (attached,) = status["deliveries"], status["attachments"]
                assert (attached["number"], attached["here"]) == (1, False)
                assert (delivery["state"], delivery["code"]) == ("submitted", "waiting_for_parts")
                assert kh.bulletins.inbox(0, 9) == []
                assert states(la, bulletin) == ["submitted"]
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                assert await shown(kh, bulletin, 1) == data
