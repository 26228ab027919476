"""Whether a received bulletin may be handed over now: the rule of the broker and of the auditor."""

from __future__ import annotations

from typing import Final

import msgspec
from saphan_protocol.admission_steps import Facts
from saphan_protocol.agreement import covers
from saphan_protocol.directory import Directory
from saphan_protocol.release import check_release
from saphan_schemas.codec import decode
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Header

from saphan.node.db import Database
from saphan.node.logs import Logs

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
    body = db.row(
        "SELECT statement FROM entries WHERE bulletin = ? AND recipient = ?"
        " AND event IN ('submitted', 'consigned') ORDER BY idx DESC LIMIT 1",
        (bulletin, agency),
    )
    if header is None or body is None:
        return None  # nothing of it is here: whoever asks finds out by the rest of its row
    consignment = msgspec.msgpack.decode(body[0], type=Consignment)
    parsed = decode(Header, header[0], LIMITS.header_bytes, "header")
    return held_back(logs, agency, parsed, consignment.node_key, mailbox_key, now)
