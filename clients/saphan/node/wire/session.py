"""One session with the broker: its tasks live and die together.

Reading feeds a short queue; one task judges its frames in order, another cosigns, two send. The
first error ends the session, and the line opens the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import aiohttp
from saphan_protocol.checkpoint import Head
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, SaphanError, Unavailable
from saphan_schemas.frames import (
    Ack,
    Answer,
    Closing,
    DirectoryLeaves,
    Feed,
    FetchStanzas,
    FromBroker,
    Held,
    PartFetched,
    Ping,
    Spare,
    Stanzas,
    Welcome,
    Witnessed,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import Proofs
from saphan_schemas.schema_frames import SchemaBundle
from saphan_schemas.succession_frames import AskReport

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine, told
from saphan.node.events import DIRECTORY, Events
from saphan.node.files.blobs import BlobFiles
from saphan.node.heads import contradicted
from saphan.node.login import (
    ShownOtherwise,
    challenged,
    closed,
    log_in,
    receive_frame,
    skewed,
    welcomed,
)
from saphan.node.portions import portions
from saphan.node.recovery import Recovery
from saphan.node.restored import CATCHING_UP, Restored
from saphan.node.rows.places import log_number
from saphan.node.seen_heads import SeenHeads
from saphan.node.split import DOUBT, Doubt, settled
from saphan.node.splits import Splits
from saphan.node.succession.adopting import Adopting
from saphan.node.succession.bringing import Bringing
from saphan.node.together import until_first_error
from saphan.node.wire.asking import Asking
from saphan.node.wire.comparing import Comparing
from saphan.node.wire.fetching import Fetching
from saphan.node.wire.proving import Proving
from saphan.node.wire.pumps import Pumps
from saphan.node.wire.succeeding import Succeeding
from saphan.node.wire.uploading import Uploading
from saphan.node.wire.witnessing import Witnessing
from saphan.node.witness import Witness

FRAMES_AHEAD: Final = 4
"""Received frames waiting to be judged; the broker's window bounds their bytes."""
SILENCE_S: Final = 3 * LIMITS.heartbeat_ms / 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """What sessions of one node share; `clock` gives ms UTC."""

    engine: Engine
    recovery: Recovery
    witness: Witness
    restored: Restored
    files: BlobFiles
    splits: Splits
    seen: SeenHeads
    alarms: Alarms
    events: Events
    adopting: Adopting
    bringing: Bringing
    clock: Callable[[], int]


