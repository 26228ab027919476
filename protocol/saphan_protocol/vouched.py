"""What the broker says itself: statements without a signature, for which the log's head vouches.

Which key that was, is in the note over the entry: the head's own signature lines name it.
"""

from __future__ import annotations

from saphan_schemas.codec import decode
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Entry, Event, SignatureItem, Statement, statement_record

from saphan_protocol.delivery import check_corridor, check_said, check_stated, issuers_of


def check_vouched(event: Event, body: bytes, item: SignatureItem | None, entry: Entry) -> Statement:
    """Judge a statement of the broker's own as its entry shows it; steps of receipts.md.

    Raises:
        InvalidInput: codec codes.
        Refused: `issuer_wrong`, `code_unknown`, `detail_malformed`, `corridor_wrong`,
            `stated_in_future`.
    """
    statement = decode(statement_record(event), body, LIMITS.statement_bytes, "statement")
    wanted = issuers_of(event, entry.sender, entry.recipient)
    if statement.issuer not in wanted or item is not None:
        raise Refused(
            "issuer_wrong", f"{statement.issuer} cannot state {event}", field="statement.issuer"
        )
    check_said(event, statement)
    check_corridor(event, entry.sender, entry.recipient)
    check_stated(statement, entry.time)
    return statement
