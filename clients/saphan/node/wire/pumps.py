"""What flows to the broker: bulletins and statements, a few frames ahead of their answers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, Protocol

from saphan_protocol.pace import Pace
from saphan_protocol.told import Sent
from saphan_schemas.errors import SaphanError
from saphan_schemas.frames import Answer, Result, State, Submit
from saphan_schemas.limits import KIB, MIB

from saphan.node.anew import untried
from saphan.node.engine import Engine
from saphan.node.portions import IMMEDIATE, SIGNATURE_BYTES, Look, Portion, Progress
from saphan.node.rows.statements import next_statements, statement_bytes
from saphan.node.signing_anew import AHEAD, KEY_ENDED, sign_refused
from saphan.node.waiting import bytes_of, next_portion, refused, refused_statements
from saphan.node.wire.over_quota import OverQuota

log = logging.getLogger("saphan.node")

Send = Callable[[object], Awaitable[None]]
Kind = Literal["bulletins", "statements"]

ANSWER_S: Final = 120.0
"""A broker that pings and does not answer: the next session asks again, or shows that it is down.
It may well wait for a disk; two minutes it does not."""
IN_FLIGHT: Final = 16
"""Frames of one kind without an answer: at 64 a frame, 1,024 bulletins cover any round trip."""


FIRST_BYTES: Final = 16 * KIB
"""Of a session's first frames: two seconds at 64 kbit/s, one bulletin with its signature."""
PACE_BYTES: Final = 8 * MIB
"""Most that is on its way: what `IN_FLIGHT` frames of ordinary bulletins take."""
OFFERED: Final = 4
"""Portions kept in memory until they are sent; what is pushed out is looked for in the store."""


ATTACHMENT_MISSING: Final = "attachment_missing"


class Bulk(Protocol):
    """Who brings attachments beside: their consignments are sent when all of them are there."""

    def wake(self) -> None:
        """New consignments may wait."""

    def room(self) -> None:
        """The line may have room again."""

    def lacked(self, row: int, why: Result) -> None:
        """The broker does not have the attachments of a consignment that was sent."""


@dataclass(slots=True)
class _Sent:
    kind: Kind
    rows: list[int]
    at: float
    size: int


CLOCK_WAIT_MS: Final = 10_000
"""Until what was dated ahead of the broker's clock is said again: one of both may be right then."""


