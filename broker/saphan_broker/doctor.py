"""What `saphan-broker doctor` looks at: keys, certificate, disks, server, the broker if it runs.

Nothing is changed, and nothing needs to run.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.findings import Finding, Level
from saphan_schemas.findings import examine as found_by
from saphan_schemas.limits import DAY_MS, HOUR_MS, LIMITS, MIB, SECOND_MS

from saphan_broker import private_files
from saphan_broker.keys import key_path, load_log_keys
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import serves_only
from saphan_broker.store.base import LOGS
from saphan_broker.tls_files import CERTIFICATE_NAME, read_certificate

if TYPE_CHECKING:  # who has SQLite needs no client of a server
    from saphan_broker.server_look import ServerSeen

DISK_WARN: Final = 4_096 * MIB
DISK_BAD: Final = 512 * MIB
CERTIFICATE_WARN_DAYS: Final = 30
KEY_WARN_DAYS: Final = 1_095
"""Log keys change by a new agreement of everybody: nobody does that every year."""
WITNESS_WARN_MS: Final = 2 * LIMITS.head_idle_ms
"""An idle log signs a head each hour, and some node cosigns it."""
LAG_WARN_S: Final = 5
SENTINELS: Final = 3
"""One may go, and two still agree."""
MEMORY_WARN: Final = 75
MEMORY_BAD: Final = 90
"""Percent of what the server may use; at 100 it refuses every commit, and loses nothing."""
CLOCK_CODES: Final = frozenset({"clock_disagrees", "signer_clock"})


@dataclass(frozen=True, slots=True)
class Patient:
    """A broker under examination.

    Args:
        now: ms UTC; status: what the running broker says of itself; None if it does not answer.
        server: what the server that carries the logs is, or why that is not known; None: SQLite.
    """

    data: Path
    keys: Path
    now: int
    status: Mapping[str, Any] | None
    server: ServerSeen | SaphanError | None = None


def examine(patient: Patient) -> list[Finding]:
    """Everything that there is to look at."""
    return found_by(patient, CHECKS)


def _running(patient: Patient) -> Iterator[Finding]:
    status = patient.status
    if status is None:
        yield Finding("running", "bad", "doctor.broker_not_running", {}, "doctor.broker_next")
        return
    level: Level = "ok" if status["ready"] else "bad"
    key = "doctor.broker_ready" if status["ready"] else "doctor.broker_not_ready"
    yield Finding("running", level, key, {"name": status["name"]}, "doctor.broker_look")
    answering, of = len(status["processes"]), max(one["of"] for one in status["processes"])
    if answering < of:  # one that is being replaced comes back; one that hangs does not
        values = {"answering": answering, "count": of}
        yield Finding("running", "warn", "doctor.processes", values, "doctor.processes_next")


def _line(patient: Patient) -> Iterator[Finding]:
    """Agencies' sessions, and whether their witnesses still confirm the time."""
    status = patient.status
    if status is None:
        return
    values = {"sessions": status["sessions"], "waiting": status["waiting"]}
    if not status["sessions"] and status["agencies"]:
        yield Finding("line", "warn", "doctor.no_sessions", values, "doctor.no_sessions_next")
    else:
        yield Finding("line", "ok", "doctor.sessions", values)
    seen = status["witnessed_at"]
    if seen is None or not status["sessions"]:
        return
    age = patient.now - seen * SECOND_MS
    values = {"hours": max(0, age) // HOUR_MS}
    late = age > WITNESS_WARN_MS
    level: Level = "warn" if late else "ok"
    yield Finding("witness", level, "doctor.witnessed", values, "doctor.witnessed_next")


def _alarms(patient: Patient) -> Iterator[Finding]:
    if patient.status is None:
        yield Finding("clock", "warn", "doctor.broker_clock_unknown", {}, "doctor.broker_next")
        return
    codes = set()
    for alarm in (*patient.status["reasons"], *patient.status["alarms"]):
        if alarm["code"] in codes:
            continue
        codes.add(alarm["code"])
        error = Unavailable(alarm["code"], alarm["message"])
        if alarm["code"] in CLOCK_CODES:
            yield Finding("clock", "bad", error=error)
        else:
            yield Finding("alarm", "bad", error=error)
    if not codes & CLOCK_CODES:
        values = {"seconds": LIMITS.skew_ms // SECOND_MS}
        known = patient.status["sessions"] > 0
        key = "doctor.broker_clock_ok" if known else "doctor.broker_clock_unheard"
        yield Finding("clock", "ok", key, values)


def _disk(patient: Patient) -> Iterator[Finding]:
    for folder in (patient.data, patient.keys):
        usage = shutil.disk_usage(folder)
        values = {"free": usage.free // MIB, "percent": usage.free * 100 // max(1, usage.total)}
        level: Level = "ok" if usage.free >= DISK_WARN else "warn"
        if usage.free < DISK_BAD:
            level = "bad"
        yield Finding("disk", level, "doctor.disk_free", values, "doctor.disk_next")
        if patient.data.stat().st_dev == patient.keys.stat().st_dev:
            return  # one disk, one line


def _keys(patient: Patient) -> Iterator[Finding]:
    """The files that make heads, each readable by its owner only."""
    private_files.check_private(patient.keys)
    if serves_only(patient.keys):
        yield Finding("keys", "ok", "doctor.serves_only")
    for log in () if serves_only(patient.keys) else LOGS:
        load_log_keys(patient.keys, log)
        days = (patient.now - key_path(patient.keys, log).stat().st_mtime_ns // 10**6) // DAY_MS
        level: Level = "warn" if days > KEY_WARN_DAYS else "ok"
        values = {"log": log, "days": max(0, days)}
        yield Finding("keys", level, "doctor.log_key", values, "doctor.log_key_next")
    DayKeys.open(patient.keys)
    for path in sorted(patient.keys.glob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and path.suffix in (".key", ".seed", ".head"):
            seen = {"path": path, "mode": f"{mode:04o}"}
            yield Finding("keys", "bad", "doctor.key_exposed", seen, "doctor.key_exposed_next")


def _certificate(patient: Patient) -> Iterator[Finding]:
    path = patient.keys / CERTIFICATE_NAME
    if not path.exists():
        yield Finding("tls", "ok", "doctor.tls_none")
        return
    facts = read_certificate(path)
    days = (facts.not_after - patient.now) // DAY_MS
    values = {"days": max(0, days)}
    if facts.validity(patient.now) != "valid":
        yield Finding("tls", "bad", "doctor.tls_over", values, "doctor.broker_tls_next")
        return
    level: Level = "warn" if days < CERTIFICATE_WARN_DAYS else "ok"
    yield Finding("tls", level, "doctor.tls_days", values, "doctor.broker_tls_next")


def _store(patient: Patient) -> Iterator[Finding]:
    if not patient.data.is_dir():
        raise OperatorError(
            "store_missing",
            f"there is no data directory {patient.data}",
            field="data",
            hint="name the directory that `saphan-broker init --data` made",
        )
    files = [path for path in patient.data.rglob("*") if path.is_file()]
    values = {"size": sum(path.stat().st_size for path in files) // MIB}
    yield Finding("store", "ok", "doctor.store_size", values)


def _server(patient: Patient) -> Iterator[Finding]:
    """The server that carries the logs: does it keep, is it copied, has it room."""
    seen = patient.server
    if seen is None:
        if patient.status is not None and patient.status["role"] != "alone":
            yield Finding("server", "warn", "doctor.server_unseen", {}, "doctor.server_unseen_next")
        return
    if isinstance(seen, SaphanError):
        yield Finding("server", "bad", error=seen)
        return
    where = {"name": seen.name, "place": seen.place}
    if not seen.primary:
        yield Finding("server", "bad", "doctor.server_replica", where, "doctor.server_replica_next")
    elif not seen.writes:
        yield Finding("server", "bad", "doctor.server_disk", where, "doctor.server_disk_next")
    elif seen.losses:
        values = where | {"losses": ", ".join(seen.losses)}
        yield Finding("server", "warn", "doctor.server_loses", values, "doctor.server_loses_next")
    else:
        yield Finding("server", "ok", "doctor.server_keeps", where)
    yield from _replicas(seen)
    yield from _sentinels(seen)
    yield from _memory(seen)


def _replicas(seen: ServerSeen) -> Iterator[Finding]:
    values = {"count": seen.replicas, "wanted": seen.wanted, "lag": seen.lag}
    level: Level = "ok" if seen.lag <= LAG_WARN_S else "warn"
    if seen.replicas < seen.wanted:
        level = "bad"
    elif not seen.replicas:
        level = "warn"  # its disk is the only copy
    key = "doctor.server_replicas" if seen.replicas else "doctor.server_no_replica"
    yield Finding("server", level, key, values, "doctor.server_replicas_next")


def _sentinels(seen: ServerSeen) -> Iterator[Finding]:
    """Whether a failover can come about, and what it may cost."""
    told = seen.sentinels
    if told is None:
        return
    values = {"asked": told.asked, "answered": told.answered, "quorum": told.quorum}
    few = told.asked < SENTINELS or told.answered < told.asked
    level: Level = "bad" if told.answered < told.quorum else "warn" if few else "ok"
    yield Finding("server", level, "doctor.sentinels", values, "doctor.sentinels_next")
    if 0 < seen.wanted < told.replicas:
        values = {"wanted": seen.wanted, "known": told.replicas}
        yield Finding(
            "server", "warn", "doctor.sentinels_choose", values, "doctor.sentinels_choose_next"
        )


def _memory(seen: ServerSeen) -> Iterator[Finding]:
    used = seen.used // MIB
    if not seen.most:
        values: dict[str, object] = {"used": used}
        yield Finding(
            "server", "warn", "doctor.server_no_limit", values, "doctor.server_no_limit_next"
        )
        return
    percent = seen.used * 100 // seen.most
    level: Level = "ok" if percent < MEMORY_WARN else "warn" if percent < MEMORY_BAD else "bad"
    values = {"used": used, "most": seen.most // MIB, "percent": percent}
    yield Finding("server", level, "doctor.server_memory", values, "doctor.server_memory_next")


CHECKS: Final[tuple[tuple[str, Callable[[Patient], Iterator[Finding]]], ...]] = (
    ("running", _running),
    ("clock", _alarms),
    ("disk", _disk),
    ("store", _store),
    ("server", _server),
    ("keys", _keys),
    ("tls", _certificate),
    ("line", _line),
)
"""What is looked at, in this order; the name stands for what looking there has raised."""
