"""The rows of the store in memory: what a commit may change in them, and how they age."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace
from saphan_schemas.records import BatchSignature

from saphan_broker.store.base import (
    BODY_EVENTS,
    STANZA_EVENTS,
    BulletinFacts,
    BulletinRow,
    Commit,
    DayCount,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    FeedRow,
    HoldKey,
    HoldRow,
    SignatureKey,
    StanzaRow,
    StatementKey,
)
from saphan_broker.store.checks import check_destruction


class Rows:
    """Everything beside leaves, tiles, heads and corridor ends; plain containers."""

    def __init__(self) -> None:
        self.entries: list[EntryRow] = []
        self.bulletins: dict[bytes, BulletinRow] = {}
        self.nonces: dict[tuple[str, bytes], bytes] = {}
        self.deliveries: dict[DeliveryKey, DeliveryRow] = {}
        self.stanzas: dict[DeliveryKey, StanzaRow] = {}
        self.statements: dict[StatementKey, int] = {}
        self.holds: dict[HoldKey, HoldRow] = {}
        self.signatures: dict[SignatureKey, BatchSignature] = {}
        self.mailboxes: dict[str, list[EntryRow]] = {}
        self.admitted = 0
        """Bulletins that ever were here."""
        self._named: dict[SignatureKey, int] = {}
        """Of each signature the last record day of the commits that named it."""

    def check(self, commit: Commit) -> None:
        """Refuse what would damage another engine; a bug of the caller.

        Raises:
            RuntimeError: nothing was changed.
        """
        known = set(self.bulletins)
        nonces = set(self.nonces)
        for row in commit.bulletins:
            if row.id in known or (row.sender, row.nonce) in nonces:
                raise RuntimeError("commit: a bulletin or its nonce is already stored")
            known.add(row.id)
            nonces.add((row.sender, row.nonce))
        deliveries = {(row.bulletin, row.recipient) for row in commit.deliveries}
        for delivery in commit.deliveries:
            if delivery.bulletin not in known:
                raise RuntimeError("commit: a delivery of an unknown bulletin")
            if not delivery.submitted <= delivery.last < commit.head.size:
                raise RuntimeError("commit: a delivery names an index that is not logged")
        for stanza in commit.stanzas:
            key = (stanza.bulletin, stanza.recipient)
            if key not in deliveries and key not in self.deliveries:
                raise RuntimeError("commit: a stanza without a delivery")
        days = [row.record_day for row in [*self.entries[-1:], *commit.entries]]
        if days != sorted(days):
            raise RuntimeError("commit: an entry's record day falls below that of the one before")
        check_destruction(commit, self.deliveries, self.holds)

    def apply(self, commit: Commit) -> None:
        """Change everything as a commit says; cannot fail after `check`."""
        self.entries += commit.entries
        for entry in commit.entries:
            for agency in {entry.sender, entry.recipient}:
                self.mailboxes.setdefault(agency, []).append(entry)
        for row in commit.bulletins:
            self.bulletins[row.id] = row
            self.nonces[row.sender, row.nonce] = row.id
        self.admitted += len(commit.bulletins)
        for delivery in commit.deliveries:
            self.deliveries[delivery.bulletin, delivery.recipient] = delivery
        for stanza in commit.stanzas:
            self.stanzas[stanza.bulletin, stanza.recipient] = stanza
        for hold in commit.holds:
            self.holds[hold.target, hold.order] = hold
        for statement, index in commit.statements.items():
            self.statements.setdefault(statement, index)
        self._apply_signatures(commit)
        for key in commit.destroyed:
            self.stanzas.pop(key, None)
        for id_ in commit.bodiless:
            self.bulletins[id_] = replace(self.bulletins[id_], ciphertext=b"")

    def _apply_signatures(self, commit: Commit) -> None:
        day = max((row.record_day for row in commit.entries), default=0)
        for signature in commit.signatures:
            key = (signature.key, signature.size, signature.root)
            self.signatures.setdefault(key, signature)
            self._named[key] = max(day, self._named.get(key, 0))

    # --- reading ---------------------------------------------------------------------------------

    def facts(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
        """Facts of bulletins, without their bodies."""
        return {id_: _facts(self.bulletins[id_]) for id_ in ids if id_ in self.bulletins}

    def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        """Every delivery of each bulletin, by recipient."""
        rows: dict[bytes, list[DeliveryRow]] = {id_: [] for id_ in ids}
        for _key, row in sorted(self.deliveries.items()):
            if row.bulletin in rows:
                rows[row.bulletin].append(row)
        return {id_: found for id_, found in rows.items() if found}

    def holds_of(self, ids: Iterable[bytes]) -> dict[bytes, list[HoldRow]]:
        """Every hold on a delivery of each bulletin, by (target, order)."""
        rows: dict[bytes, list[HoldRow]] = {id_: [] for id_ in ids}
        for _key, row in sorted(self.holds.items()):
            if row.bulletin in rows:
                rows[row.bulletin].append(row)
        return {id_: found for id_, found in rows.items() if found}

    def feed_row(self, agency: str, entry: EntryRow) -> FeedRow:
        """An entry for one agency, with what it may have with it."""
        if entry.bulletin is None or entry.recipient != agency:
            return FeedRow(entry, None, None)
        delivery = self.deliveries.get((entry.bulletin, agency))
        if delivery is not None and delivery.destroyed is not None:
            return FeedRow(entry, None, None)
        body = entry.event in BODY_EVENTS
        release = entry.event in STANZA_EVENTS
        return FeedRow(
            entry,
            self.bulletins.get(entry.bulletin) if body else None,
            self.stanzas.get((entry.bulletin, agency)) if release else None,
        )

    def destroyable(self, day: int, limit: int) -> list[DeliveryRow]:
        """Deliveries that are due and that nothing keeps."""
        rows = [
            row
            for row in self._undestroyed()
            if row.due_day <= day and row.deadline is None and not row.holds
        ]
        return sorted(rows, key=lambda row: (row.due_day, row.submitted))[:limit]

    def stanzas_due(self, below_day: int, limit: int) -> list[StanzaRow]:
        """Stanzas of held deliveries, wrapped under a day that is over."""
        held = [self.stanzas.get((row.bulletin, row.recipient)) for row in self._held()]
        rows = [row for row in held if row is not None and row.due_day < below_day]
        return sorted(rows, key=lambda row: row.due_day)[:limit]

    def first_undestroyed(self) -> int | None:
        """The earliest day whose key something still needs."""
        days = [self._day(key, row) for key, row in self.stanzas.items()]
        return min([*days, *(row.record_day for row in self.entries[:1])], default=None)

    def _day(self, key: DeliveryKey, row: StanzaRow) -> int:
        delivery = self.deliveries[key]
        return row.due_day if delivery.holds else min(row.due_day, delivery.due_day)

    def due_counts(self, upto_day: int) -> list[DayCount]:
        """What is due, by day."""
        rows = [row for row in self._undestroyed() if row.due_day <= upto_day]
        return [
            _day_count(day, [row for row in rows if row.due_day == day], self.bulletins)
            for day in sorted({row.due_day for row in rows})
        ]

    def _undestroyed(self) -> list[DeliveryRow]:
        return [row for row in self.deliveries.values() if row.destroyed is None]

    def _held(self) -> list[DeliveryRow]:
        return [row for row in self._undestroyed() if row.holds]

    # --- aging -----------------------------------------------------------------------------------

    def forget(self, before_day: int, limit: int) -> int:
        """Remove what is older; how many things."""
        gone = [row for row in self.entries if row.record_day < before_day][:limit]
        self._forget_entries(gone)
        done = len(gone)
        old = [row for row in self.bulletins.values() if row.record_day < before_day]
        for row in old:
            if done >= limit:
                return done
            done += self._forget_bulletin(row)
        for key in [key for key, day in self._named.items() if day < before_day]:
            if done >= limit:
                return done
            del self._named[key], self.signatures[key]
            done += 1
        return done

    def _forget_entries(self, gone: list[EntryRow]) -> None:
        indices = {row.index for row in gone}
        self.entries = self.entries[len(gone) :]
        for agency, box in list(self.mailboxes.items()):
            kept = [row for row in box if row.index not in indices]
            if kept:
                self.mailboxes[agency] = kept
            else:
                del self.mailboxes[agency]
        for key in [key for key, index in self.statements.items() if index in indices]:
            del self.statements[key]

    def _forget_bulletin(self, row: BulletinRow) -> int:
        """Its header; and all of it, unless a hold keeps a delivery."""
        deliveries = [key for key in self.deliveries if key[0] == row.id]
        if any(self.deliveries[key].destroyed is None for key in deliveries):
            self.bulletins[row.id] = replace(row, header=b"")
            return int(bool(row.header))
        for key in deliveries:
            del self.deliveries[key]
        for hold in [key for key, held in self.holds.items() if held.bulletin == row.id]:
            del self.holds[hold]
        del self.bulletins[row.id], self.nonces[row.sender, row.nonce]
        return 1


def _day_count(day: int, rows: list[DeliveryRow], bulletins: dict[bytes, BulletinRow]) -> DayCount:
    free = [row for row in rows if not row.holds]
    ids = {row.bulletin for row in free}
    size = sum(
        bulletins[id_].ciphertext_length + sum(blob.length for blob in bulletins[id_].attachments)
        for id_ in ids
    )
    return DayCount(day, len(free), size, len(rows) - len(free))


def _facts(row: BulletinRow) -> BulletinFacts:
    return BulletinFacts(*(getattr(row, name) for name in BulletinFacts.__struct_fields__))
