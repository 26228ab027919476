"""The broker: its state, its one sequencer, its sessions, from start to clean end.

broker = await open_broker(data, keys)
await broker.start()
...                     # app.make_app(broker) serves it
await broker.stop()
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef

from saphan_broker.alarms import Alarm
from saphan_broker.blob_sweep import BlobSweep
from saphan_broker.blobs.place import attachments_at
from saphan_broker.clock import Clock, system_clock
from saphan_broker.init_marker import check_finished
from saphan_broker.logs.log_book import Published
from saphan_broker.logs.signer import Signer
from saphan_broker.opening import SQLITE, StoreChoice, attachments_place, open_objects, open_store
from saphan_broker.processes.alone import Alone, Parts, Role
from saphan_broker.processes.duties import Duties
from saphan_broker.retention.armed import Armed
from saphan_broker.retention.sweep import Parts as SequencingParts
from saphan_broker.retention.whole import Retention
from saphan_broker.seeds import DayKeys
from saphan_broker.sequencing.committing import Committer
from saphan_broker.sequencing.expiry import Sweep, freshen
from saphan_broker.sequencing.sequencer import Sequencer
from saphan_broker.sequencing.work import Logged, Operation, Rejected
from saphan_broker.serving_keys import read_keys
from saphan_broker.sessions.session import Session, Shared
from saphan_broker.sessions.tokens import Tokens, digest
from saphan_broker.state import State
from saphan_broker.store.base import Log, Store
from saphan_broker.store_care import StoreCare
from saphan_broker.succession_chain import read_chain
from saphan_broker.witnessed import WitnessedTime

if TYPE_CHECKING:
    from saphan_broker.processes.joining import Joining

_log = logging.getLogger("saphan.broker")

STRANGERS = 2 * LIMITS.strangers
"""Connections without a login, with as many that are being told to go as may be open."""
STOP_SECONDS = LIMITS.shutdown_ms / 1000


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the broker takes and logs bulletins now, and why not."""

    ready: bool
    reasons: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers since the start, for metrics."""

    sessions: int
    waiting: int
    waiting_bytes: int
    feed_behind: int
    logged: int
    refused: int
    commits: int
    cosignatures: int
    alarms_raised: int
    directory_size: int
    evidence_size: int
    witnessed_ms: int


class Broker:
    """One running broker. `start` and `stop` once each, on one event loop."""

    def __init__(
        self, state: State, armed: Armed, take_role: Callable[[Parts], Role] = Alone
    ) -> None:
        self.state = state
        self.committer = Committer(state)
        self.sequencer = Sequencer(state, self.committer, lambda: self.role.leads())
        self.witnessed = WitnessedTime(state)
        self.tokens = Tokens()
        sequencing = SequencingParts(self.sequencer.submit, self.committer.emptied)
        self.retention = Retention(state, sequencing, self.witnessed, armed)
        self._sweep = Sweep(state, self.sequencer.submit, self.witnessed)
        self._blob_sweep = BlobSweep(state)
        self._care = care = StoreCare(state)
        self._recall: asyncio.Task[None] | None = None
        self._lag: asyncio.Task[None] | None = None
        destroys = self.retention.sweep.run
        duties = Duties([self._sweep.run, destroys, self._blob_sweep.run, care.archive, care.look])
        own, progress = self._own_reasons, self.retention.progress
        self.role = take_role(
            Parts(state, self.sequencer, duties, self.witnessed, self.tokens, own, progress)
        )
        self._shared = Shared(state, self.role.submit, self.witnessed, self.tokens)
        self._sessions: dict[Session, None] = {}
        self._handlers: set[asyncio.Task[object]] = set()
        self._numbers = itertools.count(1)
        self._stopping = False

    # --- life -------------------------------------------------------------------------------------

    async def start(self, *, override: str | None = None) -> None:
        """Read the store, check it against the signers, sign what may be signed, begin to work.

        Args:
            override: the operator's reason to sign without having heard a node; it is logged.

        Raises:
            OperatorError: `store_behind_signer`, `store_differs`, `store_damaged`, ...
        """
        await self.role.start(override)
        self._recall = asyncio.create_task(self._care.recall(), name="recall")
        self._lag = asyncio.create_task(self.state.lag.run(), name="witness lag")
        if self.role.alone:
            await self._blob_sweep.look(starting=True)

    async def stop(self) -> None:
        """Answer what was read, tell every session why, log what is queued, close; idempotent."""
        if self._stopping:
            return
        self._stopping = True
        for session in self._sessions:
            session.stop()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=STOP_SECONDS)
        beside = [task for task in (self._recall, self._lag) if task is not None]
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self.role.close(STOP_SECONDS)
        await self.state.close()

    async def admits(self, token: str) -> bool:
        """Whether a token is of an open session, of this process or another one."""
        return self.tokens.agency(token) is not None or await self.role.admits(digest(token))

    # --- sessions ---------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Handler of WebSocket /v1/session; connections that have not logged in are bounded too."""
        if sum(session.agency is None for session in self._sessions) >= STRANGERS:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
        ws = web.WebSocketResponse(
            max_msg_size=LIMITS.frame_bytes + 1,
            compress=False,
            heartbeat=3 * LIMITS.heartbeat_ms / 1000,
        )
        try:
            await ws.prepare(request)
        except ConnectionError:
            raise web.HTTPServiceUnavailable from None  # it left before it was greeted
        session = Session(self._shared, ws, next(self._numbers))
        task = asyncio.current_task()
        assert task is not None
        self._sessions[session] = None
        self._handlers.add(task)
        self._make_room()
        if self._stopping:
            session.stop()
        try:
            await session.run()
        finally:
            del self._sessions[session]
            self._handlers.discard(task)
        return ws

    def _make_room(self) -> None:
        """Too many have not logged in: who has had the longest time for it goes.

        Each may hold a whole message in memory. A node logs in at once, so it is never the oldest
        for long, however many strangers come.
        """
        strangers = [session for session in self._sessions if session.stranger]
        for session in strangers[: -LIMITS.strangers]:
            session.stop(
                Unavailable("login_timeout", "others wait to log in, and this one has not")
            )

    def freshen(self) -> None:
        """What is unsigned is signed, and an idle log shows a fresh head."""
        freshen(self.state, self.role.submit)

    # --- for the operator's side ------------------------------------------------------------------

    @property
    def heard(self) -> bool:
        """Whether the signers may sign: a node was heard since the start, or none is enrolled."""
        return all(signer.released for signer in self.state.signers.values())

    def allow_unheard(self, reason: str) -> None:
        """Sign although no node was heard, or one knew more, because the operator says so."""
        self.state.held = False
        for signer in self.state.signers.values():
            signer.allow_unheard(reason)
        self.role.override(reason)
        self.freshen()

    @property
    def head(self) -> Published | None:
        """Newest signed head of the evidence log."""
        return self.state.evidence.published

    @property
    def store(self) -> Store:
        """The store; another object after a failed commit, so ask each time."""
        return self.state.store

    async def admit_operation(self, signed: bytes) -> tuple[HeadRef, int | None]:
        """Log a directory operation by the operator's own act, a first one among them.

        Returns:
            The directory head that covers it, and its leaf index (None: it was logged before).

        Raises:
            InvalidInput, Refused: as the directory judges it; Unavailable: `node_not_heard`, ...
        """
        outcome = await self.role.submit(Operation(signed, None)).outcome
        if isinstance(outcome, Rejected):
            raise outcome.error
        published = self.state.registry.published
        if published is None:
            raise Unavailable("not_signed", "the directory log has no signed head yet")
        return published.ref, _first(outcome)

    def ready(self) -> Readiness:
        """Whether bulletins are taken and logged at this moment, here or by who sequences."""
        reasons = self._own_reasons() + self.role.reasons()
        if self._stopping:
            reasons.append(Alarm("shutting_down", "the broker is shutting down", True))
        return Readiness(not reasons, tuple(reasons))

    def _own_reasons(self) -> list[Alarm]:
        reasons = [alarm for alarm in self.state.alarms.active() if alarm.stops]
        if self.role.holding and not self.heard:  # else it is for the other one to say
            reasons.append(
                Alarm("node_not_heard", "no node's session has opened since the start", True)
            )
        now = self.state.clock()
        try:
            self.state.clocks.check(now)  # asked anew: the alarm waits for the next commit
        except Unavailable as error:
            reasons.append(Alarm(error.code, error.message, True))
        if self.sequencer.broken and not reasons:
            reasons.append(Alarm("broker_stopped", "the logs stand still after a failure", True))
        return reasons

    def stats(self) -> Stats:
        """Numbers since the start."""
        state = self.state
        waiting, waiting_bytes = self.role.waiting
        return Stats(
            sessions=state.listeners.total(),
            waiting=waiting,
            waiting_bytes=waiting_bytes,
            feed_behind=max((session.behind for session in self._sessions), default=0),
            logged=state.counters.logged,
            refused=state.counters.refused_total,
            commits=state.counters.commits,
            cosignatures=self.witnessed.taken,
            alarms_raised=state.alarms.raised_total,
            directory_size=state.registry.tree.size,
            evidence_size=state.evidence.tree.size,
            witnessed_ms=self.witnessed.now,
        )


