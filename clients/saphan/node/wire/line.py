"""The line to the broker: connect, log in, receive the feed, send what waits; again and again.

A frame is acknowledged after it is durable here. Requests that had no answer are sent again in the
next session; the broker gives a duplicate its first answer. Waits grow to 30 s, with jitter, so
that a hundred nodes do not return in one second.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from functools import partial
from typing import Final

import aiohttp
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.frames import Result, Submission
from saphan_schemas.limits import KIB, LIMITS

from saphan.node.portions import Portion
from saphan.node.split import Doubt, TwoHistories
from saphan.node.wire.asking import Asking
from saphan.node.wire.session import Parts, Session
from saphan.trust import client, line_error

log = logging.getLogger("saphan.node")

WRITE_AGAIN_S: Final = 60.0
"""Between two attempts to write a proof for which the disk had no room."""
STEADY_S: Final = 5.0
"""A session that lasted so long was a good one: the next wait is the shortest again."""
CONTRADICTIONS: Final = frozenset(
    {
        "split_view",
        "split_unproven",
        "log_rolled_back",
        "corridor_gap",
        "corridor_fork",
        "time_falls",
        "directory_differs",
        "anchor_falls",
        "order_illegal",
        "already_decided",
        "already_read",
        "witness_ahead",
        "successor_behind",
        "successor_differs",
    }
)
"""The log contradicts itself or its signer: the node stops trusting it, and keeps what it has."""


@dataclass(slots=True)
class LineState:
    """How the line stands, for status: `state` is connecting, open, waiting or stopped.

    Attributes:
        since: of this state, ms UTC; down_since: when it was open last, through all that was tried
            since; None while it is open.
    """

    state: str = "connecting"
    since: int = 0
    down_since: int | None = None
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    retry_ms: int = 0


class Line:
    """One node's line; it stands still when the log has contradicted itself.

    Args:
        url: ws(s):// or http(s):// address of the broker.
        pin: SHA-256 of the broker's TLS key; None: an ordinary authority vouches for its name.
    """

    def __init__(self, url: str, parts: Parts, pin: bytes | None = None) -> None:
        self._url = session_url(url)
        self._pin = pin
        self._parts = parts
        now = parts.clock()
        self.state = LineState(since=now, down_since=now)
        self.token: str | None = None
        self._session: Session | None = None
        self._sounded: set[str] = set()
        self._trusted_again = asyncio.Event()

    def is_open(self) -> bool:
        """Whether a session is welcome now."""
        return self.state.state == "open"

    def offer(self, portion: Portion[Submission] | None) -> None:
        """Bulletins were put into the outbox; without a portion they are looked for there."""
        if self._session is None:
            return
        if portion is None:
            self._session.pumps.wake("bulletins")
        else:
            self._session.pumps.offer("bulletins", portion)

    def send_again(self, rows: list[int]) -> None:
        """Consignments that wait once more."""
        if rows and self._session is not None:
            self._session.pumps.send_rows(rows)

    def say_again(self, rows: list[int]) -> None:
        """Statements that are not held back any more."""
        if self._session is not None:
            self._session.pumps.send_statements(rows)

    def trust_again(self) -> None:
        """A person has cleared what it stood still for."""
        self._trusted_again.set()

    def wake_statements(self) -> None:
        """A statement was signed outside the feed."""
        if self._session is not None:
            self._session.pumps.wake("statements")

    def wake_parts(self) -> None:
        """Something is to be fetched from the broker."""
        if self._session is not None:
            self._session.wake_parts()

    async def register(
        self,
        operation: bytes | None = None,
        agreement: bytes | None = None,
        order: bytes | None = None,
        schema: bytes | None = None,
        hold: bytes | None = None,
    ) -> Result:
        """Send one directory operation, agreement, order, own schema or hold order; the broker's
        result.

        Raises:
            Unavailable: `line_down`.
        """
        return await self.asking().register(operation, agreement, order, schema, hold)

    def asking(self) -> Asking:
        """Where the open session is asked.

        Raises:
            Unavailable: `line_down`.
        """
        if self._session is None:
            raise Unavailable(
                "line_down", "the line to the broker is down; try again when it is up"
            )
        return self._session.asking

    async def run(self) -> None:
        """Keep the line open; once the log has contradicted itself, only a person opens it."""
        failures, stopped = 0, await self._untrusted()
        async with client(self._pin, self._parts.clock) as http:
            while True:
                if stopped is not None:
                    await self._stand_still(stopped)
                try:
                    self._set("connecting")
                    async with http.ws_connect(
                        self._url, max_msg_size=LIMITS.frame_bytes + 64 * KIB, compress=0
                    ) as ws:
                        await Session(ws, self._parts, self._opened).run()
                    error: SaphanError = Unavailable("line_down", "the line was closed")
                except SaphanError as caught:
                    error = caught
                except (aiohttp.ClientError, OSError) as caught:
                    error = line_error(caught, self._url)
                except Exception:
                    log.exception("the line met a bug")
                    error = OperatorError(
                        "internal",
                        "the line met a bug; it is in this node's log",
                        hint="report it with the log; the line is tried again",
                    )
                finally:
                    session, self._session, self.token = self._session, None, None
                # A session that opens and breaks at once is a failure too: no storm of logins.
                failures = 0 if self._was_good(session, error) else failures + 1
                stopped = await self._wait(error, failures)

    def _was_good(self, session: Session | None, error: SaphanError) -> bool:
        """It lasted, or the line broke after it had brought something: a bad line is no storm."""
        if session is None:
            return False
        seconds = (self._parts.clock() - self.state.since) / 1000
        return seconds >= STEADY_S or (error.code == "line_down" and session.useful)

    def _opened(self, session: Session, token: str) -> None:
        self._session, self.token = session, token
        for code in self._sounded:
            self._parts.alarms.clear(code)
        self._sounded.clear()
        self._set("open")

    async def _untrusted(self) -> OperatorError | None:
        """Why it must not begin: two histories were proven before, perhaps in another life."""
        while True:
            try:
                return await self._parts.engine.in_reading(self._parts.splits.look)
            except OperatorError as error:  # not even that can be read: the disk
                self._parts.alarms.sound(error)
                self._set("waiting", error, LIMITS.backoff_max_ms)
                await asyncio.sleep(LIMITS.backoff_max_ms / 1000)

    async def _stand_still(self, error: OperatorError) -> None:
        """Until a person says otherwise; what the disk had no room for is written meanwhile."""
        self._set("stopped", error)
        log.error("stopped: %s", error)
        self._trusted_again.clear()
        while not self._trusted_again.is_set():
            try:
                async with asyncio.timeout(WRITE_AGAIN_S):
                    await self._trusted_again.wait()
            except TimeoutError:
                found = await self._written()
                if found is not None and found.message != error.message:
                    error = found
                    self._set("stopped", error)

    async def _written(self) -> OperatorError | None:
        """Two histories that stand, once the disk has taken them."""
        try:
            return await self._parts.engine.in_reading(self._parts.splits.look)
        except OperatorError as error:
            self._parts.alarms.sound(error)
            return None

    async def _wait(self, error: SaphanError, failures: int) -> OperatorError | None:
        """Note why the line is down and wait; what it must stand still for, if it must."""
        if isinstance(error, TwoHistories):
            error = await self._parts.engine.in_reading(partial(self._parts.splits.keep, error))
        if not isinstance(error, Unavailable):
            self._parts.alarms.sound(error)
            if not isinstance(error, Doubt):  # which an open line does not end: a good head does
                self._sounded.add(error.code)
        if isinstance(error, OperatorError) and error.code in CONTRADICTIONS:
            return error
        wait_ms = max(backoff_ms(failures), getattr(error, "retry_after_ms", 0) if failures else 0)
        self._set("waiting", error, wait_ms)
        log.info("line down: %s; again in %d ms", error, wait_ms)
        await asyncio.sleep(wait_ms / 1000)
        return None

    def _set(self, state: str, error: SaphanError | None = None, retry_ms: int = 0) -> None:
        now, down = self._parts.clock(), self.state.down_since
        down = None if state == "open" else now if down is None else down
        self.state = LineState(state, now, down, retry_ms=retry_ms)
        if error is not None:
            self.state.code, self.state.message = error.code, error.message
            self.state.hint = error.hint
        self._parts.events.publish([{"type": "line", "state": state, "code": self.state.code}])


def session_url(url: str) -> str:
    """The session's address under the broker's."""
    base = url.rstrip("/")
    return base if base.endswith("/v1/session") else f"{base}/v1/session"


def backoff_ms(failures: int) -> int:
    """Between half of and the full doubled waiting time, at most 30 s."""
    full = min(LIMITS.backoff_max_ms, LIMITS.backoff_min_ms << min(failures, 12))
    return full // 2 + int.from_bytes(os.urandom(4), "big") % (full // 2 + 1)
