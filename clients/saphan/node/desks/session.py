"""One desk's session: who it is, then its questions, one after the other (desk.md).

What an officer is not shown by the node's rules does not exist for their desk. The key is judged
again at every question, and whenever the directory has grown: a revoked officer's session ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import Final

import msgspec
from aiohttp import WSMsgType, web
from saphan_schemas.codec import encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.desk_frames import (
    AskDraft,
    AskErased,
    AskEvidence,
    AskEvidencePart,
    AskExported,
    AskFetch,
    AskIdentity,
    AskInbox,
    AskKeeping,
    AskOwed,
    AskPart,
    AskRead,
    AskRecall,
    AskRecallAnswer,
    AskRefuse,
    AskSecond,
    AskSend,
    AskStatus,
    AskType,
    AskUpload,
    AskWaiting,
    DeskLogin,
    DeskNews,
    DeskQuestion,
    DeskWelcome,
    FromDesk,
)
from saphan_schemas.errors import InvalidInput, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan.desk_errors import closing, refusal
from saphan.node.desks.login import DeskPeer, challenge, check_login
from saphan.node.desks.parts import Bringing
from saphan.node.desks.questions import Questions
from saphan.node.events import COUNTERSIGN, DIRECTORY, NOTICE, WARNING, Event, Listener
from saphan.node.holding.watch import HOLDS
from saphan.node.officers.active_officer import active_officer
from saphan.node.service import NodeService

log = logging.getLogger("saphan.node")

_decoder: Final = msgpack_decoder(FromDesk)
NEWS: Final = frozenset({"inbox", "event", "settings", "lagged"})
"""Kinds of events after which a desk looks again."""
KEPT: Final = frozenset({HOLDS, "erased", "held", "released", "recalled"})
"""Events, by type or by what was signed, after which a desk may have to erase or to keep."""
LOOK_S: Final = LIMITS.heartbeat_ms / 1000
"""Between two looks at what a desk has not heard of its copies, whatever happens."""
NEWS_PAUSE_S: Final = 1.0
"""Between two news to a desk: what happens meanwhile is one news."""
LOOKED_AT: Final = 32
"""Bulletins of which more at once are news to everybody."""
PATIENCE_S: Final = LIMITS.api_patience_ms / 1000


def decode_desk_frame(data: bytes) -> FromDesk:
    """One message of a desk.

    Raises:
        InvalidInput: `malformed`, `not_canonical`.
    """
    try:
        frame: FromDesk = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise InvalidInput("malformed", f"a message does not parse: {error}") from None
    if encode(frame) != data:
        raise InvalidInput("not_canonical", "a message of the desk has a second spelling")
    return frame


class DeskSession:
    """A session on an open WebSocket.

    Args:
        tls: SHA-256 of the certificate that this listener shows.
        bringing: uploads of all sessions.
    """

    def __init__(
        self, ws: web.WebSocketResponse, service: NodeService, tls: bytes, bringing: Bringing
    ) -> None:
        self._ws = ws
        self._bringing = bringing
        self._service = service
        self._tls = tls

    async def log_in(self) -> DeskPeer:
        """Challenge, answer, verdict; the welcome is left to `work`.

        Raises:
            SaphanError: why this is nobody's desk.
        """
        service = self._service
        asked = challenge(service.agency, service.config.clock)
        await self._send(asked)
        try:
            async with asyncio.timeout(LIMITS.login_ms / 1000):
                login = await self._receive()
        except TimeoutError:
            raise Unavailable("login_timeout", "no login came in time") from None
        if not isinstance(login, DeskLogin):
            raise InvalidInput("malformed", "the desk did not begin with its login")
        now = service.config.clock()
        return await service.engine.in_reading(
            lambda: check_login(asked, login, service.logs, self._tls, now)
        )

    async def work(self, peer: DeskPeer) -> None:
        """Answer until the line breaks or the officer's key is revoked.

        Raises:
            SaphanError: why it ended.
        """
        service = self._service
        await self._send(DeskWelcome(peer.handle, service.config.clock()))
        with service.events.listen() as listener:
            tasks = [
                asyncio.create_task(self._answer(peer)),
                asyncio.create_task(self._tell(peer, listener)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self, error: SaphanError) -> None:
        """Say why, and go."""
        try:
            await self._send(closing(error))
        except Unavailable:
            return
        await self._ws.close()

    async def _answer(self, peer: DeskPeer) -> None:
        questions = Questions(self._service, peer, self._bringing)
        try:
            while True:
                frame = await self._receive()
                if isinstance(frame, DeskLogin):
                    raise InvalidInput("malformed", "the desk logs in a second time")
                self._check_key(peer)
                await self._send(await self._result(questions, frame))
        finally:
            await questions.parts.close()
            await questions.evidence.close()

    async def _result(self, questions: Questions, frame: DeskQuestion) -> object:
        try:
            match frame:
                case AskIdentity():
                    return await questions.identity(frame)
                case AskInbox():
                    return await questions.inbox(frame)
                case AskStatus():
                    return await questions.status(frame)
                case AskRead():
                    return await questions.read(frame)
                case AskSend():
                    return await questions.send(frame)
                case AskUpload():
                    return await questions.parts.held(frame)
                case AskPart():
                    return await questions.parts.append(frame)
                case AskFetch():
                    return await questions.fetch(frame)
                case AskWaiting():
                    return await questions.waiting(frame)
                case AskDraft():
                    return await questions.draft(frame)
                case AskSecond():
                    return await questions.second(frame)
                case AskRefuse():
                    return await questions.refuse(frame)
                case AskType():
                    return await questions.type(frame)
                case AskKeeping():
                    return await questions.keeping(frame)
                case AskErased():
                    return await questions.erased(frame)
                case AskExported():
                    return await questions.exported(frame)
                case AskRecall():
                    return await questions.recall(frame)
                case AskEvidence():
                    return await questions.evidence.make(frame)
                case AskEvidencePart():
                    return await questions.evidence.part(frame)
                case AskRecallAnswer():
                    return await questions.recalls.answer(frame)
                case AskOwed():
                    return await questions.owed(frame)
        except SaphanError as error:
            return refusal(frame.request, error)
        except Exception:
            log.exception("a desk's %s met a bug", type(frame).__name__)
            bug = Unavailable("internal", "the node met a bug; it is in its log")
            return refusal(frame.request, bug)

    async def _tell(self, peer: DeskPeer, listener: Listener) -> None:
        """What the desk should know without asking; and whether it may stay."""
        loop, looked = asyncio.get_running_loop(), 0.0
        while True:
            event = await listener.next(LIMITS.heartbeat_ms / 1000)
            events = [] if event is None else [event, *listener.drain()]
            kept = False
            if any(map(_keeps_otherwise, events)) or loop.time() - looked > LOOK_S:
                looked, copies = loop.time(), self._service.subjects.copies
                kept = await self._service.engine.in_reading(partial(copies.waits, peer))
            if any(one["type"] in (DIRECTORY, "lagged") for one in events):
                self._check_key(peer)
            news = [one for one in events if one["type"] in NEWS]
            named = named_for(peer.handle, events)
            if near := [one["id"] for one in events if one["type"] == WARNING]:
                warned = await self._service.engine.in_reading(partial(self._warned, peer, near))
                named = (*named, *warned)[: LIMITS.desk_named]
            waits = (one for one in events if one["type"] == COUNTERSIGN)
            concerned = kept or bool(named) or any(peer.handle in one["officers"] for one in waits)
            concerned = concerned or any(map(_stopped, events))
            if news and not concerned:
                look = partial(self._concern, peer, news)
                concerned = await self._service.engine.in_reading(look)
            if concerned:
                await self._send(DeskNews(self._service.config.clock(), named))
                await asyncio.sleep(NEWS_PAUSE_S)

    def _concern(self, peer: DeskPeer, news: list[Event]) -> bool:
        """What is not shown to this officer is no news either."""
        bulletins = {one["id"] for one in news if "id" in one}
        if len(bulletins) > LOOKED_AT or any("id" not in one for one in news):
            return True
        return any(self._service.shows(peer.handle, bytes.fromhex(one)) for one in bulletins)

    def _warned(self, peer: DeskPeer, bulletins: Iterable[str]) -> list[bytes]:
        """Those of them whose deadline concerns this officer; of a flood only the first."""
        asked = [bytes.fromhex(one) for one in dict.fromkeys(bulletins)][: LIMITS.desk_named]
        return [one for one in asked if peer.handle in self._service.clearance.warned_of(one)]

    def _check_key(self, peer: DeskPeer) -> None:
        active_officer(self._service.logs, self._service.agency, peer.key)

    async def _receive(self) -> FromDesk:
        message = await self._ws.receive()
        if message.type is WSMsgType.BINARY:
            return decode_desk_frame(message.data)
        if message.type is WSMsgType.TEXT:
            raise InvalidInput("malformed", "the desk sent text where records are spoken")
        raise Unavailable("line_down", "the desk's line was closed")

    async def _send(self, frame: object) -> None:
        """Raises Unavailable `line_down`; a desk that takes nothing for 30 s is let go."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._ws.send_bytes(encode(frame))
        except (TimeoutError, ConnectionError, RuntimeError) as error:
            raise Unavailable(
                "line_down", f"the desk's line broke: {type(error).__name__}"
            ) from None


def _keeps_otherwise(event: Event) -> bool:
    """What desks keep may have another day now, or none."""
    return event["type"] in KEPT or event.get("event") in KEPT


def _stopped(event: Event) -> bool:
    """The node has stopped speaking with its broker: every officer is to know."""
    return bool(event["type"] == "line" and event["state"] == "stopped")


def named_for(handle: str, events: Iterable[Event]) -> tuple[bytes, ...]:
    """Bulletins of these events for which an officer is named because nobody has read them."""
    found = [
        bytes.fromhex(one["id"])
        for one in events
        if one["type"] == NOTICE and one["step"] and handle in one["officers"]
    ]
    return tuple(dict.fromkeys(found))[: LIMITS.desk_named]
