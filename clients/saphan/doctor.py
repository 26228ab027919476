"""What `saphan node doctor` looks at: the agency's folder, the store, and the node if it runs.

Nothing is changed, and nothing needs to run: a node that does not start is when it is needed most.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from saphan_protocol.directory import Directory, KeyInfo
from saphan_protocol.tls import CERTIFICATE_BYTES, first_certificate, read_certificate
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import Operation, SignedOperation
from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.findings import Finding, Level
from saphan_schemas.findings import examine as found_by
from saphan_schemas.limits import DAY_MS, HOUR_MS, LIMITS, MIB
from saphan_schemas.records import Header, Role

from saphan.api_answer import TOKEN_NAME
from saphan.backup.contents import ARCHIVE_KEYS, DATABASE
from saphan.backup.header import PARTS
from saphan.backup.making import MARK_NAME, read_mark
from saphan.ceremony.concluding import waiting_draft
from saphan.durable import read_bounded
from saphan.local_api import LocalNode
from saphan.node.desks.tls import CERTIFICATE_NAME
from saphan.node.policy.settings import SETTINGS_NAME, read_settings
from saphan.office import Office
from saphan.officers_named import unfitting

Json = dict[str, Any]

DISK_WARN: Final = 2_048 * MIB
DISK_BAD: Final = 256 * MIB
"""A frame, its journal and a day of bulletins with attachments take less."""
KEY_WARN_DAYS: Final = 730
MAILBOX_WARN_DAYS: Final = 7 * LIMITS.mailbox_warn_weeks
"""New mailbox keys take a root ceremony: the node sounds its alarm at the same time."""
CERTIFICATE_WARN_DAYS: Final = 30
TOKEN_WARN_DAYS: Final = 14
LINE_BAD_MS: Final = HOUR_MS
"""A bad line comes back by itself; a wrong pin, an old certificate, a dead broker do not."""
OUTBOX_WARN_MS: Final = HOUR_MS
OUTBOX_BAD_MS: Final = DAY_MS
BACKUP_WARN_DAYS: Final = 2
BACKUP_BAD_DAYS: Final = 14
LOOKED_AT: Final = 1_000
"""Newest bulletins of the inbox that are compared with the rules."""
FUTURE_MS: Final = 2 * DAY_MS
"""A backup of later than that was made under a wrong clock: nobody knows how old it is."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A node under examination.

    Args:
        office: its agency's folder; now: ms UTC.
        identity: what the running node says of itself; None if it does not answer.
    """

    office: Office
    now: int
    identity: Json | None


def examine(office: Office, now: int) -> list[Finding]:
    """Everything that there is to look at, in the order in which a keeper would repair it.

    Raises:
        OperatorError: `not_an_agency_folder`; InvalidInput: a damaged agency.json.
    """
    office.read_agency()
    patient = Patient(office, now, _identity(office))
    return found_by(patient, CHECKS)


def _identity(office: Office) -> Json | None:
    try:
        found: Json = LocalNode(office.node).get("/v1/identity")
    except SaphanError:
        return None
    return found


def _running(patient: Patient) -> Iterator[Finding]:
    if patient.identity is None:
        yield Finding("running", "bad", "doctor.not_running", {}, "doctor.not_running_next")
        return
    yield Finding("running", "ok", "doctor.runs")
    line = patient.identity["line"]
    if line["state"] == "open":
        yield Finding("line", "ok", "doctor.line_open")
        return
    late = patient.now - line["down_since"] >= LINE_BAD_MS
    level: Level = "bad" if late or line["state"] == "stopped" else "warn"
    code, message = line["code"] or "line_down", line["message"] or line["state"]
    yield Finding("line", level, error=Unavailable(code, message, hint=line["hint"]))


def _clock(patient: Patient) -> Iterator[Finding]:
    """The broker tells its clock at each session and each ping; the node compares."""
    if patient.identity is None or patient.identity["line"]["state"] != "open":
        yield Finding("clock", "warn", "doctor.clock_unknown", {}, "doctor.clock_unknown_next")
        return
    if not any(alarm["code"] == "clock_skew" for alarm in patient.identity["alarms"]):
        yield Finding("clock", "ok", "doctor.clock_ok", {"seconds": LIMITS.skew_ms // 1000})


def _alarms(patient: Patient) -> Iterator[Finding]:
    for alarm in (patient.identity or {}).get("alarms", ()):
        error = Unavailable(alarm["code"], alarm["message"], hint=alarm["hint"])
        if alarm["code"] == "clock_skew":
            yield Finding("clock", "bad", error=error)
        else:
            yield Finding("alarm", "warn", error=error)


def _disk(patient: Patient) -> Iterator[Finding]:
    data = (patient.office.folder / DATABASE).parent
    usage = shutil.disk_usage(data if data.exists() else patient.office.folder)
    values = {"free": usage.free // MIB, "percent": usage.free * 100 // max(1, usage.total)}
    if usage.free < DISK_BAD:
        yield Finding("disk", "bad", "doctor.disk_free", values, "doctor.disk_next")
    elif usage.free < DISK_WARN:
        yield Finding("disk", "warn", "doctor.disk_free", values, "doctor.disk_next")
    else:
        yield Finding("disk", "ok", "doctor.disk_free", values)


def _pins(patient: Patient) -> Iterator[Finding]:
    pins = patient.office.read_pins()
    yield Finding("pins", "ok", "doctor.pins", {"name": pins.name, "origin": pins.evidence.origin})


def _settings(patient: Patient) -> Iterator[Finding]:
    read_settings(patient.office.node / SETTINGS_NAME)
    yield Finding("settings", "ok", "doctor.settings_ok")


def _key_files(patient: Patient) -> Iterator[Finding]:
    """Nobody but their owner reads them; what others have read must be revoked."""
    folder = patient.office.folder
    paths = [*folder.rglob("*.key"), *(folder / ARCHIVE_KEYS).glob("*")]
    for path in sorted([*paths, patient.office.node / TOKEN_NAME]):
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0
        if not mode & 0o077:
            continue
        values = {"path": path, "mode": f"{mode:04o}"}
        yield Finding("keys", "bad", "doctor.key_exposed", values, "doctor.key_exposed_next")
    if patient.office.root_key.exists():
        yield Finding("keys", "warn", "doctor.root_here", {}, "doctor.root_here_next")
    if (draft := waiting_draft(patient.office)) is not None:
        named = {"path": str(draft)}
        yield Finding("keys", "warn", "doctor.draft_waits", named, "doctor.draft_waits_next")


def _keys(patient: Patient) -> Iterator[Finding]:
    """Ages go by the time that each key's operation bears."""
    office, agency = patient.office, patient.office.read_agency().agency
    directory = office.replay()
    for role in (Role.NODE, Role.WITNESS):
        active = directory.keys(agency, role)
        if not office.key_file(role, b"").exists() or not active:
            named = {"role": role.value}
            yield Finding("keys", "bad", "doctor.key_missing", named, "doctor.key_missing_next")
            continue
        days = (patient.now - _added(office, active[-1])) // DAY_MS
        values = {"role": role.value, "days": days}
        if days > KEY_WARN_DAYS:
            yield Finding("keys", "warn", "doctor.key_age", values, "doctor.key_age_next")
        else:
            yield Finding("keys", "ok", "doctor.key_age", values)
    yield from _mailboxes(patient, directory, agency)


