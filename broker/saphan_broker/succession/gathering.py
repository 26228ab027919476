"""Hearing what nodes know: the session's first messages, then a report in the place of a welcome.

Nobody is believed unheard: notes count by the log's own keys, leaves by the root of such a note,
and whose node it was by the login's signature, judged by the directory that comes of the leaves.
Strangers are bounded as in a session: each has one message until it has shown a signed note.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import WSCloseCode, WSMsgType, web
from saphan_protocol.checkpoint import Head
from saphan_protocol.pins import Pins
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.frames import PROTOCOL, Challenge, Closing, FromNode, Login
from saphan_schemas.limits import LIMITS
from saphan_schemas.succession_frames import (
    REPORT_BYTES,
    AskReport,
    AskSuccession,
    Report,
    Step,
    Succession,
)

from saphan_broker.clock import Clock
from saphan_broker.sessions.login import (
    check_certificate,
    check_clock,
    check_signed,
    claimed_key,
    heads_by_origin,
)
from saphan_broker.store.base import Log
from saphan_broker.succession.known import KnownDirectory, Largest, heads_of

_log = logging.getLogger("saphan.broker")
_FROM_NODE = cast("type[FromNode]", FromNode)

AT_ONCE: Final = 4
"""Reports that are taken at a time, of nodes that are known by then and as many of others: each may
be a whole directory in memory."""
SENT_AHEAD: Final = 256
"""Messages of a node between its login and its report: what it would send to a broker that runs."""
PATIENCE_SECONDS: Final = LIMITS.report_ms / 1000
WHOLE_SECONDS: Final = 6 * PATIENCE_SECONDS
"""For a whole report, however many parts it has: 28 MB at 64 kbit/s."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What one agency's node has reported: sizes of the heads that it holds; 0: none."""

    agency: str
    evidence: int
    directory: int


class _Left(Exception):
    """The line is gone without a word."""


class Gathering:
    """Takes reports at WebSocket /v1/session while no broker runs.

    Args:
        pins: of the logs that are lost.
        heads: the largest head of each log so far; reports add to them.
        known: the directory so far; reports add to it.
        chain: successions before this one, for nodes that have not heard of them.
        certificate: SHA-256 of the certificate that nodes see; None without TLS.
        changed: called after each report, and when one was refused.
    """

    def __init__(
        self,
        pins: Pins,
        heads: dict[Log, Largest],
        known: KnownDirectory,
        chain: tuple[Step, ...],
        clock: Clock,
        certificate: bytes | None,
        changed: Callable[[], None],
    ) -> None:
        self.reported: dict[str, Reported] = {}
        self.refused: dict[str, str] = {}
        """By agency, as it calls itself, the code for which its last report was refused."""
        self.failure: OperatorError | None = None
        """Why nothing can be made of what was reported."""
        self._pins = pins
        self._heads = heads
        self._known = known
        self._chain = chain
        self._clock = clock
        self._certificate = certificate
        self._changed = changed
        self._taking = {known: asyncio.Semaphore(AT_ONCE) for known in (True, False)}
        self._growing = asyncio.Lock()
        self._open = 0

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where nodes come, and a word for everybody else."""
        return [
            web.get("/v1/session", self.serve),
            web.get("/healthz", _alive),
            web.get("/readyz", _not_ready),
        ]

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One node's line, from challenge to close."""
        if self._open >= LIMITS.strangers:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
        ws = web.WebSocketResponse(
            max_msg_size=REPORT_BYTES + 1,
            compress=False,
            heartbeat=3 * LIMITS.heartbeat_ms / 1000,
        )
        self._open += 1
        try:
            await ws.prepare(request)
            await self._attend(ws)
        except (ConnectionError, _Left):
            pass  # it comes again
        finally:
            self._open -= 1
        return ws

    async def _attend(self, ws: web.WebSocketResponse) -> None:
        login: Login | None = None
        try:
            asked = Challenge(
                protocol=PROTOCOL,
                directory=self._pins.directory.origin,
                evidence=self._pins.evidence.origin,
                nonce=os.urandom(32),
                clock=self._clock(),
            )
            await ws.send_bytes(encode(asked))
            login = await self._login(ws)
            await self._hear(ws, asked, login)
            why: SaphanError = log_lost()
        except SaphanError as error:
            why = error
            _log.info("a report was refused: %s", error)
            if isinstance(error, OperatorError):
                self.failure = self.failure or error
            if login is not None and login.agency not in self.reported:
                self._note_refusal(login.agency, error.code)
        self._changed()
        await _close(ws, why)

    def _note_refusal(self, agency: str, code: str) -> None:
        """The operator sees who tries in vain; a stranger's claims are bounded."""
        if agency in self.refused or len(self.refused) < LIMITS.agencies:
            self.refused[agency] = code

    async def _login(self, ws: web.WebSocketResponse) -> Login:
        """Its login; before it a node may ask for the successions that it has not heard of."""
        frame = await _receive(ws, LIMITS.login_bytes, LIMITS.login_ms / 1000)
        if isinstance(frame, AskSuccession):
            await ws.send_bytes(encode(Succession(self._chain)))
            frame = await _receive(ws, LIMITS.login_bytes, LIMITS.login_ms / 1000)
        if not isinstance(frame, Login):
            raise InvalidInput("login_expected", "the first message is not a login", field="login")
        return frame

    async def _hear(self, ws: web.WebSocketResponse, asked: Challenge, login: Login) -> None:
        check_certificate(login, self._certificate)
        check_clock(self._clock(), login)
        # Strangers that hold their places keep nobody waiting whose signature is known to hold.
        async with self._taking[await self._is_known(asked, login)]:
            start = self._known.size
            await ws.send_bytes(encode(AskReport(start)))
            try:
                async with asyncio.timeout(WHOLE_SECONDS):
                    directory, evidence, leaves = await self._report(ws, start)
            except TimeoutError:
                raise _silent() from None
            async with self._growing:
                if directory is not None:
                    await asyncio.to_thread(self._known.grow, start, leaves, directory.ref)
                await self._judge(asked, login)
                self._take(login.agency, directory, evidence)

    async def _report(
        self, ws: web.WebSocketResponse, start: int
    ) -> tuple[Head | None, Head | None, list[bytes]]:
        """A whole report: heads that hold, and leaves that nobody has looked at."""
        frame = await _part(ws)
        directory, evidence = await asyncio.to_thread(
            heads_of, self._pins, frame.directory, frame.evidence
        )
        most = 0 if directory is None else max(0, directory.size - start)
        leaves: list[bytes] = []
        weight = 0
        while True:
            weight += sum(map(len, frame.leaves))
            if frame.start != start + len(leaves) or len(leaves) + len(frame.leaves) > most:
                raise InvalidInput(
                    "report_malformed",
                    "the parts of the report do not follow each other, or go beyond its head",
                    field="report",
                )
            if weight > LIMITS.report_bytes or (not frame.last and not frame.leaves):
                raise InvalidInput("too_large", "the report is too long", field="report")
            leaves += frame.leaves
            if frame.last:
                return directory, evidence, leaves
            frame = await _part(ws)

    async def _is_known(self, asked: Challenge, login: Login) -> bool:
        """Whether the directory shows already whose node it is; if not, its report may."""
        try:
            await self._judge(asked, login)
        except (InvalidInput, Refused):
            return False
        return True

    async def _judge(self, asked: Challenge, login: Login) -> None:
        """Whose node it was, by the directory that is known now."""
        directory = self._known.directory
        if not directory.version(login.agency)[0]:
            raise Refused(
                "agency_unknown",
                f"{login.agency} is not in the directory as far as it is known here",
                field="login.agency",
                hint="wait for the report of a node that has more of the directory",
            )
        verifying = claimed_key(directory, login)
        head = heads_by_origin(login).get(asked.evidence)
        await asyncio.to_thread(check_signed, asked, login, self._certificate, head, verifying)

    def _take(self, agency: str, directory: Head | None, evidence: Head | None) -> None:
        """Count what it has shown.

        Raises:
            OperatorError: `reports_contradict`.
        """
        if directory is not None:
            self._known.check_head(directory.ref, agency)
            self._heads["directory"].take(directory.ref, agency)
        if evidence is not None:
            self._heads["evidence"].take(evidence.ref, agency)
        sizes = (0 if head is None else head.size for head in (evidence, directory))
        self.reported[agency] = Reported(agency, *sizes)
        self.refused.pop(agency, None)