class Session:
    """A session on an open WebSocket; `opened(session, token)` is called once it is welcome."""

    def __init__(
        self,
        ws: aiohttp.ClientWebSocketResponse,
        parts: Parts,
        opened: Callable[[Session, str], None],
    ) -> None:
        self._ws = ws
        self._parts = parts
        self._engine = parts.engine
        self._opened = opened
        self._frames: asyncio.Queue[Feed | DirectoryLeaves | Witnessed] = asyncio.Queue(
            FRAMES_AHEAD
        )
        self._doubting = False
        self._heard = 0
        self.useful = False
        """Whether it has brought anything that the next session need not bring again."""
        self._fetched: dict[int, list[bytes]] = {}
        self._newest: int | None = None
        self._leaves = 0
        self._answer_s = 0.0
        self._caught_up = asyncio.Event()
        self.pumps = pumps = Pumps(parts.engine, self._send, parts.clock)
        self.asking = Asking(self._send, pumps.request)
        self._proving = Proving(parts.engine, self.asking)
        self._witnessing = Witnessing(
            parts.engine,
            parts.witness,
            parts.restored,
            parts.alarms,
            self._send,
            lambda: max(self._answer_s, pumps.pace.quickest_ms / 1000),
            self._proving.wake,
        )
        self._succeeding = Succeeding(
            parts.engine,
            parts.witness,
            parts.adopting,
            parts.bringing,
            self.asking,
            self._send,
        )
        self._comparing = Comparing(parts.engine, parts.seen, self.asking)
        self._uploading = Uploading(parts.engine, parts.files, self._send, pumps)
        pumps.bulk = self._uploading
        self._fetching = Fetching(
            parts.engine, parts.files, self._send, pumps.request, self._parts_came
        )

    async def run(self) -> None:
        """Log in and work until the line breaks; always ends with an error.

        Raises:
            SaphanError: why the session ended.
        """
        engine, parts = self._engine, self._parts
        # In the frames' thread: a frame of the session before may still be on its way to disk.
        logs = await engine.in_frames(lambda: engine.logs)
        challenge = await challenged(self._ws)
        await self._succeeding.follow(self._ws, challenge)
        await log_in(self._ws, challenge, engine.agency, engine.key, logs, parts.clock())
        self._check_clock(challenge.clock)
        if not parts.restored.listening:
            # Nothing waits for the welcome: on a long line it is a second later.
            await self._take_up()
        try:
            await until_first_error(
                self._read(),
                self._judge(),
                self._witnessing.run(),
                self._beat(),
                self._save_bytes(),
                self._succeeding.run(),
                self._speak(self.pumps.run("bulletins")),
                self._speak(self.pumps.run("statements")),
                self._speak(self._uploading.run()),
                self._speak(self._fetching.run()),
                self._speak(self._comparing.run()),
                self._speak(self._proving.run()),
            )
        finally:
            self.pumps.close()
            self.asking.close()

    def wake_parts(self) -> None:
        """Something is to be fetched."""
        self._fetching.wake()

    async def _send(self, frame: object) -> None:
        data = encode(frame)
        self._engine.budget.spend(len(data))
        try:
            await self._ws.send_bytes(data)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Unavailable("line_down", f"the line broke: {type(error).__name__}") from None

    def _check_clock(self, theirs: int) -> None:
        alarm = skewed(theirs, self._parts.clock())
        if alarm is None:
            self._parts.alarms.clear("clock_skew")
        else:
            self._parts.alarms.sound(alarm)

    async def _take_up(self) -> None:
        """Finish what an earlier stop left open; a restored node first hears what it missed."""
        engine, restored = self._engine, self._parts.restored
        if restored.listening:
            if not restored.has_heard(self._newest, self._leaves):
                return
            await engine.in_frames(restored.heard)
            self._parts.alarms.clear(CATCHING_UP)
        missing = await engine.in_frames(self._parts.recovery.run)
        await engine.in_sealing(partial(engine.consign_ended, self._parts.clock()))
        await engine.in_sealing(partial(engine.consign_due, self._parts.clock()))
        await self._fetch_stanzas(missing)
        await engine.in_reading(self._witnessing.allowed)
        self._caught_up.set()

    async def _speak(self, work: Coroutine[Any, Any, None]) -> None:
        with contextlib.closing(work):
            await self._caught_up.wait()
            await self._succeeding.brought.wait()
            await work

    async def _fetch_stanzas(self, bulletins: list[bytes]) -> None:
        for part in portions(bulletins):
            request = self.pumps.request()
            self._fetched[request] = part
            await self._send(FetchStanzas(request, tuple(part)))

    # --- tasks ------------------------------------------------------------------------------------

    async def _greet(self) -> None:
        """The session is open; what was stored while it was not known to be is looked for."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        welcome = await self._welcomed()
        self._answer_s = loop.time() - begin
        self._newest, self._leaves = welcome.newest, welcome.leaves
        self._engine.budget.spend_session()
        self._opened(self, welcome.token)
        self._succeeding.welcomed()
        if self._parts.restored.listening:
            await self._take_up()
        self.pumps.wake("bulletins")
        self.pumps.wake("statements")
        self._uploading.wake()
        self._fetching.wake()

    async def _welcomed(self) -> Welcome:
        """The broker's welcome; one that lets nobody in may show two histories all the same."""
        try:
            welcome = await welcomed(self._ws)
            while isinstance(welcome, AskReport):
                await self._succeeding.report(welcome)
                welcome = await welcomed(self._ws)
            return welcome
        except ShownOtherwise as error:
            logs = self._engine.logs
            known = (logs.directory_heads, logs.evidence_heads)
            look = partial(contradicted, known, error.shown)
            met = await self._engine.in_frames(look)
            raise met or error from None

    async def _read(self) -> None:
        await self._greet()
        while True:
            frame = await receive_frame(self._ws, SILENCE_S, self._engine.budget.spend)
            self._heard += 1
            self.useful |= _brings(frame)
            match frame:
                case Feed() | DirectoryLeaves() | Witnessed():
                    if not self._doubting:
                        await self._frames.put(frame)
                case Answer():
                    await self._answered(frame)
                case Held():
                    self._uploading.held(frame)
                case PartFetched():
                    self._fetching.take(frame)
                case Proofs() | SchemaBundle():
                    self.asking.answered(frame)
                case Stanzas():
                    await self._stanzas(frame)
                case Ping():
                    self._check_clock(frame.clock)
                case Closing():
                    raise closed(frame)
                case _:
                    raise InvalidInput("malformed", "the broker greets in the middle of a session")

    async def _answered(self, answer: Answer) -> None:
        if not (self.asking.answered(answer) or self._uploading.refused(answer)):
            await self.pumps.answer(answer)

    async def _stanzas(self, frame: Stanzas) -> None:
        bulletins = self._fetched.pop(frame.request, [])
        take = partial(self._parts.recovery.take_stanzas, bulletins, frame.stanzas)
        if await self._engine.in_frames(take):
            self.pumps.wake("statements")
        self._fetching.wake()

    async def _parts_came(self, bulletin: bytes) -> None:
        """Everything of it is durable here."""
        came = partial(self._parts.recovery.parts_came, bulletin)
        stated, stanza = await self._engine.in_frames(came)
        if stated:
            self.pumps.wake("statements")
        if stanza:
            await self._fetch_stanzas([bulletin])

    async def _judge(self) -> None:
        """Take frames in their order, until one of them contradicts what is known."""
        try:
            await self._take_frames()
        except Doubt as doubt:
            raise await self._settle(doubt) from None

    async def _settle(self, doubt: Doubt) -> SaphanError:
        """Ask for what decides whether the log has two histories; the session ends either way."""
        self._doubting = True
        while not self._frames.empty():  # so that the answer behind them is read
            self._frames.get_nowait()
        at = (doubt.known.size,)
        try:
            proofs = await self.asking.prove(doubt.head.ref, at, at)
        except Unavailable:
            return doubt
        return settled(doubt, proofs) or doubt

    async def _take_frames(self) -> None:
        engine = self._engine
        while True:
            frame = await self._frames.get()
            if isinstance(frame, Witnessed):
                await engine.in_frames(partial(engine.take_witnessed, frame))
                self._proving.wake()
                continue
            head: Head | None
            if isinstance(frame, DirectoryLeaves):
                head = await engine.in_frames(partial(engine.take_directory, frame))
                self._parts.events.publish([{"type": DIRECTORY}])
                if not self._caught_up.is_set():
                    await self._take_up()
            else:
                head = await self._take_feed(frame)
            if head is not None:
                if not engine.logs.doubted:
                    self._parts.alarms.clear(DOUBT)
                self._witnessing.saw(head)

    async def _take_feed(self, frame: Feed) -> Head:
        engine = self._engine
        effects = await engine.in_frames(partial(engine.take_feed, frame))
        if effects.answers is not None:
            self.pumps.offer("statements", effects.answers)
        await self._send(Ack(frame.next))
        if not self._caught_up.is_set():
            await self._take_up()
        if effects.arrived:
            self._comparing.wake()
        if effects.lacking or effects.damaged:
            self._fetching.wake()
        self.pumps.send_statements(effects.said_again)
        await self._fetch_stanzas(effects.ask_again)
        if effects.consign_anew:
            await engine.in_sealing(partial(engine.consign_anew, effects.consign_anew))
            self.pumps.wake("bulletins")
        self._parts.events.publish(told(effects, log_number(engine.logs.pins.evidence)))
        return effects.check.head

    async def _save_bytes(self) -> None:
        """When the day's budget is spent routine ciphertexts stay at the broker; then all go on."""
        spent = False
        while True:
            spent = await self._engine.budget.turned_from(spent)
            await self._send(Spare(spent))
            if not spent:
                self.pumps.wake("bulletins")
                self._fetching.wake()

    async def _beat(self) -> None:
        heard = -1
        while True:
            await asyncio.sleep(LIMITS.heartbeat_ms / 1000)
            if self._heard == heard and not self._frames.full():  # the last ping has no answer
                raise Unavailable("line_silent", "the broker does not answer; the line is dead")
            heard = self._heard
            if self.pumps.overdue(asyncio.get_running_loop().time()):
                raise Unavailable("no_answer", "the broker pings, and does not answer")
            # What a disk has kept and reported failed has woken nobody.
            self.pumps.wake("bulletins")
            self.pumps.wake("statements")
            await self._send(Ping(self._parts.clock()))


def _brings(frame: FromBroker) -> bool:
    if isinstance(frame, Feed):
        return bool(frame.entries)
    return isinstance(frame, Answer | Held | PartFetched | DirectoryLeaves)
