"""The operator's side of a running broker: a Unix socket in its data directory, for its owner only.

DATA/admin.sock (0600) speaks HTTP with JSON bodies: POST /admit, POST /allow-unheard, GET /status,
and what `retention_pages` has.
What is admitted goes through the sequencer like everything else. Where several processes serve on
one data directory each has its own, DATA/admin-2.sock and so on: any of them admits, each signer is
told by itself, and numbers are added up by who asks.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from saphan_protocol.quota import Share
from saphan_protocol.words import fingerprint_words
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS, SECOND_MS

from saphan_broker.broker import Broker
from saphan_broker.enrolment import check_fingerprints, read_enrolment
from saphan_broker.health import Health
from saphan_broker.listening import close
from saphan_broker.quotas import shares
from saphan_broker.retention_pages import (
    ArmRequest,
    ConfirmRequest,
    PlanRequest,
    arm,
    confirm,
    plan,
    retention_now,
)
from saphan_broker.socket_places import socket_path
from saphan_broker.standing import standing_of

REASON_CHARACTERS: Final = 200
_log = logging.getLogger("saphan.broker")

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[dict[str, object]]]


class AdmitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /admit: the file in base64, and the words that the operator has compared."""

    operation: str
    fingerprints: list[str]


class OverrideRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /allow-unheard."""

    reason: str


@dataclass(frozen=True, slots=True)
class Seat:
    """Which of how many processes on one data directory a process is, from 1."""

    number: int = 1
    of: int = 1


ALONE: Final = Seat()


@asynccontextmanager
async def administered(broker: Broker, data: Path, seat: Seat = ALONE) -> AsyncIterator[None]:
    """Serve the socket inside the block.

    Raises:
        OperatorError: `socket_path_long`, `socket_unusable`.
    """
    path = await asyncio.to_thread(socket_path, data, seat.number)
    app = web.Application(client_max_size=LIMITS.api_body_bytes)
    app.add_routes(AdminPages(broker, data, seat).routes())
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5)
    listener = await asyncio.to_thread(_bind, path)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await close(runner)
        listener.close()
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _bind(path: Path) -> socket.socket:
    """A socket with mode 0600 from its first moment; one that a crash left is replaced.

    The data directory is locked by this process or its parent, so nobody serves the old one.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Not by the umask: that is the whole process's, and others make folders meanwhile.
        os.fchmod(listener.fileno(), 0o600)
        if path.is_socket():
            path.unlink()
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise OperatorError(
            "socket_unusable",
            f"{path} cannot be made: {error.strerror or error}",
            field="data",
            hint="the data directory must be on a local disk and belong to the broker's user",
        ) from None
    return listener


