"""One feed entry, parsed: what it is about, who says it, which leaf the log must hold for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.admission import due_day
from saphan_protocol.evidence import CONSIGNMENT_TYPE, MAX_ENTRY_BYTES, entry_leaf, leaf_of
from saphan_protocol.identity import identity
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import FeedEntry
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BROKER, Consignment, Entry, Event, Header, Statement

SUBMITTED: Final = "submitted"
CONSIGNED: Final = "consigned"


@dataclass(frozen=True, slots=True)
class Seen:
    """A feed entry with its records; `event` is SUBMITTED, CONSIGNED or an Event's value."""

    raw: FeedEntry
    entry: Entry
    event: str
    issuer: str
    bulletin: bytes
    code: str | None
    consignment: Consignment | None
    statement: Statement | None
    leaf: bytes

    @property
    def index(self) -> int:
        """Index in the evidence log."""
        return self.raw.index


def parse_entry(
    raw: FeedEntry, first: Callable[[bytes, Entry], bool], header: Callable[[bytes], bytes | None]
) -> Seen:
    """Parse an entry and make the leaf that the log must hold for it.

    Args:
        first: whether a consignment of this bulletin is the first one in its corridor.
        header: exact bytes of a known bulletin's header, for its due-day.

    Raises:
        InvalidInput: codec codes, `entry_statement`, `entry_type`, `header_missing`.
    """
    entry = decode(Entry, raw.entry, MAX_ENTRY_BYTES, "entry")
    if identity(entry.type, raw.statement) != entry.statement:
        raise InvalidInput(
            "entry_statement",
            f"the entry at {raw.index} is about another statement than the one beside it",
            field="statement",
        )
    if entry.type == CONSIGNMENT_TYPE:
        return _consigned(raw, entry, first, header)
    kind = leaf_of(entry, False)
    statement = decode(Statement, raw.statement, LIMITS.statement_bytes, "statement")
    event = Event[kind.name]
    if (statement.issuer == BROKER) != (event in (Event.EXPIRED, Event.REFUSED)):
        raise InvalidInput(
            "entry_issuer", f"{statement.issuer} cannot state {event}", field="statement.issuer"
        )
    leaf = entry_leaf(kind, raw.entry, raw.salt)
    return Seen(
        raw, entry, event.value, statement.issuer, statement.bulletin, statement.code, None,
        statement, leaf,
    )  # fmt: skip


def _consigned(
    raw: FeedEntry,
    entry: Entry,
    first: Callable[[bytes, Entry], bool],
    header: Callable[[bytes], bytes | None],
) -> Seen:
    record = decode(Consignment, raw.statement, LIMITS.consignment_bytes, "consignment")
    new = first(record.bulletin, entry)
    due = None
    if new:
        data = raw.header if raw.header is not None else header(record.bulletin)
        if data is None:
            raise InvalidInput(
                "header_missing",
                f"the entry at {raw.index} comes without its header",
                field="header",
            )
        due = due_day(decode(Header, data, LIMITS.header_bytes, "header"))
    leaf = entry_leaf(leaf_of(entry, new), raw.entry, raw.salt, due)
    event = SUBMITTED if new else CONSIGNED
    return Seen(raw, entry, event, entry.sender, record.bulletin, None, record, None, leaf)
