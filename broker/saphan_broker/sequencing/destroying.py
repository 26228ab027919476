"""The broker's word that it has destroyed, and held stanzas under a later day's key.

Both are judged against the facts as they stand in the commit: what a hold, a late step or an
earlier destruction has changed since the sweep looked is left as it is, without an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace
from saphan_protocol.delivery import TERMINAL, State
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import BROKER, Event, LeafType, statement_type

from saphan_broker.at_rest import open_stanza_row
from saphan_broker.sequencing.facts import Wanted
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.own_words import broker_statement
from saphan_broker.sequencing.work import Destruction, Logged, Outcome, Rejected, Rewrapping
from saphan_broker.state import Random
from saphan_broker.store.base import DeliveryRow

CODE = "due"


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Deliveries whose due-day has come, on witnessed time."""

    due: Destruction

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        for row in self.due.rows:
            wanted.bulletins.add(row.bulletin)
            wanted.whole.add(row.bulletin)
            wanted.corridors.add((row.sender, row.recipient))

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Log `destroyed` for each that nothing keeps; its stanza goes in the same commit."""
        rows = (ledger.known.deliveries.get((one.bulletin, one.recipient)) for one in self.due.rows)
        return Logged(
            tuple(
                _destroy(ledger, random, row)
                for row in rows
                if row is not None and self._destroyable(row)
            )
        )

    def _destroyable(self, row: DeliveryRow) -> bool:
        fine = row.destroyed is None and row.holds == 0 and row.due_day <= self.due.day
        return fine and row.deadline is None and State(row.state) in TERMINAL


def _destroy(ledger: Ledger, random: Random, row: DeliveryRow) -> int:
    facts = ledger.known.bulletins[row.bulletin]
    body, statement_id = broker_statement(
        Event.DESTROYED, row.bulletin, facts.ciphertext_digest, ledger.time, CODE, row.submitted
    )
    index = ledger.enter(
        (row.sender, row.recipient),
        LeafType.DESTROYED,
        statement_type(Event.DESTROYED),
        body,
        statement_id,
        issuer=BROKER,
        bulletin=row.bulletin,
        salt=random(32),
        target=row.submitted,
    )
    ledger.destroy(replace(row, destroyed=index))
    return index


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """Held deliveries whose stanzas are still under the key of a day that is over."""

    due: Rewrapping

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        wanted.stanzas.update(self.due.keys)

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Wrap anew what is still there: no entry, for nothing has happened to the delivery.

        One that does not open keeps its day's key, and its neighbours do not wait for it.
        """
        failed: OperatorError | None = None
        for key in self.due.keys:
            row = ledger.known.stanzas.get(key)
            if row is None or row.due_day >= self.due.day:
                continue
            try:
                ledger.stanza(*key, self.due.day, open_stanza_row(ledger.keys, row))
            except OperatorError as error:
                failed = error
        return Logged(()) if failed is None else Rejected(failed)