class AdminPages:
    """Handlers of the operator's requests."""

    def __init__(self, broker: Broker, data: Path, seat: Seat) -> None:
        self._broker = broker
        self._health = Health(broker, data)
        self._seat = seat

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.post("/admit", _answering(self._admit)),
            web.post("/allow-unheard", _answering(self._allow_unheard)),
            web.get("/status", _answering(self._status)),
            web.post("/retention/plan", _answering(self._retention(PlanRequest, plan))),
            web.post("/retention/arm", _answering(self._retention(ArmRequest, arm))),
            web.post("/retention/confirm", _answering(self._retention(ConfirmRequest, confirm))),
        ]

    async def _admit(self, request: web.Request) -> dict[str, object]:
        """Log an operation whose roots the operator has compared."""
        asked = await _body(request, AdmitRequest)
        try:
            signed = base64.b64decode(asked.operation, validate=True)
        except ValueError:  # binascii.Error is one, and what is no ASCII another
            raise InvalidInput("malformed", "it is not base64", field="operation") from None
        enrolment = await asyncio.to_thread(read_enrolment, signed)
        # The command has compared already; here the very bytes that are logged are compared.
        check_fingerprints(enrolment, asked.fingerprints)
        try:
            head, index = await self._broker.admit_operation(signed)
        except Unavailable as error:
            error.hint = "see `saphan-broker status`, then give the same command again"
            raise
        _log.warning(
            "the operator has admitted operation %d of %s", enrolment.version, enrolment.agency
        )
        return {
            "agency": enrolment.agency,
            "version": enrolment.version,
            "index": index,
            "known_before": index is None,
            "head": {"origin": head.origin, "size": head.size, "root": head.root.hex()},
        }

    async def _allow_unheard(self, request: web.Request) -> dict[str, object]:
        """Let the signers sign although no node was heard since the start."""
        reason = (await _body(request, OverrideRequest)).reason.strip()
        if not 1 <= len(reason) <= REASON_CHARACTERS or not reason.isprintable():
            raise InvalidInput(
                "reason_malformed",
                f"a reason is one line of at most {REASON_CHARACTERS} characters",
                field="reason",
            )
        if not self._broker.state.signers:
            raise OperatorError(
                "serves_only",
                "this process has no log keys: it never signs, heard or unheard",
                field="data",
                hint="ask on the signer's host, with the --data of its `saphan-broker run`",
            )
        heard = self._broker.heard
        if not heard:
            self._broker.allow_unheard(reason)
        return {"heard_before": heard, "reason": reason}

    def _retention(
        self, kind: type[T], do: Callable[[Broker, T], Awaitable[dict[str, object]]]
    ) -> Handler:
        async def handle(request: web.Request) -> dict[str, object]:
            return await do(self._broker, await _body(request, kind))

        return handle

    async def _status(self, _request: web.Request) -> dict[str, object]:
        """What the operator wants to know at a glance."""
        broker = self._broker
        state, stats = broker.state, broker.stats()
        heads: dict[str, object] = {}
        for log, book in state.books.items():
            published = book.published
            heads[log] = {
                "origin": book.origin,
                "leaves": book.tree.size,
                "signed": 0 if published is None else published.size,
                "signed_at": None if published is None else published.time,
            }
        reasons, standing = await self._health.reasons(), standing_of(broker)
        return {
            "process": {"number": self._seat.number, "of": self._seat.of, "pid": os.getpid()},
            "role": standing.role,
            "holder": standing.holder,
            "accepted_losses": list(standing.accepted_losses),
            "name": state.pins.name,
            "words": fingerprint_words(state.pins.digest),
            "ready": not reasons,
            "reasons": [{"code": code, "message": said} for code, said in reasons.items()],
            "alarms": [{"code": a.code, "message": a.message} for a in state.alarms.active()],
            "logs": heads,
            "agencies": state.directory.agencies(),
            "sessions": stats.sessions,
            "waiting": stats.waiting,
            "quotas": _quotas(broker),
            "retention": retention_now(broker),
            "witnessed_at": stats.witnessed_ms // SECOND_MS or None,
        }


def _quotas(broker: Broker) -> dict[str, dict[str, dict[str, float]]]:
    """By agency: what it may have logged, and which part of that is used, from 0.0."""
    state = broker.state
    parts = shares(state.quotas, state.used, state.clock())
    found = {}
    for agency in state.directory.agencies():
        quota, used = state.quotas.of(agency), parts.get(agency, Share(0.0, 0.0, 0.0))
        found[agency] = {
            "bulletins_per_minute": {"of": quota.bulletins_per_minute, "used": used.bulletins},
            "bytes_per_day": {"of": quota.bytes_per_day, "used": used.bytes},
            "open_deliveries": {"of": quota.open_deliveries, "used": used.deliveries},
        }
    return found


async def _body(request: web.Request, kind: type[T]) -> T:
    try:
        return json_decoder(kind).decode(await request.read())
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput("malformed", f"the request does not parse: {error}") from None


def _answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handler(request))
        except SaphanError as error:
            shown = {
                "code": error.code,
                "message": error.message,
                "field": error.field,
                "hint": error.hint,
            }
            return web.json_response({"error": shown}, status=error.http_status)

    return handle
