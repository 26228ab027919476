"""The leaf of a consignment whose header is not here any more: only its due-day is not known.

After a restore a node meets its own bulletins that its store has lost, and bulletins that the
broker has destroyed since. The leaf commits to the entry, which is here; the one number that is
missing is tried: the entry is included under the signed head with one due-day, or with none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_protocol.checkpoint import Head
from saphan_protocol.evidence import entry_leaf, leaf_of, statement_leaf
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.node.feed_entry import CONSIGNED, Seen

DAYS: Final = (LIMITS.max_expiry_ms + LIMITS.skew_ms) // DAY_MS + LIMITS.delivery_grace_days + 1
"""A due-day is at most so long after the admission: min(retain_until, expires + 30 days)."""


def find_leaf(seen: Seen, head: Head) -> bytes:
    """The leaf of a consignment without its header; about 30 us for each day that is tried.

    Raises:
        InvalidInput: `header_missing`, where no day fits: the line or the broker is at fault.
    """
    for leaf, first in _candidates(seen):
        try:
            verify_inclusion(seen.index, head.size, leaf_hash(leaf), seen.raw.path, head.root)
        except InvalidInput:
            continue
        if not first:
            seen.event = CONSIGNED
        return leaf
    raise InvalidInput(
        "header_missing",
        f"the entry at {seen.index} comes without its header, and is in the log with no due-day",
        field="header",
    )


def _candidates(seen: Seen) -> Iterator[tuple[bytes, bool]]:
    raw, entry = seen.raw, seen.entry
    yield statement_leaf(entry, raw.entry, raw.statement, raw.salt), False
    start = entry.time // DAY_MS
    for day in range(start, start + DAYS + 1):
        yield entry_leaf(leaf_of(entry, True), raw.entry, raw.salt, day), True
