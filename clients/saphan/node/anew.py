"""What must be consigned anew: the broker refused it, it did not open, or its keys are revoked.

The bulletin stays what it is: its officer's signature is inside, and its id does not change. Only
the carriage is made again, under this node's present key and for the recipient's present mailbox.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from saphan_protocol.admission_steps import Facts
from saphan_protocol.delivery import State
from saphan_protocol.directory import Directory
from saphan_protocol.release import carrying
from saphan_schemas.codec import decode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Header, Role, StanzaRef

from saphan.keys.mailbox_schedule import choose
from saphan.node.feed_entry import Seen
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import MAX_ATTEMPTS, REFUSED, Deliveries

PAGE: Final = 1_024
"""Rows read at a time; at most 64 of them, one for each recipient, are of one consignment."""

Delivery = tuple[bytes, str]
"""(bulletin id, recipient)."""


def undecided(db: Database, agency: str) -> list[Delivery]:
    """Deliveries of ours that go on with a new consignment, and none waits (after a crash)."""
    return [
        (bulletin, recipient)
        for bulletin, recipient in db.rows(
            "SELECT bulletin, recipient FROM deliveries d WHERE sender = ?"
            " AND state IN ('unopened', 'queued')"
            " AND attempts < ? AND NOT EXISTS (SELECT 1 FROM consignments c"
            " WHERE c.bulletin = d.bulletin AND c.state = 'waiting')",
            (agency, MAX_ATTEMPTS),
        )
    ]


def overdue(db: Database, agency: str, now: int) -> list[OperatorError]:
    """End deliveries that never came into the log, for want of a key, and have expired meanwhile;
    what their authors must hear. `now` in ms UTC."""
    rows = db.rows(
        "SELECT d.bulletin, d.recipient, b.header FROM deliveries d"
        " JOIN bulletins b ON b.id = d.bulletin WHERE d.sender = ? AND d.state = 'queued'"
        " AND NOT EXISTS (SELECT 1 FROM consignments c"
        " WHERE c.bulletin = d.bulletin AND c.state = 'waiting')",
        (agency,),
    )
    over = [(bulletin, to) for bulletin, to, header in rows if not _lasts(header, now)]
    if over:
        with db.transaction() as tx:
            tx.executemany(
                "UPDATE deliveries SET state = ?, code = 'expired', changed = ?"
                " WHERE bulletin = ? AND recipient = ? AND state = 'queued'",
                [(REFUSED, now, *one) for one in over],
            )
    return [
        OperatorError(
            "bulletin_refused",
            f"bulletin {bulletin.hex()[:16]} to {to} has expired: no mailbox key took it",
            hint=f"tell its author; see: saphan status {bulletin.hex()[:16]}",
        )
        for bulletin, to in over
    ]


def ended(db: Database, logs: Logs, now: int) -> list[tuple[int, bytes, tuple[str, ...]]]:
    """(row, bulletin, recipients) of what waits and is sealed to keys that take nothing any more,
    where others are enrolled: the broker would log a refusal of each.

    Args:
        now: ms UTC.
    """
    found, after = [], (-1, 0)
    while rows := db.rows(
        "SELECT c.urgency, c.id, c.bulletin, c.body, b.header FROM consignments c"
        " CROSS JOIN bulletins b ON b.id = c.bulletin"
        " WHERE c.state = 'waiting' AND (c.urgency, c.id) > (?, ?)"
        " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.bulletin = c.bulletin"
        " AND d.attempts >= ?) ORDER BY c.urgency, c.id LIMIT ?",
        (*after, MAX_ATTEMPTS, PAGE),
    ):
        after = rows[-1][:2]
        for _, row, bulletin, body, header in rows:
            refs = msgpack_decoder(Consignment).decode(body).recipients
            with logs.lock:
                over = [ref for ref in refs if _ended(logs.directory, ref.mailbox_key, now)]
                if over and _replaced(logs.directory, over, header, now):
                    found.append((row, bulletin, tuple(ref.agency for ref in refs)))
    return found


def _ended(directory: Directory, mailbox_key: bytes, now: int) -> bool:
    try:
        until = directory.key(mailbox_key, Role.MAILBOX).seal_until
    except Refused:
        return True
    return until is not None and until < now


def _replaced(directory: Directory, over: Iterable[StanzaRef], header: bytes, now: int) -> bool:
    """Whether every one of these recipients has another key that lasts."""
    expires = decode(Header, header, LIMITS.header_bytes, "header").expires
    try:
        return all(choose(directory, ref.agency, now, expires) for ref in over) and expires > now
    except Refused:
        return False


def withdrawn(db: Database, logs: Logs, agency: str, node_key: bytes, now: int) -> list[Delivery]:
    """Deliveries in the log, not handed over, whose keys are revoked: nobody may hand them over.

    Judged by the directory as it stands now, with what was bound by hand.

    Args:
        node_key: id of the key that signs; with one that is revoked itself nothing is cured.
        now: ms UTC.
    """
    if not _active(logs, node_key):
        return []
    found: dict[Delivery, None] = {}
    for bulletin, recipient, header, consignment in _logged(db, agency):
        # The newest consignment of a delivery counts, and comes last.
        found.pop((bulletin, recipient), None)
        with logs.lock:
            gone = _revoked(logs.directory, consignment, recipient)
        if gone and _lasts(header, now):
            found[bulletin, recipient] = None
    return without_waiting(db, found)


def _logged(db: Database, agency: str) -> Iterator[tuple[bytes, str, bytes, Consignment]]:
    """(bulletin, recipient, header, consignment) of what is not handed over, a page at a time."""
    after = (0, 0)
    while rows := db.rows(
        "SELECT b.seq, c.id, d.bulletin, d.recipient, b.header, c.body FROM deliveries d"
        " JOIN bulletins b ON b.id = d.bulletin JOIN consignments c ON c.bulletin = d.bulletin"
        " WHERE d.sender = ? AND d.state = 'submitted' AND d.attempts < ?"
        " AND c.state = 'logged' AND (b.seq, c.id) > (?, ?)"
        " ORDER BY b.seq, c.id LIMIT ?",
        (agency, MAX_ATTEMPTS, *after, PAGE),
    ):
        after = rows[-1][:2]
        if len(rows) == PAGE:  # several recipients of one consignment are not cut in two
            rows = [row for row in rows if row[:2] != after] or rows
            after = rows[-1][:2]
        for _, _, bulletin, recipient, header, body in rows:
            consignment = msgpack_decoder(Consignment).decode(body)
            if any(ref.agency == recipient for ref in consignment.recipients):
                yield bulletin, recipient, header, consignment


def logged_too_late(
    seen: Iterable[Seen], deliveries: Deliveries, directory: Directory, agency: str, node_key: bytes
) -> list[Delivery]:
    """Consignments of ours that a frame shows in the log, after their keys were revoked here.

    They were on their way when the revocation came; `withdrawn` did not see them in the log yet.

    Args:
        deliveries: as they stand after the frame; node_key: id of the key that signs now.
    """
    found = []
    for one in seen:
        recipient = one.entry.recipient
        delivery = deliveries.get(one.bulletin, recipient)
        if one.consignment is None or delivery is None or delivery.sender != agency:
            continue
        lasts = delivery.state == State.SUBMITTED.value and delivery.attempts < MAX_ATTEMPTS
        if lasts and _revoked(directory, one.consignment, recipient):
            found.append((one.bulletin, recipient))
    with contextlib.suppress(Refused):
        directory.key(node_key, Role.NODE)
        return found
    return []


def _active(logs: Logs, node_key: bytes) -> bool:
    try:
        with logs.lock:
            logs.directory.key(node_key, Role.NODE)
    except Refused:
        return False
    return True


def without_waiting(db: Database, deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Those of them for which no consignment waits to be sent."""
    wanted = list(dict.fromkeys(deliveries))
    waiting: set[Delivery] = set()
    for bulletin in {bulletin for bulletin, _ in wanted}:
        for (body,) in db.rows(
            "SELECT body FROM consignments WHERE bulletin = ? AND state = 'waiting'", (bulletin,)
        ):
            consignment = msgpack_decoder(Consignment).decode(body)
            waiting.update((bulletin, ref.agency) for ref in consignment.recipients)
    return [delivery for delivery in wanted if delivery not in waiting]