class Pumps:
    """The sending half of one session; a new session starts again with everything that waits.

    Args:
        send: writes one frame; clock: ms UTC.
    """

    def __init__(self, engine: Engine, send: Send, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._send = send
        self._clock = clock
        self.pace = Pace(PACE_BYTES, FIRST_BYTES)
        self.bulk: Bulk | None = None
        self._told = Sent()
        self._next_request = 0
        self._sent: dict[int, _Sent] = {}
        self._wake: dict[Kind, asyncio.Event] = {
            "bulletins": asyncio.Event(),
            "statements": asyncio.Event(),
        }
        self._slots: dict[Kind, asyncio.Semaphore] = {
            "bulletins": asyncio.Semaphore(IN_FLIGHT),
            "statements": asyncio.Semaphore(IN_FLIGHT),
        }
        self._again: dict[Kind, list[int]] = {"bulletins": [], "statements": []}
        self._look: dict[Kind, bool] = {"bulletins": True, "statements": True}
        self._blocked: dict[Kind, bool] = {"bulletins": False, "statements": False}
        self._offered: dict[Kind, deque[Portion[Any]]] = {
            "bulletins": deque(maxlen=OFFERED),
            "statements": deque(maxlen=OFFERED),
        }
        self._over = OverQuota(engine, lambda: self.wake("bulletins"))
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self, kind: Kind) -> None:
        """Something new waits in the store."""
        self._look[kind] = True
        self._wake[kind].set()
        if kind == "bulletins" and self.bulk is not None:
            self.bulk.wake()

    def send_rows(self, rows: list[int]) -> None:
        """Consignments whose attachments the broker holds."""
        self._again["bulletins"] += rows
        self._wake["bulletins"].set()
        self._look["bulletins"] = True

    def send_statements(self, rows: list[int]) -> None:
        """Statements that wait once more, or whose bulletin the log has at last."""
        if rows:
            self._again["statements"] += rows
            self.wake("statements")

    def offer(self, kind: Kind, portion: Portion[Any]) -> None:
        """What has just been stored: sent as it is if its rows are next, else looked for."""
        self._offered[kind].append(portion)
        self._wake[kind].set()

    def request(self) -> int:
        """A request number that this session has not used."""
        self._next_request += 1
        return self._next_request

    def close(self) -> None:
        """Forget timers; what was in flight is sent again in the next session."""
        self._over.close()
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()

    def overdue(self, now: float) -> bool:
        """Whether a frame has had no answer for `ANSWER_S`; `now` is of the loop's clock."""
        return any(now - sent.at > ANSWER_S for sent in self._sent.values())

    async def run(self, kind: Kind) -> None:
        """Send what waits, for ever."""
        progress = Progress()
        while True:
            await self._slots[kind].acquire()
            sent = await self._portion(kind, progress)
            if not sent:
                self._slots[kind].release()
            idle = not (self._look[kind] or self._offered[kind])
            if idle or (self._blocked[kind] and not sent):
                await self._wake[kind].wait()

    async def _portion(self, kind: Kind, progress: Progress) -> bool:
        """Send one frame of what `progress` has not passed; False if there was none."""
        self._wake[kind].clear()
        if kind == "bulletins" and self._must_rest():
            self._blocked[kind] = True
            return False
        room = self.pace.room
        # On a full line only what is immediate goes out, and only bulletins are.
        full, afforded = not room, self._engine.budget.least if kind == "bulletins" else 0
        self._blocked[kind] = full or afforded > 0
        if full and kind == "statements":
            return False
        again: list[int] = []
        if not full:
            again, self._again[kind] = self._again[kind], []
        portion = None
        if not (again or full or afforded):
            portion = self._next_offered(kind, progress, room)
        if portion is None:
            least = IMMEDIATE if full else afforded
            look = Look(progress.after, room or FIRST_BYTES, least, tuple(again))
            portion = await self._stored(kind, look)
            if portion.rows and not again:
                progress.passed(portion)
        if again:
            self._keep_rest(kind, again, portion.rows)
        if portion.rows:
            await self._send_portion(kind, portion)
        return bool(portion.rows)

    def _must_rest(self) -> bool:
        """Whether bulletins wait because too many were sent before, or for the first answer after
        that."""
        over = self._over
        under_way = any(sent.kind == "bulletins" for sent in self._sent.values())
        return over.resting or (over.probing and under_way)

    def _keep_rest(self, kind: Kind, again: list[int], sent: list[int]) -> None:
        left = set(again).difference(sent)
        if sent and left:
            self._again[kind] += sorted(left)
        # They say nothing about new rows: look at those at once.
        self.wake(kind)

    async def _send_portion(self, kind: Kind, portion: Portion[Any]) -> None:
        fresh = self._told.fresh(portion.signatures)
        portion = replace(portion, signatures=fresh)
        request, size = self.request(), _bytes_of(kind, portion)
        frame = Submit if kind == "bulletins" else State
        now = asyncio.get_running_loop().time()
        self._sent[request] = _Sent(kind, portion.rows, now, size)
        self.pace.sent(size, now * 1000)
        await self._send(frame(request, portion.items, fresh))

    def _next_offered(self, kind: Kind, progress: Progress, room: int) -> Portion[Any] | None:
        """The offered rows that follow all that was sent, if nothing else waits and they have room;
        those that a look has sent are dropped."""
        offered = self._offered[kind]
        while offered and not self._look[kind]:
            portion = offered.popleft()
            if progress.next_is(portion.rows[0]) and _bytes_of(kind, portion) <= room:
                progress.passed_all(portion.rows[-1])
                return portion
            if portion.rows[-1] > max(progress.after):
                break
        return None

    async def _stored(self, kind: Kind, look: Look) -> Portion[Any]:
        # Before looking: what is stored after the look asks for another one.
        self._look[kind] = False
        self._offered[kind].clear()
        db = self._engine.db
        portion: Portion[Any]
        if kind == "bulletins":
            portion = await self._engine.in_reading(lambda: next_portion(db, look))
        else:
            first = self._engine.logs.first
            portion = await self._engine.in_reading(lambda: next_statements(db, look, first))
        self._look[kind] |= portion.more
        return portion

    async def answer(self, answer: Answer) -> None:
        """Act on the results of one frame; positions and proofs come with the feed."""
        sent = self._sent.pop(answer.request, None)
        if sent is None:
            return
        self._slots[sent.kind].release()
        if sent.kind == "bulletins":
            self._over.hear(answer.results)
        self.acknowledged(sent.size)
        never: list[tuple[int, Result]] = []
        later: list[tuple[int, int]] = []
        for row, result in zip(sent.rows, answer.results, strict=False):
            if result.code is None:
                continue
            if result.code == ATTACHMENT_MISSING and self.bulk is not None:
                self.bulk.lacked(row, result)
            elif result.retry_after_ms > 0:
                later.append((result.retry_after_ms, row))
            else:
                never.append((row, result))
        if later:
            self._retry(sent.kind, max(wait for wait, _ in later), [row for _, row in later])
        if never:
            await self._refuse(sent.kind, never)

    def sent(self, size: int) -> None:
        """`size` bytes of something else were handed to the line."""
        self.pace.sent(size, asyncio.get_running_loop().time() * 1000)

    async def refuse(self, row: int, why: Result) -> None:
        """A consignment can never be sent."""
        await self._refuse("bulletins", [(row, why)])

    def acknowledged(self, size: int) -> None:
        """The broker has answered for `size` bytes more: there may be room for what waits."""
        self.pace.acknowledged(size, asyncio.get_running_loop().time() * 1000)
        for kind, blocked in self._blocked.items():
            if blocked:
                self._wake[kind].set()
        if self.bulk is not None:
            self.bulk.room()

    def _retry(self, kind: Kind, wait_ms: int, rows: list[int]) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self._again[kind] += rows
            self.wake(kind)

        timer = asyncio.get_running_loop().call_later(wait_ms / 1000, due)
        self._timers.add(timer)

    async def _refuse(self, kind: Kind, never: list[tuple[int, Result]]) -> None:
        engine = self._engine
        if kind == "statements":
            await self._refuse_statements(never)
            return
        now = self._clock()
        found = await engine.in_frames(lambda: refused(engine.db, never, now))
        for error in found.ended:
            engine.sound(error)
        if found.anew:
            task = asyncio.create_task(self._consign_anew(found.anew, found.wait_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _refuse_statements(self, never: list[tuple[int, Result]]) -> None:
        engine, again, now = self._engine, list[int](), self._clock()
        if any(result.code in (KEY_ENDED, AHEAD) for _, result in never):
            again = await engine.in_frames(partial(sign_refused, engine.db, engine.key, never, now))
        left = [one for one in never if one[0] not in again]
        ahead = [row for row, result in left if result.code == AHEAD]
        left = [one for one in left if one[0] not in ahead]
        if ahead:  # this clock still calls them right
            self._retry("statements", CLOCK_WAIT_MS, ahead)
        if left:
            await engine.in_frames(partial(refused_statements, engine.db, left))
        if again:
            self._again["statements"] += again
            self.wake("statements")

    async def _consign_anew(self, anew: dict[tuple[bytes, str], int], wait_s: float) -> None:
        """If it fails, or the session ends before, the next session finds it undone."""
        await asyncio.sleep(wait_s)
        engine = self._engine
        try:
            await engine.in_sealing(lambda: engine.consign_anew(untried(engine.db, anew)))
        except SaphanError as error:
            log.warning("nothing was consigned anew: %s", error)
            return
        self.wake("bulletins")


def _bytes_of(kind: Kind, portion: Portion[Any]) -> int:
    """What a portion takes in its frame, about."""
    each = bytes_of if kind == "bulletins" else statement_bytes
    return sum(map(each, portion.items)) + SIGNATURE_BYTES * len(portion.signatures)
