"""What was said under a key that is revoked by now: its maker may send it again, for its answer.

A node changes its key, and its records live on for years. The log holds what the old key said
while it was active; the very same bytes get their first answer, and change nothing. Anything else
under that key is refused, as always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.codec import decode
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, statement_record, statement_type

from saphan_broker.sequencing.facts import Wanted
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.work import Logged, Outcome, Rejected, Stated, Submitted
from saphan_broker.state import Random

KEY_ENDED: Final = "key_revoked"


@dataclass(frozen=True, slots=True)
class SaidBefore:
    """An item that admission refused because its key has ended, with where it may be logged."""

    bulletin: bytes
    statement: bytes
    agencies: tuple[str, ...]
    error: SaphanError

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        wanted.bulletins.add(self.bulletin)
        wanted.statements.update(
            (self.bulletin, self.statement, agency) for agency in self.agencies
        )

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Its first answer, or the refusal."""
        first = ledger.known.first_answer(self.bulletin, self.statement, self.agencies)
        return Rejected(self.error) if first is None else Logged(first)


def said_before(item: Submitted | Stated, error: SaphanError) -> SaidBefore:
    """The item as it is judged after admission refused it.

    Raises:
        SaphanError: the error itself, if it is another one than that the key has ended.
    """
    if error.code != KEY_ENDED:
        raise error
    # Who sends it is its maker: admission compares that before it looks at the key.
    if isinstance(item, Submitted):
        body = item.submission.consignment
        consignment = decode(Consignment, body, LIMITS.consignment_bytes, "consignment")
        agencies = tuple(ref.agency for ref in consignment.recipients)
        name = identity(CONSIGNMENT_TYPE, body)
        return SaidBefore(consignment.bulletin, name, agencies, error)
    said = item.item
    statement = decode(
        statement_record(said.event), said.statement, LIMITS.statement_bytes, "statement"
    )
    name = identity(statement_type(said.event), said.statement)
    return SaidBefore(statement.bulletin, name, (said.recipient,), error)