def carried(
    db: Database, logs: Logs, deliveries: Iterable[Delivery], now: int
) -> Iterator[Delivery]:
    """Those of them that no log has had yet, or that an agreement in force carries; nothing of
    what this agency has taken back or erased.

    While it is suspended a consignment of what is in the log would be refused, and would use up an
    attempt; after `resume`, or a renewal, the directory has grown and it is looked at again.

    Args:
        now: ms UTC.
    """
    for bulletin, recipient in deliveries:
        gone = (
            "SELECT 1 FROM recall_orders WHERE bulletin = ?1"
            " UNION ALL SELECT 1 FROM bulletins WHERE id = ?1 AND wrapped IS NULL"
        )
        if db.row(gone, (bulletin,)) is not None:
            continue
        row = db.row(
            "SELECT b.header FROM deliveries d JOIN bulletins b ON b.id = d.bulletin"
            " WHERE d.bulletin = ? AND d.recipient = ? AND (d.state IN ('submitted', 'unopened')"
            " OR EXISTS (SELECT 1 FROM entries e WHERE e.bulletin = d.bulletin"
            " AND e.recipient = d.recipient))",
            (bulletin, recipient),
        )
        if row is not None:
            header = decode(Header, row[0], LIMITS.header_bytes, "header")
            with logs.lock:
                _, in_force = carrying(header, recipient, Facts(logs.directory, now))
            if not in_force:
                continue
        yield bulletin, recipient


def untried(db: Database, refused: Mapping[Delivery, int]) -> list[Delivery]:
    """Those that nobody else has consigned anew since they were refused.

    Args:
        refused: with the attempts that were made by then.
    """
    deliveries = Deliveries(db, (bulletin for bulletin, _ in refused))
    now = {one: deliveries.get(*one) for one in refused}
    return [one for one, made in refused.items() if (row := now[one]) and row.attempts == made]


def _revoked(directory: Directory, consignment: Consignment, recipient: str) -> bool:
    keys = [(consignment.node_key, Role.NODE)]
    keys += [
        (ref.mailbox_key, Role.MAILBOX) for ref in consignment.recipients if ref.agency == recipient
    ]
    for key, role in keys:
        try:
            directory.key(key, role)
        except Refused:
            return True
    return False


def _lasts(header: bytes, now: int) -> bool:
    """Whether it may still be delivered; what has expired waits for the broker to say so."""
    return decode(Header, header, LIMITS.header_bytes, "header").expires > now
