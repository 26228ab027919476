"""A broker that lies about attachments: the node does not hang, run hot or lose anything."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from saphan_broker.blobs.store import BlobStore, not_here
from saphan_broker.sessions import attaching
from saphan_schemas.frames import Held, PartFetched, Ping
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob
from support.attaching import pdf, send, shown
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.mauling_line import mauling_line


async def test_a_broker_that_never_finds_what_it_holds_is_asked_now_and_then(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds everything, and answers each submission that something is missing."""
    whole = attaching.settle
    asked: list[int] = []

    async def missing(*given: Any) -> Any:
        if len(asked) > 20:
            return await whole(*given)
        asked.append(1)
        return {place: not_here(0) for place, _ in enumerate(given[2].items)}

    monkeypatch.setattr(attaching, "settle", missing)
    data = pdf(60_000)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, data)
            await eventually(la.alarms.standing)
            (alarm,) = la.alarms.standing()
            assert (alarm.code, len(asked)) == ("attachment_missing", 3)
            # Other bulletins go on meanwhile.
            monkeypatch.setattr(attaching, "settle", whole)
            other = await la.send(wish())
            await eventually(lambda: states(la, other) == ["accepted"])
            assert states(la, bulletin) == ["queued"]
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert await shown(kh, bulletin, 1) == data


@pytest.mark.parametrize("more", [1, 10_000])
async def test_a_broker_that_holds_more_than_there_is_ends_the_session(
    bridge: Bridge, more: int
) -> None:
    data = pdf(60_000)

    def beyond(frame: Any) -> object:
        if isinstance(frame, Held):
            return msgspec.structs.replace(frame, held=(frame.held[0] + 100_000 + more,))
        return None

    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        bridge.url, line.change = url, beyond
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            with la.events.listen() as listener:
                bulletin = await send(la, data)
                await eventually(lambda: states(la, bulletin) == ["accepted"], 40)
                codes = []
                while (event := await listener.next(0.05)) is not None:
                    if event["type"] == "line" and event["state"] == "waiting":
                        codes.append(event["code"])
                assert codes == ["malformed"]
            assert await shown(kh, bulletin, 1) == data


async def test_parts_that_nobody_asked_for_end_the_session(bridge: Bridge) -> None:
    """Kept for whoever may ask one day they would fill the memory of an idle node."""

    def unasked(frame: Any) -> object:
        return PartFetched(77, bytes(LIMITS.part_bytes), None) if isinstance(frame, Ping) else None

    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        bridge.url, line.change = url, unasked
        async with bridge.node(LA) as la:
            await opened(la)
            session = la.line._session
            assert session is not None
            await session._send(Ping(bridge.node_clock()))
            await eventually(lambda: la.line.state.code == "part_length")
            await opened(la)


async def test_a_broker_that_keeps_nothing_of_one_bulletin_holds_up_no_other(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part of it is forgotten again: the line stays open, a person hears of it."""
    whole = BlobStore.append

    async def forget(self: BlobStore, agency: str, blob: Blob, offset: int, data: bytes) -> int:
        return 0

    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            monkeypatch.setattr(BlobStore, "append", forget)
            monkeypatch.setattr("saphan.node.wire.uploading.DIGEST_WAIT_MS", 500)
            with la.events.listen() as listener:
                bulletin = await send(la, pdf(60_000))
                await eventually(la.alarms.standing)
                (alarm,) = la.alarms.standing()
                assert alarm.code == "attachment_stalled"
                monkeypatch.setattr(BlobStore, "append", whole)
                other = await send(la, pdf(50_000))
                await eventually(lambda: states(la, other) == ["accepted"])
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                while (event := await listener.next(0.05)) is not None:
                    assert event["type"] != "line"
            assert await shown(kh, bulletin, 1) == pdf(60_000)


async def test_an_offer_without_an_answer_is_no_wait_without_end(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is answered, so the node is busy; the next session asks again."""
    monkeypatch.setattr("saphan.node.wire.uploading.ANSWER_S", 0.5)

    def lost(frame: Any) -> object:
        return Ping(bridge.clock()) if isinstance(frame, Held) else None

    async with bridge.broker_running(), mauling_line(bridge.url) as (line, url):
        await bridge.enrol()
        bridge.url, line.change = url, lost
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, pdf(60_000))

            def down() -> bool:
                session = la.line._session
                if session is not None:
                    session._uploading.wake()  # what every other bulletin does
                return la.line.state.code == "no_answer"

            await eventually(down, 10)
            await eventually(lambda: states(la, bulletin) == ["accepted"])
