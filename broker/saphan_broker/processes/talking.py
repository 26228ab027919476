"""What this process tells the others and what it makes of what they say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Final, Protocol, TypeVarTuple

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef

from saphan_broker.logs.log_book import LogBook
from saphan_broker.processes.alone import Parts
from saphan_broker.processes.announcing import Announcing
from saphan_broker.processes.channel import Channel
from saphan_broker.processes.following import Following
from saphan_broker.processes.forwarding import Forwarding
from saphan_broker.processes.peers import Peers
from saphan_broker.processes.taking import Taking
from saphan_broker.processes.wire import (
    Answers,
    Beat,
    Body,
    Come,
    Cosigned,
    Envelope,
    Forwarded,
    Gone,
    News,
    OpenSession,
    Override,
    Who,
)
from saphan_broker.retention.progress import Told
from saphan_broker.store.base import CosignatureRow
from saphan_broker.store.redis.address import RedisAddress

Ts = TypeVarTuple("Ts")
_log = logging.getLogger("saphan.broker")

GAP_SECONDS: Final = 0.02
"""Between two beats, however much changes."""
TEXT_CHARS: Final = 400


class Hearer(Protocol):
    """The role, as far as others' words concern it."""

    @property
    def holding(self) -> bool:
        """Whether this process sequences."""

    @property
    def following(self) -> Following:
        """What is known of logs that another process writes."""

    def look(self) -> None:
        """Something may have changed about who sequences."""

    def freed(self) -> None:
        """The signers may sign from now on."""


