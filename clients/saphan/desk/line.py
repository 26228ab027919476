"""The desk's line to its node: TLS by the pinned key, the officer's signature, then questions.

Nothing of the officer's leaves before the node's key was recognized. Answers come in the order of
the questions; news that come between are noted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_protocol.tls import CertificateFacts
from saphan_schemas.codec import encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.desk_frames import (
    DESK_PROTOCOL,
    DESK_SESSION_TYPE,
    DeskAnswer,
    DeskChallenge,
    DeskClosing,
    DeskHeld,
    DeskLogin,
    DeskNews,
    DeskPart,
    DeskRefusal,
    DeskWelcome,
    FromNodeToDesk,
    desk_session_context,
)
from saphan_schemas.errors import (
    OperatorError,
    Refused,
    SaphanError,
    Unavailable,
)
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.strict_json import parse_json

from saphan.desk.folder import DeskId
from saphan.desk_errors import NODE_ANSWER, clock_differs, malformed, told
from saphan.trust import CertificateRefused, check_dates, check_key, client

Json = dict[str, Any]


ANSWER_S: Final = 60.0
"""Silence after which the line is taken for dead; the node pings an idle one every 20 s."""
TURNS_TO_CLOSE: Final = 500
LINE_ENDED: Final = frozenset({"line_down", "line_silent", NODE_ANSWER})
"""Codes after which there is no line any more, or none that can be trusted to be in step."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=30.0)
"""A handshake over 64 kbit/s and 600 ms takes 5 s; a dead line must not keep a person waiting."""
_decoder: Final = msgpack_decoder(FromNodeToDesk)


class DeskLine:
    """An open session; one task uses it.

    Args:
        ws: logged in; handle: as the node knows the officer.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, handle: str) -> None:
        self._ws = ws
        self.handle = handle
        self._request = 0
        self._news = False
        self._named: dict[bytes, None] = {}

    def number(self) -> int:
        """A fresh number for a question."""
        self._request += 1
        return self._request

    async def ask(self, frame: Any) -> Json:
        """The JSON object that answers a question (`AskInbox(line.number(), ...)`).

        Raises:
            SaphanError: what the node answers; Unavailable: `line_down`, `line_silent`.
        """
        await self.send(frame)
        return await self._value(frame.request)

    async def ask_both(self, first: Any, second: Any) -> tuple[Json, Json]:
        """Two questions in one round trip, answered in their order; raises as `ask`."""
        await self.send(first)
        await self.send(second)
        try:
            value = await self._value(first.request)
        except SaphanError as error:
            if error.code not in LINE_ENDED:
                await self.drain((second.request,))
            raise
        return value, await self._value(second.request)

    async def _value(self, request: int) -> Json:
        answer = await self.answer(request)
        if not isinstance(answer, DeskAnswer):
            raise _out_of_turn()
        try:
            value: Json = parse_json(dict, answer.value)
        except ValueError as error:
            raise malformed(f"the node's answer does not parse: {error}") from None
        return value

    async def send(self, frame: object) -> None:
        """Send a question; its answer comes after those of the questions before."""
        try:
            await self._ws.send_bytes(encode(frame))
        except (aiohttp.ClientError, ConnectionError) as error:
            raise _down(type(error).__name__) from None

    async def answer(self, request: int) -> FromNodeToDesk:
        """The next answer, which must be the one to `request`; raises as `ask`."""
        while True:
            frame = await receive(self._ws, ANSWER_S)
            match frame:
                case DeskNews():
                    self._note(frame)
                case DeskRefusal() if frame.request == request:
                    raise told(frame)
                case DeskAnswer() | DeskHeld() | DeskPart() if frame.request == request:
                    return frame
                case _:
                    raise _out_of_turn()

    async def drain(self, requests: Iterable[int]) -> None:
        """Take the answers that nobody wants any more, after one of several was a refusal."""
        for request in requests:
            try:
                await self.answer(request)
            except SaphanError as error:
                if error.code in LINE_ENDED:
                    raise

    async def news(self) -> frozenset[str]:
        """Wait until the node says that there is something new; gives the ids of bulletins that
        nobody has read, and for which this officer is named now, or whose deadline is near."""
        while not self._news:
            frame = await receive(self._ws, None)
            if not isinstance(frame, DeskNews):
                raise _out_of_turn()
            self._note(frame)
        named, self._named = self._named, {}
        self._news = False
        return frozenset(one.hex() for one in named)

    def _note(self, frame: DeskNews) -> None:
        self._news = True
        if len(self._named) < LIMITS.desk_named:
            self._named |= dict.fromkeys(frame.named)


@asynccontextmanager
async def connected(
    desk: DeskId, key: SigningKey, clock: Callable[[], int]
) -> AsyncIterator[DeskLine]:
    """A session with the node for as long as the block lasts.

    Raises:
        Unavailable: `node_unreachable`, `line_down`, `line_silent`, and what the node says.
        Refused: `tls_pin_differs`, `tls_differs`, `key_*`, `certificate_expired`,
            `certificate_early`, `line_redirected`; OperatorError: `desk_clock`,
            `protocol_differs`.
    """
    # A wrong clock would make a good certificate look bad: dates are judged after the challenge.
    async with client(desk.tls, None, timeout=_TIMEOUT) as http:
        try:
            ws = await http.ws_connect(
                f"https://{desk.address}/v1/desk",
                compress=0,
                heartbeat=LIMITS.heartbeat_ms / 1000,
                max_msg_size=LIMITS.desk_answer_bytes + 64 * KIB,
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            )
        except CertificateRefused as refused:
            raise refused.why from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(
                "node_unreachable",
                f"the node at {desk.address} does not answer: {type(error).__name__}",
                field="node",
                hint="check the network; what is written meanwhile waits here: saphan desk sync",
            ) from None
        try:
            handle = await _log_in(ws, desk, key, _shown(ws, desk), clock)
            yield DeskLine(ws, handle)
        finally:
            await _hang_up(ws)


async def _hang_up(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Close, and see the socket closed: TLS would wait for a farewell that a dead line never gives,
    longer than the event loop of a command lasts."""
    line = ws.get_extra_info("socket")
    await ws.close()
    if line is None:
        return
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    for _ in range(TURNS_TO_CLOSE):
        if line.fileno() < 0:
            return
        await asyncio.sleep(0.001)


