"""What a store keeps, as plain rows, and a commit as data (docs/adr/0003-commit-is-data.md).

Fields called *sealed* are opaque to a store: the broker wraps them under day keys before the
commit and unwraps them after reading. Times are milliseconds UTC, days are days since 1970-01-01,
indices are positions in the evidence log unless a field says otherwise.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import field
from saphan_schemas.records import BatchSignature, Blobs

Log = Literal["evidence", "directory"]
LOGS: Final[tuple[Log, Log]] = ("directory", "evidence")

BODY_EVENTS: Final = frozenset({"submitted", "consigned"})
"""Entries whose feed row to the recipient carries header and ciphertext."""
STANZA_EVENTS: Final = frozenset({"handover"})
"""Entries whose feed row to the recipient carries the stanza: the record is the release."""

TileKey = tuple[int, int]
"""(level, n) of a C2SP tile; level 0 holds leaf hashes."""
Corridor = tuple[str, str]
"""(sender, recipient)."""
DeliveryKey = tuple[bytes, str]
"""(bulletin id, recipient)."""
StatementKey = tuple[bytes, bytes, str]
"""(bulletin id, statement identity, recipient); an identity occurs with one bulletin only."""
HoldKey = tuple[int, bytes]
"""(index of the `submitted` leaf, hold order)."""
SignatureKey = tuple[bytes, int, bytes]
"""(key id, batch size, batch root)."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """Base of every row. A commit makes and reads them by the thousand, so they are structs, which
    Python's collector need not search: no row can hold itself."""


class LogHead(Row, frozen=True):
    """Number of leaves and root (32 bytes) of a log, signed or not."""

    size: int
    root: bytes


class LogState(Row, frozen=True):
    """The committed (unsigned) head of a log and the time of the commit that made it."""

    head: LogHead
    time: int


class SignedHead(Row, frozen=True):
    """The newest durable signed head: its size and the note's exact bytes."""

    size: int
    note: bytes


class CosignatureRow(Row, frozen=True):
    """The newest cosignature lines of one agency's witness, on the head (size, time)."""

    agency: str
    size: int
    time: int
    lines: bytes


class EntryRow(Row, frozen=True):
    """One evidence entry. `record` is sealed: entry, statement, signature item and salt.

    `record_day` never falls along the log: it is counted from the entry's time.
    """

    index: int
    sender: str
    recipient: str
    number: int
    event: str
    bulletin: bytes | None
    issuer: str
    time: int
    record_day: int
    record: bytes


class BulletinFacts(Row, frozen=True):
    """What decides about a bulletin, without its bodies. `nonce` is the header's 16 bytes.

    Length and digest of the ciphertext, and of each sealed attachment, outlive the bytes: they
    prove the bulletin id in a record pack. The attachments' bytes are in the blob store.
    """

    id: bytes
    sender: str
    nonce: bytes
    header_identity: bytes
    ciphertext_length: int
    ciphertext_digest: bytes
    due_day: int
    record_day: int
    expires: int
    attachments: Blobs


class BulletinRow(BulletinFacts, frozen=True):
    """A bulletin with its bodies: sealed header, and ciphertext exactly as it was submitted.

    The ciphertext is empty once it is destroyed (`Commit.bodiless`); the header proves the records
    and is empty once they are forgotten while a hold keeps the bulletin longer (`Facts.forget`).
    """

    header: bytes
    ciphertext: bytes


class DeliveryRow(Row, frozen=True):
    """The state of one bulletin towards one recipient; upserted whole.

    Args:
        state: a name of the transition table (saphan_protocol.delivery); opaque here.
        submitted: index of the first admission in this corridor.
        last: index of the newest entry that changed the state.
        consignments: how many consignments were admitted, from 1.
        due_day: of the bulletin, fixed at admission; a hold leaves it as it is.
        deadline: the next instant at which time alone acts on this delivery, None when none is
            left; `Facts.due` finds rows by it.
        destroyed: index of its destroyed leaf, None before; set once. Such a row has no deadline,
            no hold and no stanza.
        holds: how many holds stand on it now (`HoldRow` without `released`).
    """

    bulletin: bytes
    recipient: str
    sender: str
    state: str
    submitted: int
    last: int
    consignments: int
    expires: int
    answer_by: int | None
    due_day: int
    deadline: int | None
    destroyed: int | None = None
    holds: int = 0