class Talking:
    """Owned by the event loop.

    Args:
        process: this process's id.
    """

    def __init__(self, parts: Parts, address: RedisAddress, process: bytes) -> None:
        state = parts.state
        envelope = Envelope(state.keys, state.evidence.origin)
        self._state = state
        self._witnessed = parts.witnessed
        self._tokens = parts.tokens
        self._stopped = parts.stopped
        self._progress = parts.progress
        self._channel = Channel(
            address, envelope, state.clock, process, self._took, self._listening
        )
        self.peers = Peers(state)
        self.forwarding = Forwarding(self._channel, state.verified.holds)
        self._taking = Taking(state, self._channel, parts.sequencer.submit)
        self._announcing = Announcing(state, self._channel, self.peers)
        self._role: Hearer | None = None
        self._due = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -------------------------------------------------------------------------------------

    def begin(self, role: Hearer) -> None:
        """Listen and speak for this role."""
        self._role = role
        self._tokens.changed = self._due.set
        self._witnessed.told = self._cosigned
        self._channel.start()
        self._beating = asyncio.create_task(self._beat(), name="beat")

    def lead(self) -> None:
        """This process sequences: the others hear of every head."""
        self._state.listeners.elsewhere = self._announcing
        self._say_beat()
        self._announcing.begin()

    def follow(self) -> None:
        """Another process sequences, or nobody."""
        self._state.listeners.elsewhere = None
        self._say_beat()

    def override(self, reason: str) -> None:
        """The operator lets the signers sign: whoever will sequence must know."""
        self._channel.tell(Override(reason))

    async def end(self) -> None:
        """Say goodbye, and fall silent."""
        self._tokens.changed = self._witnessed.told = None
        tasks = [*self._tasks, *([] if self._beating is None else [self._beating])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._channel.tell(Gone())
        await self._channel.close()

    # --- beats ------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            self._due.clear()
            self._say_beat()
            self.peers.prune()
            await asyncio.sleep(GAP_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LIMITS.beat_ms / 1000):
                    await self._due.wait()

    def _say_beat(self) -> None:
        state, role = self._state, self._role
        assert role is not None
        heard = None if state.heard is None else tuple(state.heard.values())
        stopped = self._stopped() if role.holding else []
        self._channel.tell(
            Beat(
                holding=role.holding,
                line=self._channel.lines,
                witnessed=self._witnessed.now,
                held=state.held,
                heard=heard,
                stopped=tuple((one.code, one.message[:TEXT_CHARS]) for one in stopped),
                sessions=tuple(OpenSession(*one) for one in self._tokens.open()[: LIMITS.sessions]),
                clocks=tuple(state.clocks.here(state.clock())[: LIMITS.sessions]),
                progress=Come(*self._progress.tell()),
            )
        )

    def _cosigned(self, book: LogBook, row: CosignatureRow) -> None:
        head = book.newest(row.size)
        note = None if head is None else head.note
        told = (book.log, row.agency, row.size, row.time, row.lines)
        self._channel.tell(Cosigned(*told, note, self._witnessed.now))

    # --- what others say --------------------------------------------------------------------------

    def _listening(self) -> None:
        """Whatever was said while nobody listened here is lost."""
        assert self._role is not None
        self.forwarding.lost()
        self._role.following.hint()
        self._channel.tell(Who())
        self._due.set()

    def _took(self, sender: bytes, body: Body) -> None:
        role = self._role
        assert role is not None
        if isinstance(body, Forwarded):
            self._taking.take(sender, body)
        elif isinstance(body, Answers):
            if role.following.knows(body.directory, body.evidence):
                self.forwarding.answered(sender, body)
            else:
                self._soon(self._answered, sender, body)
        elif isinstance(body, News):
            if not role.holding:
                role.following.news(body)
        elif isinstance(body, Beat):
            self._heard_beat(sender, body)
        elif isinstance(body, Cosigned):
            self._soon(self._heard_cosigned, body)
        elif isinstance(body, Who):
            self._due.set()
        elif isinstance(body, Override):
            self._overridden(body.reason)
        else:
            self.peers.gone(sender)
            self._channel.forget(sender)
            role.look()

    def _soon(self, work: Callable[[*Ts], Coroutine[object, object, None]], *said: *Ts) -> None:
        task = asyncio.create_task(self._guarded(work, *said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(
        self, work: Callable[[*Ts], Coroutine[object, object, None]], *said: *Ts
    ) -> None:
        try:
            await work(*said)
        except SaphanError as error:
            _log.info("what another process said has no effect: %s", error)
        except Exception:  # a bug; who said it cannot be told
            _log.exception("a message of another process met a bug")

    async def _answered(self, sender: bytes, answers: Answers) -> None:
        """Whoever is answered must also be shown what he is answered about."""
        assert self._role is not None
        await self._role.following.at_least(answers.directory, answers.evidence)
        self.forwarding.answered(sender, answers)

    def _heard_beat(self, sender: bytes, beat: Beat) -> None:
        assert self._role is not None
        before = self.peers.beat(sender, beat)
        self._witnessed.heard(beat.witnessed)
        if before is None or before.holding != beat.holding:
            self._role.look()
        if before is not None and before.line != beat.line:
            self.forwarding.lost_at(sender)
        unheard = not all(signer.released for signer in self._state.signers.values())
        if beat.held and unheard:
            self._state.held = True
        if beat.heard is not None and unheard:
            self._soon(self._release, beat.heard)
        come = beat.progress
        self._soon(self._progress.hear, Told(come.seed, come.acted, come.armed))

    async def _release(self, heads: tuple[HeadRef, ...]) -> None:
        """A node has logged in at another process: it counts as heard here."""
        state = self._state
        if state.held:
            return
        try:
            for signer in state.signers.values():
                if not signer.released:
                    await asyncio.to_thread(signer.heard, heads)
        except OperatorError as error:
            state.held = True
            state.alarms.sound_error(error, stops=True)
            return
        state.hear(heads)
        assert self._role is not None
        self._role.freed()

    async def _heard_cosigned(self, told: Cosigned) -> None:
        assert self._role is not None
        book = self._state.books[told.log]
        if told.note is not None and book.newest(told.size) is None:
            if told.size > book.tree.size:
                await self._role.following.catch_up()
            book.shown_elsewhere(told.note, self._state.key_pair(told.log))
        if self._role.holding:  # it writes; what a follower keeps waits for a commit of its own
            row = CosignatureRow(told.agency, told.size, told.time, told.lines)
            await self._state.store.put_cosignature(told.log, row)
        book.add_cosignature(told.agency, told.size, told.lines)
        self._witnessed.heard(told.witnessed)
        self._state.listeners.published_here(())

    def _overridden(self, reason: str) -> None:
        self._state.held = False
        for signer in self._state.signers.values():
            if not signer.released:
                signer.allow_unheard(reason)
        assert self._role is not None
        self._role.freed()
