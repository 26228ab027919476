"""The leaf of a consignment whose header is not here any more: only its due-day is not known.

A node that was down over a bulletin's due-day meets what the broker has destroyed; after a restore
its own bulletins as well that its store has lost. The leaf commits to the entry, which is here; the
one number that is missing is tried: the entry is included under the signed head with one due-day,
or with none.
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


def find_leaf(seen: Seen, head: Head, last: int | None) -> bytes:
    """The leaf of a consignment without its header; about 30 us for each day that is tried.

    Args:
        last: the latest due-day that it may have, days since 1970-01-01; None: any.

    Raises:
        InvalidInput: `header_missing`, where no day fits: the line or the broker is at fault.
    """
    for leaf, first in _candidates(seen, last):
        try:
            verify_inclusion(seen.index, head.size, leaf_hash(leaf), seen.raw.path, head.root)
        except InvalidInput:
            continue
        if not first:
            seen.event = CONSIGNED
        return leaf
    raise InvalidInput(
        "header_missing",
        f"the entry at {seen.index} comes without its header, and no due-day that has come fits it",
        field="header",
    )


def _candidates(seen: Seen, last: int | None) -> Iterator[tuple[bytes, bool]]:
    raw, entry = seen.raw, seen.entry
    yield statement_leaf(entry, raw.entry, raw.statement, raw.salt), False
    start = entry.time // DAY_MS
    stop = start + DAYS if last is None else min(start + DAYS, last)
    for day in range(start, stop + 1):
        yield entry_leaf(leaf_of(entry, True), raw.entry, raw.salt, day), True