class HoldRow(Row, frozen=True):
    """One hold order's grip on one delivery; upserted whole by (target, order).

    Args:
        target: index of the delivery's `submitted` leaf.
        order: what the order is called in the log: 32 bytes, opaque here.
        agency: whose order it is.
        held: index of the entry that says it.
        released: index of the entry that ended it, None while it stands.
    """

    target: int
    order: bytes
    agency: str
    bulletin: bytes
    recipient: str
    held: int
    released: int | None


class DayCount(Row, frozen=True):
    """What is due on one day and not destroyed yet.

    Args:
        deliveries: without a hold.
        bytes: of ciphertexts and attachments of the bulletins that these are of, each once.
        held: deliveries that are due, too, and that a hold keeps.
    """

    day: int
    deliveries: int
    bytes: int
    held: int


class StanzaRow(Row, frozen=True):
    """The newest stanza of a delivery, sealed under the key of `due_day`.

    That is the delivery's due-day, or a later one when a hold had it wrapped anew.
    """

    bulletin: bytes
    recipient: str
    due_day: int
    sealed: bytes


class AnchorRow(Row, frozen=True):
    """An anchor leaf of the evidence log: at `index` it names the directory log's size and root."""

    index: int
    size: int
    root: bytes


class FeedRow(Row, frozen=True):
    """One entry for one agency's mailbox, with what that agency may have with it.

    `bulletin` comes with BODY_EVENTS and `stanza` with STANZA_EVENTS, to the recipient only; both
    are None otherwise and once this delivery is destroyed, whoever else may still have the body.
    """

    entry: EntryRow
    bulletin: BulletinRow | None
    stanza: StanzaRow | None

    @property
    def weight(self) -> int:
        """Bytes that this row counts towards a feed's limit."""
        body = len(self.bulletin.header) + len(self.bulletin.ciphertext) if self.bulletin else 0
        return len(self.entry.record) + body + (len(self.stanza.sealed) if self.stanza else 0)


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one commit changes, computed before it: no engine decides anything.

    Args:
        expected: the head this commit was computed on; another one stored means HeadMoved.
        head: the head after it; head.size = expected.size + len(leaves).
        leaves: the new leaves' exact bytes, at expected.size and on.
        tiles: every tile these leaves change, whole: (level, n) -> up to 256 hashes of 32 bytes.
        time: time of the commit; never falls along a log.
        entries: one for each leaf that is an entry (an anchor leaf is none), in index order.
        corridors: new end of each corridor touched: -> (running number, index).
        statements: (bulletin, statement identity, recipient) -> index of its entry; of one that is
            stored already the first index stays: it is the first answer that is given again.
        signatures: every batch signature that an entry of this commit names, stored before or not;
            each is kept until the records of the last such commit are forgotten.
        holds: rows by (target, order), new or replaced; a changed `DeliveryRow.holds` comes with
            them in `deliveries`.
        destroyed: deliveries whose stanza is removed. Each has a row in `deliveries` (with
            `destroyed` set), and keeps all else until it is forgotten. A stanza that is not there
            is no error.
        bodiless: bulletins whose ciphertext is removed: those of which no delivery is undestroyed
            after this commit. One that is gone already is no error.
        packages: agreement packages of the directory log: index of the leaf -> bytes; of these
            leaves, or of earlier ones whose package was lost.
    """

    log: Log
    expected: LogHead
    head: LogHead
    time: int
    leaves: list[bytes]
    tiles: dict[TileKey, bytes]
    entries: list[EntryRow] = field(default_factory=list)
    bulletins: list[BulletinRow] = field(default_factory=list)
    deliveries: list[DeliveryRow] = field(default_factory=list)
    stanzas: list[StanzaRow] = field(default_factory=list)
    signatures: list[BatchSignature] = field(default_factory=list)
    statements: dict[StatementKey, int] = field(default_factory=dict)
    corridors: dict[Corridor, tuple[int, int]] = field(default_factory=dict)
    anchors: list[AnchorRow] = field(default_factory=list)
    packages: dict[int, bytes] = field(default_factory=dict)
    holds: list[HoldRow] = field(default_factory=list)
    destroyed: list[DeliveryKey] = field(default_factory=list)
    bodiless: list[bytes] = field(default_factory=list)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers for metrics; cheap at any size of the store."""

    directory: int
    evidence: int
    bulletins: int
    """That were ever admitted, forgotten ones among them."""
    deliveries_waiting: int
    """Deliveries that still have a deadline."""