def _first(outcome: Logged) -> int | None:
    return outcome.indices[0] if outcome.indices else None


async def open_broker(
    data: Path, keys: Path, *, store: StoreChoice = SQLITE, clock: Clock = system_clock
) -> Broker:
    """The broker of two directories that `init` made; not started yet.

    Args:
        keys: the signer's, or one made by `serving_keys.share` that has no signers.
        store: which engine, and where objects lie.

    Raises:
        OperatorError: `store_*`, `key_file_*`, `redis_*`; Unavailable: `redis_unreachable`, ...
    """
    await asyncio.to_thread(check_finished, keys)
    pins, log_keys = await asyncio.to_thread(read_keys, keys)
    signers: dict[Log, Signer] = {}
    for log, one in (log_keys or {}).items():
        signers[log] = await asyncio.to_thread(Signer.open, keys, log, one)
    day_keys = await asyncio.to_thread(DayKeys.open, keys)
    armed = await asyncio.to_thread(Armed.open, keys)
    choice = store.of(pins)

    objects = (
        await asyncio.to_thread(open_objects, data, choice)
        if choice.shared or choice.blobs
        else None
    )
    joining = _joining(choice)

    async def reopen() -> Store:
        opened = await open_store(data, choice, objects)
        return opened if joining is None else joining.fence(opened)

    where = attachments_place(data, choice)
    blobs = attachments_at(where, objects, clock, shared=choice.shared)
    try:
        opened = await reopen()
    except BaseException:
        blobs.close()
        if objects is not None:
            await objects.close()
        raise
    state = State(
        opened, reopen, pins, day_keys, signers, blobs=blobs, objects=objects, clock=clock
    )
    state.chain = await asyncio.to_thread(read_chain, keys)
    return Broker(state, armed) if joining is None else Broker(state, armed, joining.role)


def _joining(choice: StoreChoice) -> Joining | None:
    if choice.redis is None:
        return None
    from saphan_broker.processes.joining import Joining  # a broker on SQLite needs no client

    return Joining(choice.redis)