def _mailboxes(patient: Patient, directory: Directory, agency: str) -> Iterator[Finding]:
    active, now = directory.keys(agency, Role.MAILBOX), patient.now
    for key in active:
        path = patient.office.key_file(Role.MAILBOX, key.key_id)
        values: dict[str, object] = {"id": key.key_id.hex()[:16]}
        if (key.open_until or 0) > now and not path.exists():
            yield Finding(
                "mailbox", "bad", "doctor.mailbox_gone", values, "doctor.mailbox_gone_next"
            )
        elif (key.open_until or 0) <= now and path.exists():
            yield Finding(
                "mailbox", "warn", "doctor.mailbox_over", values, "doctor.mailbox_over_next"
            )
    days = (max((key.seal_until or 0 for key in active), default=0) - now) // DAY_MS
    values = {"days": max(0, days)}
    if days < 0:
        yield Finding("mailbox", "bad", "doctor.mailbox_ended", values, "doctor.mailbox_next")
    elif days < MAILBOX_WARN_DAYS:
        yield Finding("mailbox", "warn", "doctor.mailbox_days", values, "doctor.mailbox_next")
    else:
        yield Finding("mailbox", "ok", "doctor.mailbox_days", values)


def _added(office: Office, key: KeyInfo) -> int:
    """Time of the operation that added a key, ms UTC."""
    data = read_bounded(office.operation(key.added + 1), LIMITS.operation_bytes, "operation")
    signed = decode(SignedOperation, data, LIMITS.operation_bytes, "operation")
    return decode(Operation, signed.operation, LIMITS.operation_bytes, "operation").time


def _certificate(patient: Patient) -> Iterator[Finding]:
    path = patient.office.node / CERTIFICATE_NAME
    if not path.exists():
        return  # no desk was ever invited
    facts = read_certificate(first_certificate(read_bounded(path, CERTIFICATE_BYTES, path.name)))
    days = (facts.not_after - patient.now) // DAY_MS
    values = {"days": max(0, days)}
    if facts.validity(patient.now) != "valid":
        yield Finding("tls", "bad", "doctor.tls_over", values, "doctor.tls_next")
    elif days < CERTIFICATE_WARN_DAYS:
        yield Finding("tls", "warn", "doctor.tls_days", values, "doctor.tls_next")
    else:
        yield Finding("tls", "ok", "doctor.tls_days", values)


