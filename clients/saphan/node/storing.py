"""The one transaction of a feed frame: entries, bulletins, answers, cursor; all or nothing."""

from __future__ import annotations

import sqlite3
from typing import Final

from saphan_protocol.batch import item_root
from saphan_protocol.delivery import TERMINAL, State
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.keys import SigningKey
from saphan_schemas.records import Event, statement_type

from saphan.compose import URGENCIES
from saphan.node.anchors import encoded_path
from saphan.node.effects import Effects
from saphan.node.feed_entry import Seen
from saphan.node.files.parts import MISSING, keep_rows, mark, parts_of
from saphan.node.logs import Logs
from saphan.node.retention.keeping import Keeping
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import REFUSED
from saphan.node.rows.recalled import SEALED, RecalledHere, keep_order, keep_recalled
from saphan.node.rows.schema import KEEP_BODY
from saphan.node.rows.signatures import item_bytes, keep
from saphan.node.rows.statements import keep_statements, mark_logged, sign_statements
from saphan.node.seen_heads import keep_seen
from saphan.node.threads.rows import keep_words

_ENDINGS: Final = TERMINAL - {State.READ}
_OVER: Final = ", ".join(f"'{state}'" for state in sorted((*TERMINAL, REFUSED)))


def store(db: Database, logs: Logs, key: SigningKey, agency: str, effects: Effects) -> None:
    """Sign the frame's answers in one batch, persist everything, then adopt it in memory.

    Raises:
        OperatorError: `disk_full`, `store_damaged`; nothing was kept, the frame comes again.
    """
    signed = sign_statements(key, agency, effects.said) if effects.said else None
    with db.transaction() as tx:
        _keep_entries(tx, effects, logs.first)
        _keep_bulletins(tx, effects)
        _keep_openings(tx, effects)
        if effects.deliveries is not None:
            effects.deliveries.keep(tx)
        recalled = _recalled(agency, effects, logs.first)
        keep_recalled(tx, recalled)
        for one in recalled:
            Keeping.seal(tx, one.bulletin, SEALED)
        for seen in effects.seen:  # a restored node hears what it had taken back
            if seen.event == Event.RECALLED and seen.issuer == agency:
                keep_order(tx, seen.bulletin, seen.code or "", "", seen.entry.time)
        if effects.before is not None:
            effects.said_again = effects.before.again(tx, effects.seen)
        _mark_own(tx, agency, effects)
        if signed is not None:
            effects.answers = keep_statements(tx, *signed)
        logs.keep_feed(tx, effects.check)
        keep_seen(tx, logs.evidence_heads.origin, effects.arrived, logs.first)
    logs.adopt_feed(effects.check)


def _keep_entries(tx: sqlite3.Connection, effects: Effects, log: int) -> None:
    rows, used = [], []
    for seen in effects.seen:
        item, batch, root = seen.raw.item, seen.batch, None
        if batch is not None:
            root = batch.root
            used.append(batch)
        elif item is not None:
            kind = CONSIGNMENT_TYPE if seen.statement is None else statement_type(Event(seen.event))
            root = item_root(item, kind, seen.raw.statement)
            batch = effects.batches.get((item.key, item.size, root))
            if batch is not None:
                used.append(batch)
        rows.append(_entry_row(log + seen.index, seen, root, effects.check.head.size))
    keep(tx, {(batch.root, batch.signature): batch for batch in used}.values())
    marks = ",".join("?" * 15)
    tx.executemany(f"INSERT INTO entries VALUES ({marks})", rows)  # noqa: S608


def _recalled(agency: str, effects: Effects, log: int) -> list[RecalledHere]:
    """What senders take back from us: of what was not delivered it is the outcome."""
    found = []
    for seen in effects.seen:
        if seen.event != Event.RECALLED or seen.entry.recipient != agency:
            continue
        known = effects.deliveries
        delivery = None if known is None else known.get(seen.bulletin, agency)
        stopped = delivery is not None and delivery.state == State.RECALLED
        found.append(
            RecalledHere(seen.bulletin, log + seen.index, seen.entry.time, seen.code or "", stopped)
        )
    return found


def _entry_row(place: int, seen: Seen, root: bytes | None, head_size: int) -> tuple[object, ...]:
    raw, entry = seen.raw, seen.entry
    return (
        place,
        seen.bulletin,
        seen.event,
        entry.time,
        entry.sender,
        entry.recipient,
        seen.issuer,
        seen.code,
        raw.entry,
        raw.salt,
        raw.statement,
        None if raw.item is None else item_bytes(raw.item),
        root,
        head_size,
        encoded_path(raw.path),
    )


def _keep_bulletins(tx: sqlite3.Connection, effects: Effects) -> None:
    """Received bulletins; one that is here already (consigned anew) stays as first judged."""
    tx.executemany(
        "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest,"
        " wrap_day, judged_at, stored, urgency) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [
            (
                admitted.bulletin_id,
                admitted.header.sender,
                admitted.header.nonce,
                admitted.header_bytes,
                admitted.header_id,
                admitted.ciphertext.digest,
                admitted.header.retain_until,
                at,
                seen.entry.time,
                URGENCIES.index(admitted.header.urgency),
            )
            for seen, admitted, at in effects.arrived
        ],
    )
    tx.executemany(
        KEEP_BODY,
        [
            (admitted.bulletin_id, seen.raw.ciphertext)
            for seen, admitted, _ in effects.arrived
            if isinstance(seen.raw.ciphertext, bytes)
        ],
    )
    for seen, admitted, _ in effects.arrived:
        keep_rows(tx, admitted.bulletin_id, parts_of(seen, admitted), MISSING)
    for bulletin in effects.damaged:
        mark(tx, bulletin, MISSING)


def _keep_openings(tx: sqlite3.Connection, effects: Effects) -> None:
    tx.executemany(
        "UPDATE bulletins SET wrapped = coalesce(?, wrapped), author = ? WHERE id = ?",
        [(verdict.wrapped, verdict.author, bulletin) for bulletin, verdict in effects.opened],
    )
    keep_words(tx, [one.words for _, one in effects.opened if one.words is not None])
    mark_shown(tx, effects.shown)


def mark_shown(tx: sqlite3.Connection, bulletins: list[bytes]) -> None:
    """Put accepted bulletins into the inbox, once, after everything that is there."""
    tx.executemany(
        "UPDATE bulletins SET arrived = (SELECT coalesce(max(arrived), 0) + 1 FROM bulletins)"
        " WHERE id = ? AND arrived IS NULL",
        [(bulletin,) for bulletin in bulletins],
    )


def _mark_own(tx: sqlite3.Connection, agency: str, effects: Effects) -> None:
    """What the log shows need not be sent again."""
    consigned, stated = [], []
    for seen in effects.seen:
        if seen.issuer != agency:
            continue
        if seen.consignment is not None:
            consigned.append((seen.bulletin, seen.raw.statement))
        else:
            stated.append((seen.bulletin, seen.event, seen.entry.recipient, seen.raw.statement))
    tx.executemany(
        "UPDATE consignments SET state = 'logged', code = NULL WHERE bulletin = ? AND body = ?",
        consigned,
    )
    mark_logged(tx, stated)
    ended = [seen.bulletin for seen in effects.seen if seen.event in _ENDINGS]
    tx.executemany(
        "UPDATE consignments SET state = 'over' WHERE bulletin = ? AND state = 'waiting'"  # noqa: S608
        " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.bulletin = consignments.bulletin"
        f" AND d.state NOT IN ({_OVER}))",
        [(bulletin,) for bulletin in ended],
    )
