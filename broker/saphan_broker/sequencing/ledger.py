"""The rows of one evidence commit while its items are judged, numbered in their corridors."""

from __future__ import annotations

from saphan_protocol.evidence import anchor_leaf, entry_leaf
from saphan_protocol.quota import UNUSED, Use, spend
from saphan_schemas.codec import encode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature, Entry, LeafType, SignatureItem

from saphan_broker.at_rest import KeptRecord, seal_header, seal_record, seal_stanza_row
from saphan_broker.clock import day_of
from saphan_broker.once import UNASKED
from saphan_broker.quotas import Quotas
from saphan_broker.seeds import DayKeys
from saphan_broker.sequencing.facts import Known
from saphan_broker.store.base import (
    AnchorRow,
    BulletinFacts,
    BulletinRow,
    Corridor,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    HoldKey,
    HoldRow,
    SignatureKey,
    StanzaRow,
    StatementKey,
)


class Ledger:
    """Collects what a commit will hold; nothing is durable before the commit.

    Args:
        known: the facts, kept up to date with every entry.
        start: evidence index of the first new leaf.
        time: time of every entry of this commit (ms), not below any entry before.
        keys: day keys under which records, headers and stanzas are sealed.
        quotas: how much each agency may have logged.
    """

    def __init__(self, known: Known, start: int, time: int, keys: DayKeys, quotas: Quotas) -> None:
        self.known = known
        self.time = time
        self.keys = keys
        self.record_day = day_of(time) + LIMITS.record_days
        self.leaves: list[bytes] = []
        self.entries: list[EntryRow] = []
        self.bulletins: list[BulletinRow] = []
        self.deliveries: dict[DeliveryKey, DeliveryRow] = {}
        self.stanzas: dict[DeliveryKey, StanzaRow] = {}
        self.statements: dict[StatementKey, int] = {}
        self.corridors: dict[Corridor, tuple[int, int]] = {}
        self.signatures: dict[SignatureKey, BatchSignature] = {}
        self.anchors: list[AnchorRow] = []
        self.used: dict[str, Use] = {}
        self.holds: dict[HoldKey, HoldRow] = {}
        self.destroyed: list[DeliveryKey] = []
        self.bodiless: list[bytes] = []
        self._start = start
        self._quotas = quotas

    @property
    def next_index(self) -> int:
        """Evidence index of the next leaf."""
        return self._start + len(self.leaves)

    def anchor(self, size: int, root: bytes) -> None:
        """State the directory log's signed head; what follows is judged by it."""
        self.anchors.append(AnchorRow(self.next_index, size, root))
        self.leaves.append(anchor_leaf(size, root))

    def enter(
        self,
        corridor: Corridor,
        leaf: LeafType,
        kind: str,
        statement: bytes,
        statement_id: bytes,
        *,
        issuer: str,
        bulletin: bytes,
        salt: bytes,
        item: SignatureItem | None = None,
        due_day: int | None = None,
        target: int | None = None,
    ) -> int:
        """Add one entry about a statement of PAE type `kind`; gives its index."""
        index = self.next_index
        number, previous = self.known.corridors.get(corridor, (0, None))
        entry = encode(Entry(*corridor, number + 1, previous, self.time, kind, statement_id))
        record = KeptRecord(entry, statement, item, salt)
        self.leaves.append(entry_leaf(leaf, entry, salt, due_day, target))
        self.entries.append(
            EntryRow(
                index=index,
                sender=corridor[0],
                recipient=corridor[1],
                number=number + 1,
                event=leaf.name.lower(),
                bulletin=bulletin,
                issuer=issuer,
                time=self.time,
                record_day=self.record_day,
                record=seal_record(self.keys, index, self.record_day, record),
            )
        )
        self.known.corridors[corridor] = self.corridors[corridor] = (number + 1, index)
        if leaf.name.lower() not in UNASKED:
            key = (bulletin, statement_id, corridor[1])
            self.known.statements[key] = self.statements[key] = index
        return index

    def bulletin(self, facts: BulletinFacts, header: bytes, ciphertext: bytes) -> None:
        """Keep a new bulletin with its bodies."""
        self.bulletins.append(
            BulletinRow(
                id=facts.id,
                sender=facts.sender,
                nonce=facts.nonce,
                header_identity=facts.header_identity,
                ciphertext_length=facts.ciphertext_length,
                ciphertext_digest=facts.ciphertext_digest,
                due_day=facts.due_day,
                record_day=facts.record_day,
                expires=facts.expires,
                attachments=facts.attachments,
                header=seal_header(self.keys, facts.id, facts.record_day, header),
                ciphertext=ciphertext,
            )
        )
        self.known.bulletins[facts.id] = facts
        self.known.nonces[facts.sender, facts.nonce] = facts

    def charge(self, agency: str, size: int = 0, deliveries: int = 0) -> None:
        """Count a record on an agency's quota (admission, step 14), before it is entered.

        Args:
            size: bytes kept of a bulletin, or of the record of a refusal.
            deliveries: that `delivery` will be told of, and no other was before.

        Raises:
            Unavailable: `quota_*`; nothing is counted.
        """
        use = self.known.used.get(agency, UNUSED)
        use = spend(self._quotas.of(agency), use, self.time, size, deliveries)
        # What they open is counted where it is entered, as every change of a delivery is.
        self._use(agency, use._replace(open=use.open - deliveries))

    def delivery(self, row: DeliveryRow) -> None:
        """Set where a delivery stands."""
        key = (row.bulletin, row.recipient)
        before = self.known.deliveries.get(key)
        opened = (row.deadline is not None) - (before is not None and before.deadline is not None)
        if opened:
            use = self.known.used.get(row.sender, UNUSED)
            self._use(row.sender, use._replace(open=use.open + opened))
        self.known.deliveries[key] = self.deliveries[key] = row

    def stanza(self, bulletin: bytes, recipient: str, due_day: int, stanza: bytes) -> None:
        """Keep the newest stanza of a delivery."""
        key = bulletin, recipient
        row = seal_stanza_row(self.keys, bulletin, recipient, due_day, stanza)
        self.known.stanzas[key] = self.stanzas[key] = row

    def hold(self, row: HoldRow) -> None:
        """A hold stands, or has ended."""
        key = row.target, row.order
        self.known.holds[key] = self.holds[key] = row

    def destroy(self, row: DeliveryRow) -> None:
        """Take a delivery's stanza away; with its bulletin's last one the ciphertext, too.

        Args:
            row: as it is after that.
        """
        key = row.bulletin, row.recipient
        self.delivery(row)
        self.stanzas.pop(key, None)
        self.known.stanzas.pop(key, None)
        self.destroyed.append(key)
        others = self.known.recipients.get(row.bulletin, ())
        rows = (self.known.deliveries[row.bulletin, other] for other in others)
        if all(one.destroyed is not None for one in rows):
            self.bodiless.append(row.bulletin)

    def _use(self, agency: str, use: Use) -> None:
        self.known.used[agency] = self.used[agency] = use

    def signature(self, batch: BatchSignature) -> None:
        """Keep the signature that vouches for an entered item."""
        self.signatures[batch.key, batch.size, batch.root] = batch
