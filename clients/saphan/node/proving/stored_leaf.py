"""The leaf of a stored entry: what a path that comes later has to lead from."""

from __future__ import annotations

from saphan_protocol.admission import due_day
from saphan_protocol.evidence import MAX_ENTRY_BYTES, entry_leaf, statement_leaf
from saphan_protocol.merkle import leaf_hash
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Entry, Header, LeafType

from saphan.node.feed_entry import SUBMITTED


def stored_leaf(
    event: str, entry: bytes, salt: bytes, statement: bytes, header: bytes | None
) -> bytes | None:
    """Hash of the leaf that the log must hold for a stored entry; None where what it is made of is
    lost or damaged."""
    try:
        if event != SUBMITTED:
            record = decode(Entry, entry, MAX_ENTRY_BYTES, "entry")
            return leaf_hash(statement_leaf(record, entry, statement, salt))
        if header is None:
            return None
        due = due_day(decode(Header, header, LIMITS.header_bytes, "header"))
    except InvalidInput:
        return None
    return leaf_hash(entry_leaf(LeafType.SUBMITTED, entry, salt, due))
