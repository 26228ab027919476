"""Opening a session: the broker's challenge, this node's signed answer (bytes.md, Session)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_protocol.pins import Pins, origin_number
from saphan_schemas.codec import encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import (
    InvalidInput,
    OperatorError,
    Refused,
    SaphanError,
    Unavailable,
)
from saphan_schemas.frames import (
    PROTOCOL,
    Challenge,
    Closing,
    FromBroker,
    Login,
    Welcome,
    session_context,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.succession_frames import AskReport, AskSuccession, Succession

from saphan.node.logs import Logs
from saphan.node.rows.places import log_number
from saphan.trust import fingerprint_of

SESSION_TYPE: Final = "saphan/session/1"
_decoder: Final = msgpack_decoder(FromBroker)


def decode_frame(data: bytes) -> FromBroker:
    """One message of the broker.

    Raises:
        InvalidInput: `malformed`, `not_canonical`.
    """
    try:
        frame: FromBroker = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise InvalidInput("malformed", f"a message does not parse: {error}") from None
    if encode(frame) != data:
        raise InvalidInput("not_canonical", "a message of the broker has a second spelling")
    return frame


async def receive_frame(
    ws: aiohttp.ClientWebSocketResponse,
    timeout_s: float,
    count: Callable[[int], None] | None = None,
) -> FromBroker:
    """The next message; `count` is told its bytes.

    Raises:
        Unavailable: `line_down`, `line_silent`; InvalidInput: `malformed`.
    """
    try:
        message = await ws.receive(timeout=timeout_s)
    except TimeoutError:
        raise Unavailable("line_silent", f"the broker said nothing for {timeout_s:.0f} s") from None
    if message.type is aiohttp.WSMsgType.BINARY:
        if count is not None:
            count(len(message.data))
        return decode_frame(message.data)
    if message.type is aiohttp.WSMsgType.TEXT:
        raise InvalidInput("malformed", "the broker sent text where records are spoken")
    raise Unavailable("line_down", "the line to the broker was closed")


class ShownOtherwise(Refused):
    """The broker's logs do not continue what is known here; `shown` is what it has."""

    def __init__(self, frame: Closing) -> None:
        super().__init__(frame.code, frame.message, hint=frame.hint)
        self.shown = frame.shown


def closed(frame: Closing) -> SaphanError:
    """What the broker's reason for closing means here: without a time to come again, a person
    must look, and the line tries again all the same."""
    if frame.shown:
        return ShownOtherwise(frame)
    if not frame.retry_after_ms:
        return Refused(frame.code, frame.message, hint=frame.hint)
    return Unavailable(
        frame.code, frame.message, hint=frame.hint, retry_after_ms=frame.retry_after_ms
    )


def skewed(theirs: int, ours: int) -> OperatorError | None:
    """The alarm of two clocks that differ by more than 60 s."""
    if abs(theirs - ours) <= LIMITS.skew_ms:
        return None
    return OperatorError(
        "clock_skew",
        f"this machine's clock is {(ours - theirs) // 1000} s ahead of the broker's",
        hint="set the clock (NTP); nothing is witnessed and little is admitted until then",
    )


async def challenged(ws: aiohttp.ClientWebSocketResponse) -> Challenge:
    """The broker's first message.

    Raises:
        Unavailable: the broker's reason for closing; OperatorError: `protocol_differs`.
    """
    challenge = await receive_frame(ws, LIMITS.login_ms / 1000)
    if isinstance(challenge, Closing):
        raise closed(challenge)
    if not isinstance(challenge, Challenge):
        raise InvalidInput("malformed", "the broker did not begin with its challenge")
    if challenge.protocol != PROTOCOL:
        raise OperatorError(
            "protocol_differs",
            f"the broker speaks session protocol {challenge.protocol}, this node {PROTOCOL}",
            hint="upgrade the older of the two",
        )
    return challenge


def follows(challenge: Challenge, pins: Pins) -> bool:
    """Whether the broker keeps a log that follows the one known here, under the lasting pins."""
    for origin, pin in ((challenge.evidence, pins.evidence), (challenge.directory, pins.directory)):
        if origin.rpartition("/")[0] != pin.origin.rpartition("/")[0]:
            return False
    try:
        return origin_number(challenge.evidence)[1] > log_number(pins.evidence)
    except InvalidInput:
        return False


async def asked_succession(ws: aiohttp.ClientWebSocketResponse) -> Succession:
    """Ask how the log came to the number that the challenge names.

    Raises:
        Unavailable: the broker's reason for closing; InvalidInput: `malformed`.
    """
    await ws.send_bytes(encode(AskSuccession()))
    frame = await receive_frame(ws, LIMITS.login_ms / 1000)
    if isinstance(frame, Closing):
        raise closed(frame)
    if not isinstance(frame, Succession):
        raise InvalidInput("malformed", "the broker did not say which logs it has lost")
    return frame


async def log_in(
    ws: aiohttp.ClientWebSocketResponse,
    challenge: Challenge,
    agency: str,
    key: SigningKey,
    logs: Logs,
    now: int,
) -> None:
    """Answer the challenge; the welcome is `welcomed`, and what waits may be sent before it comes.

    Raises:
        OperatorError: `origin_differs`.
    """
    _check(challenge, logs)
    nonce = os.urandom(32)
    seen = logs.seen()
    tls = fingerprint_of(ws.get_extra_info("ssl_object"))
    context = session_context(challenge.evidence, challenge.nonce, nonce, tls, seen)
    login = Login(
        agency=agency,
        key=key.key_id,
        nonce=nonce,
        heads=logs.heads(),
        after=logs.after,
        clock=now,
        tls=tls,
        signature=sign_one(key, SESSION_TYPE, encode(context), os.urandom(32)),
        leaves=logs.leaves,
    )
    await ws.send_bytes(encode(login))


async def welcomed(ws: aiohttp.ClientWebSocketResponse) -> Welcome | AskReport:
    """Wait for the answer to the login; a broker that has lost its log asks for a report instead.

    Raises:
        Refused, Unavailable: the broker's reason for closing; InvalidInput: `malformed`.
    """
    welcome = await receive_frame(ws, LIMITS.login_ms / 1000)
    if isinstance(welcome, Closing):
        raise closed(welcome)
    if not isinstance(welcome, Welcome | AskReport):
        raise InvalidInput("malformed", "the broker did not welcome this node")
    return welcome


def _check(challenge: Challenge, logs: Logs) -> None:
    pinned = (logs.pins.directory.origin, logs.pins.evidence.origin)
    if (challenge.directory, challenge.evidence) != pinned:
        raise OperatorError(
            "origin_differs",
            f"this broker keeps the log {challenge.evidence}; the pin file names {pinned[1]}",
            hint="check the address of the invitation, or the one given with --broker",
        )
