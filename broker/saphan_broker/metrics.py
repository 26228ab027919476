"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the machine, not for agencies.

On the broker's own port they answer this machine only, and nothing that came through a proxy; with
--metrics-listen they have a port of their own. Numbers say how much, never who, to whom or what.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from aiohttp import web
from saphan_protocol.quota import Share
from saphan_schemas.limits import SECOND_MS

from saphan_broker.broker import Broker
from saphan_broker.health import Health
from saphan_broker.logs.log_book import LogBook
from saphan_broker.quotas import shares
from saphan_broker.standing import standing_of

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")

Handler = Callable[[web.Request], Awaitable[web.Response]]


class MetricsPages:
    """Handlers of the three pages.

    Args:
        data: the store's directory; free space on its disk is watched.
        everyone: answer every peer, because the port was opened for these pages on purpose.
    """

    def __init__(self, broker: Broker, data: Path, *, everyone: bool = False) -> None:
        self._broker = broker
        self._health = Health(broker, data)
        self._everyone = everyone

    def routes(self) -> list[web.RouteDef]:
        """GET and HEAD of the pages."""
        return [
            web.get("/healthz", self._guarded(self._healthz)),
            web.get("/readyz", self._guarded(self._readyz)),
            web.get("/metrics", self._guarded(self._metrics)),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            if not self._everyone and not _from_here(request):
                # Not a refusal that explains itself: a stranger learns nothing of what is here.
                raise web.HTTPNotFound
            return await handler(request)

        return handle

    async def _healthz(self, _request: web.Request) -> web.Response:
        """Alive: the event loop answers. Says nothing of the logs."""
        return web.json_response({"alive": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        """200 when bulletins are taken and logged at this moment, else 503 with the reasons."""
        reasons = await self._health.reasons()
        standing = standing_of(self._broker)
        value = {
            "ready": not reasons,
            "reasons": [{"code": code, "message": said} for code, said in reasons.items()],
            "role": standing.role,
            "holder": standing.holder,
            "accepted_losses": list(standing.accepted_losses),
        }
        return web.json_response(value, status=503 if reasons else 200)

    async def _metrics(self, _request: web.Request) -> web.Response:
        lines = [line for family in await self._families() for line in family]
        text = "\n".join(lines) + "\n"
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _families(self) -> list[list[str]]:
        reasons, counts = await asyncio.gather(self._health.reasons(), self._health.counts())
        families = [*self._logs(), *self._work(), *_process()]
        families.append(gauge("saphan_ready", "1 while bulletins are taken", int(not reasons)))
        if counts is None:
            return families  # /readyz says why
        waiting = counts.deliveries_waiting
        families.append(
            counter("saphan_bulletins", "Bulletins kept or kept once", counts.bulletins)
        )
        families.append(gauge("saphan_deliveries_waiting", "Deliveries with a deadline", waiting))
        return families

    def _logs(self) -> Iterator[list[str]]:
        books: dict[str, LogBook] = dict(self._broker.state.books.items())
        sizes: dict[str, int] = {log: book.tree.size for log, book in books.items()}
        signed = {log: book.published.size if book.published else 0 for log, book in books.items()}
        gaps = {log: sizes[log] - signed[log] for log in sizes}
        yield family("gauge", "saphan_log_leaves", "Committed leaves", "log", sizes)
        yield family("gauge", "saphan_log_signed_leaves", "Under the signed head", "log", signed)
        yield family("gauge", "saphan_log_unsigned_leaves", "Committed, unsigned", "log", gaps)
        now = self._broker.state.clock() / SECOND_MS
        ages = {log: now - b.published.time for log, b in books.items() if b.published}
        yield family("gauge", "saphan_head_age_seconds", "Age of the signed head", "log", ages)

    def _work(self) -> Iterator[list[str]]:
        stats, counters = self._broker.stats(), self._broker.state.counters
        yield counter("saphan_items_logged", "Bulletins and statements logged", stats.logged)
        yield counter("saphan_operations_logged", "Operations, agreements", counters.registered)
        refused = dict(sorted(counters.refused.items()))
        yield family("counter", "saphan_items_refused_total", "Refused, by code", "code", refused)
        standing = standing_of(self._broker)
        sequences = int(standing.role != "follower")
        yield gauge("saphan_sequences", "1 in the process that sequences and signs", sequences)
        yield gauge("saphan_holder_known", "1 while some process does", int(standing.holder))
        losses = len(standing.accepted_losses)
        yield gauge("saphan_accepted_losses", "Settings by which the server may lose data", losses)
        yield gauge("saphan_queue_items", "Items that wait for the sequencer", stats.waiting)
        yield gauge("saphan_queue_bytes", "What they weigh", stats.waiting_bytes)
        yield gauge("saphan_sessions", "Open sessions of nodes", stats.sessions)
        yield gauge("saphan_feed_behind_leaves", "The slowest session", stats.feed_behind)
        yield family("gauge", "saphan_quota_used", "Of who has used most", "of", self._fullest())
        yield counter("saphan_cosignatures", "Cosignatures taken", stats.cosignatures)
        if stats.witnessed_ms:
            lag = (self._broker.state.clock() - stats.witnessed_ms) / SECOND_MS
            yield gauge("saphan_witness_lag_seconds", "Since the newest cosigned time", lag)
        behind = self._broker.state.lag.worst_seconds()
        yield gauge("saphan_witness_behind_seconds", "The slowest connected witness", behind)
        yield [
            "# HELP saphan_commit_seconds Durable commits of the evidence log",
            "# TYPE saphan_commit_seconds summary",
            f"saphan_commit_seconds_sum {number(counters.commit_seconds)}",
            f"saphan_commit_seconds_count {counters.commits}",
        ]
        yield counter("saphan_destroyed", "Deliveries destroyed when due", counters.destroyed)
        yield counter("saphan_rewrapped", "Held stanzas wrapped anew", counters.rewrapped)
        yield counter("saphan_forgotten", "Old records removed", counters.forgotten)
        late = self._broker.retention.sweep.lag_ms / SECOND_MS
        yield gauge("saphan_retention_lag_seconds", "Since the earliest undestroyed due-day", late)
        first = self._broker.state.keys.day
        yield gauge("saphan_first_day_key", "First day whose key exists, since 1970", first)
        active = {alarm.code: 1 for alarm in self._broker.state.alarms.active()}
        yield family("gauge", "saphan_alarm", "Active alarms", "code", active)
        yield counter("saphan_alarms", "Alarms raised", stats.alarms_raised)

    def _fullest(self) -> dict[str, float]:
        """Of each part of the quotas the greatest share that any agency has used, 1.0 is all."""
        state = self._broker.state
        parts = shares(state.quotas, state.used, state.clock()).values()
        names = Share._fields
        return {
            name: max((part[at] for part in parts), default=0.0) for at, name in enumerate(names)
        }


def _process() -> Iterator[list[str]]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield counter("process_cpu_seconds", "CPU time", time.process_time())
    yield gauge("process_max_resident_memory_bytes", "Peak memory", used.ru_maxrss * 1024)


def counter(name: str, text: str, value: float) -> list[str]:
    """One counter; `_total` is added to its name."""
    return [
        f"# HELP {name}_total {text}",
        f"# TYPE {name}_total counter",
        f"{name}_total {number(value)}",
    ]


def gauge(name: str, text: str, value: float) -> list[str]:
    """One number that goes up and down."""
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {number(value)}"]


def family(kind: str, name: str, text: str, label: str, values: Mapping[str, float]) -> list[str]:
    """Several numbers of one name, told apart by one label."""
    rows = [f'{name}{{{label}="{escape(key)}"}} {number(value)}' for key, value in values.items()]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows]


def number(value: float) -> str:
    """A value as the text format writes it."""
    return str(value) if isinstance(value, int) else repr(float(value))


def escape(text: str) -> str:
    """A label's value: backslash, quote and line feed escaped."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _from_here(request: web.Request) -> bool:
    """Whether this machine itself asks: a loopback peer that forwards nobody else's question."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
