"""One feed entry, parsed: what it is about, who says it, which leaf the log must hold for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_protocol.admission import due_day, measure
from saphan_protocol.delivery import check_corridor, issuers_of
from saphan_protocol.evidence import (
    CONSIGNMENT_TYPE,
    MAX_ENTRY_BYTES,
    entry_leaf,
    leaf_of,
    statement_leaf,
)
from saphan_protocol.identity import identity, record_identity
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import FeedEntry
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    BatchSignature,
    Blob,
    Bulletin,
    Consignment,
    Entry,
    Event,
    Header,
    Statement,
    statement_record,
)

SUBMITTED: Final = "submitted"
CONSIGNED: Final = "consigned"


@dataclass(slots=True)
class Seen:
    """A feed entry with its records.

    Attributes:
        event: an Event's value; SUBMITTED until `leaf` tells a first consignment from a later one.
        consignment, statement: exactly one of both.
        blob: measure of the ciphertext that came with a consignment.
        batch: the signature that vouches for the record, once it was verified.
    """

    raw: FeedEntry
    entry: Entry
    event: str
    issuer: str
    bulletin: bytes
    code: str | None
    consignment: Consignment | None
    statement: Statement | None
    blob: Blob | None = None
    batch: BatchSignature | None = None

    @property
    def index(self) -> int:
        """Index in the evidence log."""
        return self.raw.index

    @property
    def target(self) -> int | None:
        """The `submitted` leaf that a destruction, a hold or a release names."""
        return getattr(self.statement, "target", None)

    def is_handover_of(self, agency: str) -> bool:
        """Whether it is this agency's own handover: its stanza comes with it."""
        return self.event == Event.HANDOVER and self.issuer == agency

    def leaf(self, first: bool, header: bytes | None) -> bytes:
        """The leaf that the log must hold for this entry.

        Args:
            first: whether a consignment is the first of its bulletin in its corridor.
            header: exact bytes of the bulletin's header, for the due-day of a first one.

        Raises:
            InvalidInput: `header_missing`, codec codes.
        """
        raw, entry = self.raw, self.entry
        if self.consignment is None or not first:
            if self.consignment is not None:
                self.event = CONSIGNED
            return statement_leaf(entry, raw.entry, raw.statement, raw.salt)
        if header is None:
            raise InvalidInput(
                "header_missing",
                f"the entry at {raw.index} comes without its header",
                field="header",
            )
        due = due_day(decode(Header, header, LIMITS.header_bytes, "header"))
        return entry_leaf(leaf_of(entry, True), raw.entry, raw.salt, due)


def parse_entry(raw: FeedEntry) -> Seen:
    """Parse an entry and the record beside it.

    Raises:
        InvalidInput: codec codes, `entry_statement`, `entry_type`, `entry_issuer`, `bulletin_id`.
        Refused: `corridor_wrong`.
    """
    entry = decode(Entry, raw.entry, MAX_ENTRY_BYTES, "entry")
    if identity(entry.type, raw.statement) != entry.statement:
        raise InvalidInput(
            "entry_statement",
            f"the entry at {raw.index} is about another statement than the one beside it",
            field="statement",
        )
    if entry.type == CONSIGNMENT_TYPE:
        record = decode(Consignment, raw.statement, LIMITS.consignment_bytes, "consignment")
        blob = _check_bytes(raw, record)
        return Seen(raw, entry, SUBMITTED, entry.sender, record.bulletin, None, record, None, blob)
    event = Event[leaf_of(entry, False).name]
    check_corridor(event, entry.sender, entry.recipient)
    statement = decode(statement_record(event), raw.statement, LIMITS.statement_bytes, "statement")
    if statement.issuer not in issuers_of(event, entry.sender, entry.recipient):
        raise InvalidInput(
            "entry_issuer", f"{statement.issuer} cannot state {event}", field="statement.issuer"
        )
    code, bulletin = statement.code, statement.bulletin
    return Seen(raw, entry, event.value, statement.issuer, bulletin, code, None, statement)


def _check_bytes(raw: FeedEntry, record: Consignment) -> Blob | None:
    """Bytes that changed on the way are no bulletin: the frame is refused and asked for again.

    `admit` would refuse them too, but as what the broker admitted, and that is final.
    """
    if raw.header is None or raw.ciphertext is None:
        return None
    given = raw.ciphertext
    blob = given if isinstance(given, Blob) else measure(given)
    made = Bulletin(record_identity(Header, raw.header), blob, raw.attachments)
    if record_identity(Bulletin, encode(made)) != record.bulletin:
        raise InvalidInput(
            "bulletin_id",
            f"header and ciphertext at {raw.index} do not make the consigned bulletin id",
            field="ciphertext",
            hint="they changed on the line, or the broker is at fault; they are asked for again",
        )
    return blob
