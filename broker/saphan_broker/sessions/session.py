"""One node's session: challenge, login, then requests and feed side by side over one WebSocket.

Four tasks per session: the reader (stops reading when the unanswered requests fill their `Room`, so
that TCP slows the node down), the lane (queues requests in the order they came, once their
signatures are checked), the feed pump, the pinger. Whatever ends one of them ends the session, and
only this session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TypeAlias, cast

from aiohttp import WSCloseCode, WSMsgType, web
from saphan_protocol.told import Kept
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.frames import (
    Ack,
    Answer,
    Closing,
    Cosign,
    FetchPart,
    FetchStanzas,
    FromNode,
    Login,
    Offer,
    Part,
    PartFetched,
    Ping,
    Register,
    Spare,
    Stanzas,
    Submit,
    Welcome,
)
from saphan_schemas.frames import State as StateFrame
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import AskProofs, Proofs
from saphan_schemas.records import Role
from saphan_schemas.schema_frames import AskSchema, SchemaBundle
from saphan_schemas.succession_frames import AskSuccession, Succession

from saphan_broker.sequencing.expiry import freshen
from saphan_broker.sequencing.unreadable import UNREADABLE
from saphan_broker.sequencing.work import Batches, Rejected, Work
from saphan_broker.sequencing.work import Submit as ToSequencer
from saphan_broker.sessions import attaching, requests
from saphan_broker.sessions.downloads import fetch
from saphan_broker.sessions.feed import FeedPump
from saphan_broker.sessions.login import Behind, Peer, challenge, check_login
from saphan_broker.sessions.proving import answer_bytes, prove
from saphan_broker.sessions.room import Room
from saphan_broker.sessions.tokens import Tokens
from saphan_broker.sessions.uploads import Uploads
from saphan_broker.state import State
from saphan_broker.store.base import SignatureKey
from saphan_broker.witnessed import WitnessedTime

_log = logging.getLogger("saphan.broker")
_FROM_NODE = cast("type[FromNode]", FromNode)

Request: TypeAlias = Submit | StateFrame | Register | FetchStanzas
Found: TypeAlias = tuple[frozenset[SignatureKey], dict[int, SaphanError]]
"""Of a frame: signatures that do not hold, items whose attachments are not here."""
Checked: TypeAlias = "asyncio.Task[Found] | None"

SHUTDOWN_SECONDS = LIMITS.shutdown_ms / 2000  # half of it: the sequencer needs its share
PATIENCE_SECONDS = 1.25 * LIMITS.heartbeat_ms / 1000
"""Longer than the node's own: on an idle line the node pings, and is answered."""


_FOR_OPERATOR = "the broker cannot serve this now; its operator has been told why"


class _Ended(Exception):
    """The session is over without anything to say."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all sessions of one broker use."""

    state: State
    submit: ToSequencer
    witnessed: WitnessedTime
    tokens: Tokens