def log_lost() -> Unavailable:
    """What a node is told that has reported, or comes too early."""
    return Unavailable(
        "log_lost",
        "the broker has lost its log and gathers what its nodes know of it",
        hint="nothing is to be done here: the node goes on by itself with the log that follows",
        retry_after_ms=LIMITS.backoff_max_ms,
    )


async def _part(ws: web.WebSocketResponse) -> Report:
    """The next part of a report; a node does not wait for its welcome with what it has to send."""
    for _ in range(SENT_AHEAD):
        frame = await _receive(ws, REPORT_BYTES, PATIENCE_SECONDS)
        if isinstance(frame, Report):
            return frame
    raise InvalidInput("report_malformed", "a report was asked for", field="report")


def _silent() -> Unavailable:
    return Unavailable("login_timeout", "nothing was said in time")


async def _receive(ws: web.WebSocketResponse, limit: int, seconds: float) -> FromNode:
    try:
        message = await ws.receive(timeout=seconds)
    except TimeoutError:
        raise _silent() from None
    if message.type is WSMsgType.BINARY:
        return decode(_FROM_NODE, message.data, limit, "message")
    if message.type is WSMsgType.TEXT:
        raise InvalidInput("malformed", "text was sent where records are spoken")
    raise _Left


async def _close(ws: web.WebSocketResponse, error: SaphanError) -> None:
    retry = error.retry_after_ms if isinstance(error, Unavailable) else LIMITS.backoff_max_ms
    frame = Closing(error.code, error.message, error.hint, retry)
    if isinstance(error, OperatorError):  # what its files are called is not the node's
        frame = Closing("log_lost", log_lost().message, None, LIMITS.backoff_max_ms)
    with suppress(TimeoutError, ConnectionError, RuntimeError):
        async with asyncio.timeout(2):
            await ws.send_bytes(encode(frame))
            await ws.close(code=WSCloseCode.OK)


async def _alive(_request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


async def _not_ready(_request: web.Request) -> web.Response:
    return web.json_response({"ready": False, "reasons": ["log_lost"]}, status=503)