def _store(patient: Patient) -> Iterator[Finding]:
    """What waits for the broker, and whether the node was restored; read beside the node."""
    path = patient.office.folder / DATABASE
    if not path.exists():
        yield Finding("outbox", "ok", "doctor.store_none")
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as store:
            waiting, oldest = store.execute(
                "SELECT count(*), min(b.stored) FROM consignments c JOIN bulletins b"
                " ON b.id = c.bulletin WHERE c.state = 'waiting'"
            ).fetchone()
            facts = dict(store.execute("SELECT name, value FROM facts"))
    except sqlite3.Error as error:
        yield Finding("outbox", "bad", "doctor.store_bad", {"why": error}, "doctor.store_bad_next")
        return
    age = patient.now - (patient.now if oldest is None else oldest)
    values = {"count": waiting, "hours": age // HOUR_MS}
    level: Level = "ok" if age < OUTBOX_WARN_MS else "warn" if age < OUTBOX_BAD_MS else "bad"
    yield Finding("outbox", level, "doctor.outbox", values, "doctor.outbox_next")
    if facts.get("listening"):
        yield Finding("restored", "warn", "doctor.listening", {}, "doctor.listening_next")


def _rules(patient: Patient) -> Iterator[Finding]:
    """Whether the rules leave something to nobody: no officer would ever know that it came."""
    office, path = patient.office, patient.office.folder / DATABASE
    try:
        settings = read_settings(office.node / SETTINGS_NAME)
    except SaphanError:
        return  # `_settings` says it
    shown = settings.shown
    keys = office.replay().keys(office.read_agency().agency, Role.OFFICER)
    officers = [key.handle for key in keys if key.handle is not None]
    yield from unfitting(settings, officers)
    if not officers or not path.exists():
        return  # programs only
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as store:
            rows = store.execute(
                "SELECT header FROM bulletins WHERE arrived IS NOT NULL"
                " ORDER BY arrived DESC LIMIT ?",
                (LOOKED_AT,),
            ).fetchall()
    except sqlite3.Error:
        return  # `_store` says it
    headers = (decode(Header, data, LIMITS.header_bytes, "header") for (data,) in rows)
    hidden = sum(not shown.officers(header, officers) for header in headers)
    if hidden:
        values = {"count": hidden, "of": len(rows)}
        yield Finding("settings", "warn", "doctor.shown_nobody", values, "doctor.shown_nobody_next")


def _tokens(patient: Patient) -> Iterator[Finding]:
    """A case system whose token ends falls silent; who keeps the node should know before."""
    path = patient.office.folder / DATABASE
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as store:
            rows = store.execute(
                "SELECT name, expires FROM tokens WHERE revoked IS NULL AND used IS NOT NULL"
                " AND expires > ?1 AND expires < ?1 + ?2 ORDER BY expires",
                (patient.now, TOKEN_WARN_DAYS * DAY_MS),
            ).fetchall()
    except sqlite3.Error:
        return  # a store of an older format; of a damaged one `_store` says it
    for name, expires in rows:
        values = {"name": name, "days": (expires - patient.now) // DAY_MS}
        yield Finding("tokens", "warn", "doctor.token_ends", values, "doctor.token_ends_next")


def _backup(patient: Patient) -> Iterator[Finding]:
    made = read_mark(patient.office.node / MARK_NAME)
    for part in PARTS:
        if made.get(part, patient.now + FUTURE_MS) >= patient.now + FUTURE_MS:
            yield Finding("backup", "warn", f"doctor.backup_no_{part}", {}, "doctor.backup_next")
            continue
        days = (patient.now - made[part]) // DAY_MS
        level: Level = "ok"
        if part == "keys" and _newer_keys(patient.office, made[part]):
            yield Finding("backup", "warn", "doctor.backup_keys_old", {}, "doctor.backup_next")
        elif part == "data" and days >= BACKUP_WARN_DAYS:
            level = "warn" if days < BACKUP_BAD_DAYS else "bad"
        values = {"days": days}
        yield Finding("backup", level, f"doctor.backup_{part}", values, "doctor.backup_next")


def _newer_keys(office: Office, at: int) -> bool:
    """Whether an archive, mailbox or node key was made since: what it opens is in no backup."""
    paths = [office.node / "node.key", *(office.node / "mailbox").glob("*.key")]
    paths += (office.folder / ARCHIVE_KEYS).glob("[0-9]*")
    return any(path.exists() and path.stat().st_mtime_ns // 1_000_000 > at for path in paths)


CHECKS: Final[tuple[tuple[str, Callable[[Patient], Iterator[Finding]]], ...]] = (
    ("running", _running),
    ("clock", _clock),
    ("disk", _disk),
    ("pins", _pins),
    ("settings", _settings),
    ("keys", _key_files),
    ("keys", _keys),
    ("tls", _certificate),
    ("outbox", _store),
    ("settings", _rules),
    ("tokens", _tokens),
    ("backup", _backup),
    ("alarm", _alarms),
)
"""What is looked at, in this order; the name stands for what looking there has raised."""
