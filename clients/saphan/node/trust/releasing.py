"""Whether a bulletin may be handed over: the rule of the broker and of the auditor.

Asked of what this agency has received before it says so, and of what it has sent after the log says
so: a broker that lets go what was stopped is found out by the party that has stopped it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from saphan_protocol.admission_steps import Facts
from saphan_protocol.agreement import covers
from saphan_protocol.directory import Directory
from saphan_protocol.release import check_release
from saphan_schemas.codec import decode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import OperatorError, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Event, Header

from saphan.node.feed_check import FeedCheck
from saphan.node.feed_entry import Seen
from saphan.node.logs import Logs
from saphan.node.rows.db import Database

if TYPE_CHECKING:  # it stands above this room
    from saphan.node.effects import Effects

HELD_BACK: Final = ("agreement_stopped", "consignment_revoked", "mailbox_revoked")
"""Codes of a delivery that waits: for `resume`, or until the sender has consigned it anew."""


def held_back(
    logs: Logs, agency: str, header: Header, node_key: bytes, mailbox_key: bytes, now: int
) -> str | None:
    """Why this agency does not hand over at present, with what was bound by hand; None if it may.

    Args:
        node_key, mailbox_key: ids of the keys of the newest consignment; `now` in ms UTC.
    """
    with logs.lock:
        try:
            check_release(header, agency, node_key, mailbox_key, Facts(logs.directory, now))
        except Refused as error:
            return error.code
        return "agreement_stopped" if _stopped_by_hand(logs.directory, header, agency) else None


def _stopped_by_hand(directory: Directory, header: Header, agency: str) -> bool:
    """Whether only an order that the log does not show yet stands against it: what was on its way
    before that order nobody can tell until the order has its place, so all of it waits."""
    found = [
        (directory.standing(agreed).in_force, directory.standing(agreed, directory.size).in_force)
        for agreed in directory.agreements(header.sender, agency)
        if covers(agreed, header, agency) is None
    ]
    return not any(now for now, _ in found) and any(logged for _, logged in found)


def held_back_stored(
    db: Database, logs: Logs, agency: str, bulletin: bytes, mailbox_key: bytes, now: int
) -> str | None:
    """The same for a bulletin that is stored, by the newest consignment that the log showed."""
    header = db.row("SELECT header FROM bulletins WHERE id = ?", (bulletin,))
    found = _newest(db, logs, bulletin, agency)
    if header is None or found is None:
        return None  # nothing of it is here: whoever asks finds out by the rest of its row
    consignment = msgpack_decoder(Consignment).decode(found[1])
    parsed = decode(Header, header[0], LIMITS.header_bytes, "header")
    return held_back(logs, agency, parsed, consignment.node_key, mailbox_key, now)


def released_against(db: Database, logs: Logs, agency: str, effects: Effects) -> list[SaphanError]:
    """Handovers of this agency's bulletins in a frame that the broker should have refused."""
    here: dict[tuple[bytes, str], Seen] = {}
    alarms: list[SaphanError] = []
    for seen in effects.seen:
        pair = seen.bulletin, seen.entry.recipient
        if seen.entry.sender == agency and seen.consignment is not None:
            here[pair] = seen
        elif seen.entry.sender == agency and seen.event == Event.HANDOVER:
            error = _released(db, logs, seen, here.get(pair), effects.check)
            if error is not None:
                alarms.append(_differs(seen, error))
    return alarms


def _released(
    db: Database, logs: Logs, seen: Seen, consigned: Seen | None, check: FeedCheck
) -> Refused | None:
    """Judged as the broker had to: at its entry's time, by the anchor before it."""
    at = logs.judged_at(seen.index, check)
    recipient = seen.entry.recipient
    if consigned is None:
        found = _newest(db, logs, seen.bulletin, recipient)
    else:
        found = consigned.index, consigned.raw.statement
    header = db.row("SELECT header FROM bulletins WHERE id = ?", (seen.bulletin,))
    if found is None or header is None or logs.judged_at(found[0], check) == at:
        return None  # not of this store; or admitted by the very directory that judges now
    consignment = msgpack_decoder(Consignment).decode(found[1])
    parsed = decode(Header, header[0], LIMITS.header_bytes, "header")
    mailbox = next(r.mailbox_key for r in consignment.recipients if r.agency == recipient)
    facts = Facts(logs.directory, seen.entry.time, at)
    try:
        with logs.lock:
            check_release(parsed, recipient, consignment.node_key, mailbox, facts)
    except Refused as error:
        return error
    return None


def _newest(db: Database, logs: Logs, bulletin: bytes, recipient: str) -> tuple[int, bytes] | None:
    """Index and bytes of the newest consignment that the present log showed."""
    return db.row(
        "SELECT idx - ?3, statement FROM entries WHERE bulletin = ?1 AND recipient = ?2"
        " AND idx >= ?3 AND event IN ('submitted', 'consigned') ORDER BY idx DESC LIMIT 1",
        (bulletin, recipient, logs.first),
    )


def _differs(seen: Seen, error: Refused) -> OperatorError:
    return OperatorError(
        "release_differs",
        f"entry {seen.index}: the broker let {seen.entry.recipient} have bulletin "
        f"{seen.bulletin.hex()[:16]}, which it had to refuse: {error.message}",
        hint="show it to the auditor; give the order or the revocation to your partner by hand",
    )