async def receive(ws: aiohttp.ClientWebSocketResponse, timeout_s: float | None) -> FromNodeToDesk:
    """The next message.

    Raises:
        Unavailable: `line_down`, `line_silent`; OperatorError: `node_answer`;
            what a closing says.
    """
    try:
        message = await ws.receive(timeout=timeout_s)
    except TimeoutError:
        raise Unavailable("line_silent", f"the node said nothing for {timeout_s:.0f} s") from None
    if message.type is not aiohttp.WSMsgType.BINARY:
        raise _down("closed")
    frame = decode_answer(message.data)
    if isinstance(frame, DeskClosing):
        raise told(frame)
    return frame


def decode_answer(data: bytes) -> FromNodeToDesk:
    """One message of the node.

    Raises:
        OperatorError: `node_answer`.
    """
    try:
        frame: FromNodeToDesk = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise malformed(f"a message of the node does not parse: {error}") from None
    if encode(frame) != data:
        raise malformed("a message of the node has a second spelling")
    return frame


def _shown(ws: aiohttp.ClientWebSocketResponse, desk: DeskId) -> CertificateFacts:
    """The node's certificate on this line, known by its key already."""
    found = ws.get_extra_info("ssl_object")
    der = found.getpeercert(binary_form=True) if isinstance(found, ssl.SSLObject) else None
    return check_key(der or b"", desk.tls)


async def _log_in(
    ws: aiohttp.ClientWebSocketResponse,
    desk: DeskId,
    key: SigningKey,
    facts: CertificateFacts,
    clock: Callable[[], int],
) -> str:
    """Step 2: answer the challenge; gives the handle by which the node knows the officer."""
    timeout_s = LIMITS.login_ms / 1000
    asked = await receive(ws, timeout_s)
    if not isinstance(asked, DeskChallenge):
        raise _out_of_turn()
    if asked.protocol != DESK_PROTOCOL:
        raise OperatorError(
            "protocol_differs",
            f"the node speaks desk protocol {asked.protocol}, this desk {DESK_PROTOCOL}",
            hint="upgrade the older of the two",
        )
    if asked.agency != desk.agency:
        raise Refused(
            "agency_differs",
            f"{desk.address} is the node of {asked.agency}, not of {desk.agency}",
            field="agency",
        )
    _check_time(asked.clock, clock(), facts)
    nonce, tls = os.urandom(32), facts.fingerprint
    context = desk_session_context(asked.agency, asked.nonce, nonce, tls)
    signature = sign_one(key, DESK_SESSION_TYPE, encode(context), os.urandom(32))
    try:
        await ws.send_bytes(encode(DeskLogin(key.key_id, nonce, clock(), tls, signature)))
    except (aiohttp.ClientError, ConnectionError) as error:
        raise _down(type(error).__name__) from None
    welcome = await receive(ws, timeout_s)
    if not isinstance(welcome, DeskWelcome):
        raise _out_of_turn()
    return welcome.handle


def _check_time(theirs: int, ours: int, facts: CertificateFacts) -> None:
    """A wrong clock first: it would make a good certificate look bad."""
    if abs(theirs - ours) > LIMITS.skew_ms:
        raise clock_differs(ours, theirs)
    check_dates(facts, ours)


def _down(why: str) -> Unavailable:
    return Unavailable(
        "line_down",
        f"the line to the node broke: {why}",
        field="node",
        hint="give the same command again; what was queued waits here: saphan desk sync",
    )


def _out_of_turn() -> OperatorError:
    return malformed("the node said something that was not asked for")