class Session:
    """Serves one connection; owned by its own task."""

    def __init__(self, shared: Shared, ws: web.WebSocketResponse, number: int) -> None:
        self._shared = shared
        self._ws = ws
        self._number = number
        self._room = Room()
        self._lane: asyncio.Queue[tuple[Request, int, Checked]] = asyncio.Queue()
        self._kept = Kept()
        """Batch signatures in the order in which they were read, for what does not wait for the
        lane; nobody has checked them."""
        self._proving = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._why: SaphanError | None = None
        self._sent_at = 0.0
        self._pump: FeedPump | None = None
        self.agency: str | None = None

    @property
    def behind(self) -> int:
        """Leaves that the feed has not reached yet; 0 before the login."""
        return 0 if self._pump is None else self._pump.behind

    @property
    def stranger(self) -> bool:
        """Whether it has not logged in yet, and was not told to end."""
        return self.agency is None and not self._stopping.is_set()

    def stop(self, why: SaphanError | None = None) -> None:
        """Read no more; what was read is answered, then the session says why it ends."""
        self._why = self._why or why
        self._stopping.set()

    async def run(self) -> None:
        """From challenge to close; every error becomes a Closing with its code."""
        try:
            peer = await self._log_in()
            await self._serve(peer)
        except* _Ended:
            pass
        except* SaphanError as group:
            await self._close(_first(group))
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass
        except* Exception as group:
            _log.exception("session %d of %s met a bug", self._number, self.agency)
            await self._close(Unavailable("internal", f"bug: {type(_first(group)).__name__}"))

    # --- opening ----------------------------------------------------------------------------------

    async def _log_in(self) -> Peer:
        state = self._shared.state
        asked = challenge(state)
        await self._send(encode(asked))
        frame, _size = await self._first_message()
        if isinstance(frame, AskSuccession):  # its pins name an older number
            await self._send(encode(Succession(state.chain)))
            frame, _size = await self._first_message()
        if not isinstance(frame, Login):
            raise InvalidInput("login_expected", "the first message is not a login", field="login")
        peer = await check_login(state, asked, frame, state.certificate)
        state.clocks.report(self._number, peer.agency, frame.clock)
        return peer

    async def _first_message(self) -> tuple[FromNode, int]:
        """What comes first, if it comes before the time for it, or the broker's own, is over."""
        receiving = asyncio.create_task(self._receive(LIMITS.login_bytes))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait(
                (receiving, stopping),
                timeout=LIMITS.login_ms / 1000,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if receiving.done():
                return receiving.result()
        finally:
            receiving.cancel()
            stopping.cancel()
        if self._stopping.is_set():
            raise self._why or _shutting_down()
        raise Unavailable("login_timeout", "the challenge was not answered in time")

    async def _serve(self, peer: Peer) -> None:
        shared, state = self._shared, self._shared.state
        self.agency = peer.agency
        listener = state.listeners.add(peer.agency)
        token = shared.tokens.issue(peer.agency)

        def check() -> None:
            state.directory.key(peer.key, Role.NODE)

        try:
            freshen(state, shared.submit)  # a node was heard
            newest = await state.store.last_entry(peer.agency)
            book = state.registry.published
            leaves = 0 if book is None else book.size
            await self._send(encode(Welcome(token, state.clock(), newest, leaves)))
            pump = FeedPump(
                state,
                listener,
                self._send,
                peer.after,
                directory=peer.directory,
                leaves=peer.leaves,
                evidence=peer.evidence,
                check=check,
            )
            self._pump = pump
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._until_refused(pump.run()))
                tasks.create_task(self._ping())
                tasks.create_task(self._work_lane(tasks))
                uploads = Uploads(state, peer.agency, self._room)
                tasks.create_task(self._upload(uploads))
                tasks.create_task(self._until_stopped())
                tasks.create_task(self._until_refused(self._read(pump, uploads, check, tasks)))
        finally:
            shared.tokens.revoke(token)
            state.clocks.forget(self._number)
            state.listeners.remove(listener)
            if not state.listeners.count(peer.agency):
                state.lag.left(peer.agency)

    async def _until_refused(self, work: Coroutine[object, object, None]) -> None:
        """Until the node's key is revoked; then what is open is answered, and no more."""
        try:
            await work
        except Refused as error:
            self.stop(error)

    # --- reading ----------------------------------------------------------------------------------

    async def _read(
        self,
        pump: FeedPump,
        uploads: Uploads,
        check: Callable[[], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        while not self._stopping.is_set():
            frame, size = await self._receive()
            check()  # the pump asks too, but who takes nothing holds it up
            if isinstance(frame, Submit | StateFrame | Register | FetchStanzas):
                await self._accept(frame, size, tasks)
            elif isinstance(frame, Offer | Part):
                await self._room.take(size)
                uploads.put(frame, size)
            elif isinstance(frame, FetchPart | AskSchema):
                size += frame.length
                await self._room.take(size)
                tasks.create_task(self._answer_part(frame, size))
            elif isinstance(frame, AskProofs):
                size += answer_bytes(frame)
                await self._room.take(size)
                tasks.create_task(self._answer_proofs(frame, size))
            elif isinstance(frame, Ack):
                pump.acknowledge(frame.after)
            elif isinstance(frame, Ping):
                state = self._shared.state
                state.clocks.report(self._number, self.agency or "", frame.clock)
                await self._pong()
            elif isinstance(frame, Cosign):
                await self._shared.witnessed.take(self.agency or "", frame)
            elif isinstance(frame, Spare):
                pump.sparing = frame.on
            elif isinstance(frame, Closing):
                raise _Ended
            else:
                raise InvalidInput("login_expected", "a second login", field="login")

    async def _receive(self, limit: int = LIMITS.frame_bytes) -> tuple[FromNode, int]:
        """The next message, of at most `limit` bytes, and its size."""
        message = await self._ws.receive()
        if message.type is WSMsgType.BINARY:
            data = message.data
            return decode(_FROM_NODE, data, limit, "message"), len(data)
        if message.type is WSMsgType.TEXT:
            raise InvalidInput("malformed", "text was sent where records are spoken")
        raise _Ended

    async def _accept(self, frame: Request, size: int, tasks: asyncio.TaskGroup) -> None:
        """Take a request in; its signatures are checked while earlier ones wait for the log."""
        await self._room.take(size)
        checked: Checked = None
        if isinstance(frame, Submit | StateFrame):
            batches = self._kept.take(frame.signatures[: len(frame.items)])
            checked = tasks.create_task(self._check(frame, batches))
        self._lane.put_nowait((frame, size, checked))

    async def _check(self, frame: Submit | StateFrame, batches: Batches) -> Found:
        """What takes its time and needs no order: signatures, and files of attachments."""
        state, peer = self._shared.state, self.agency or ""
        bad = await requests.check_signatures(state, peer, frame)
        if isinstance(frame, StateFrame):
            return bad, {}
        return bad, await attaching.settle(state, peer, frame, batches)

    # --- answering --------------------------------------------------------------------------------

    async def _work_lane(self, tasks: asyncio.TaskGroup) -> None:
        """Queue requests in their order: a node may build on what it sent just before."""
        peer, submit, kept = self.agency or "", self._shared.submit, Kept()
        while True:
            frame, size, checked = await self._lane.get()
            if isinstance(frame, FetchStanzas):
                tasks.create_task(self._answer_stanzas(frame, size))
                continue
            if isinstance(frame, Register):
                queued = await requests.register(self._shared.state, submit, peer, frame)
            else:
                bad, missing = (frozenset(), {}) if checked is None else await checked
                queued = requests.enqueue(submit, peer, frame, bad, missing, kept)
            tasks.create_task(self._answer(frame.request, size, queued))

    async def _answer(self, request: int, size: int, queued: list[Work | Rejected]) -> None:
        answer = await requests.answer(request, queued)
        await attaching.forget(self._shared.state, self.agency or "", queued)
        await self._reply(answer, size)

    async def _answer_part(self, frame: FetchPart | AskSchema, size: int) -> None:
        await self._reply(await fetch(self._shared.state, self.agency or "", frame), size)

    async def _answer_proofs(self, frame: AskProofs, size: int) -> None:
        async with self._proving:  # a store reads tiles for one question of a session at a time
            found = await prove(self._shared.state, self._shared.submit, frame)
        await self._reply(found, size)

    async def _upload(self, uploads: Uploads) -> None:
        """Answer offers and parts in their order, beside requests that wait for the log."""
        while True:
            await self._send(encode(await uploads.reply()))

    async def _answer_stanzas(self, frame: FetchStanzas, size: int) -> None:
        found = await requests.fetch_stanzas(self._shared.state, self.agency or "", frame)
        await self._reply(found, size)

    async def _reply(
        self, frame: Answer | Stanzas | PartFetched | Proofs | SchemaBundle, size: int
    ) -> None:
        await self._send(encode(frame))
        self._room.give_back(size)

    async def _send(self, data: bytes) -> None:
        """Waits while the receiver does not take what was sent before."""
        self._sent_at = asyncio.get_running_loop().time()
        await self._ws.send_bytes(data)

    async def _pong(self) -> None:
        """Our clock in answer to the node's: with it travels what the network acknowledges."""
        await self._send(encode(Ping(self._shared.state.clock())))

    async def _ping(self) -> None:
        """Our clock on a line where nothing is said and nothing asked."""
        period = PATIENCE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.05, self._sent_at + period - loop.time()))
            if loop.time() - self._sent_at >= period:
                await self._send(encode(Ping(self._shared.state.clock())))

    # --- ending -----------------------------------------------------------------------------------

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await self._room.empty()
        except TimeoutError:
            _log.warning("session %d ends with unanswered requests", self._number)
        raise self._why or _shutting_down()

    async def _close(self, error: BaseException) -> None:
        if not isinstance(error, SaphanError) or self._ws.closed:
            return
        retry = error.retry_after_ms if isinstance(error, Unavailable) else 0
        _log.info("session %d of %s ends: %s", self._number, self.agency, error)
        if error.code in UNREADABLE:
            self._shared.state.alarms.sound_error(error)
        shown = error.shown if isinstance(error, Behind) else ()
        frame = Closing(error.code, error.message, error.hint, retry, shown)
        if isinstance(error, OperatorError):  # files and objects that it names are not the node's
            frame = Closing(error.code, _FOR_OPERATOR, None, retry)
        try:
            # A receiver that has stalled hears nothing any more; a stranger is not waited for.
            async with asyncio.timeout(0.1 if self.agency is None else 2):
                await self._ws.send_bytes(encode(frame))
                await self._ws.close(code=WSCloseCode.OK)
        except (TimeoutError, ConnectionError, RuntimeError):
            _log.info("session %d was gone before it heard why", self._number)


def _shutting_down() -> Unavailable:
    return Unavailable(
        "shutting_down",
        "the broker is shutting down",
        hint="requests without an answer are sent again in the next session",
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first single error of a group, however deep."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
