"""Names of ETSI EN 319 522 (electronic registered delivery) for the events of a delivery.

A URI is given only where the meaning is the same; elsewhere the name is the nearest one, and what
differs is said. All of it was read in public material about the standard, not in the standard:
a code in its table was *seen* there, or *inferred* from the order of its names.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from saphan_schemas.records import Event

URI: Final = "http://uri.etsi.org/19522/Event/"
CONSIGNMENTS: Final = ("submitted", "consigned")
"""Events that a consignment's leaf names, first and later ones; all others are statements'."""


class Read(enum.StrEnum):
    """How the code of a name is known."""

    SEEN = "seen"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class Name:
    """An event of the standard.

    Args:
        code: its place in the standard's table.
        differs: what ours means otherwise; None where the meaning is the same.
    """

    name: str
    code: str
    read: Read
    differs: str | None

    @property
    def uri(self) -> str | None:
        """Its URI, where the meaning is the same."""
        return URI + self.name if self.differs is None else None


def _expiry(differs: str) -> Name:
    return Name("AcceptanceRejectionExpiry", "C.5", Read.SEEN, differs)


def _no_handover(differs: str) -> Name:
    return Name("ContentHandoverFailure", "E.2", Read.INFERRED, differs)


NAMES: Final[dict[tuple[str, str | None], Name | None]] = {
    ("submitted", None): Name("SubmissionAcceptance", "A.1", Read.SEEN, None),
    ("consigned", None): Name(
        "SubmissionAcceptance", "A.1", Read.SEEN, "the same bulletin again, with a new stanza"
    ),
    (Event.HANDOVER, None): Name(
        "ContentHandover",
        "E.1",
        Read.SEEN,
        "it proves the sealed bytes, not that the key arrived",
    ),
    (Event.UNANSWERED, None): _expiry("a warning: a later answer counts"),
    (Event.UNOPENED, None): _no_handover("the bytes were handed over, the key did not open them"),
    (Event.ACCEPTED, None): Name(
        "ConsignmentAcceptance", "C.3", Read.SEEN, "after opening, and what was opened is well made"
    ),
    (Event.REJECTED, None): Name(
        "ConsignmentRejection", "C.4", Read.SEEN, "after opening, for what was found inside"
    ),
    (Event.READ, None): Name(
        "ContentAccessTracking",
        "E.3",
        Read.INFERRED,
        "the recipient's own word, without the reader's name",
    ),
    (Event.RECALLED, None): None,
    (Event.EXPIRED, "undelivered"): _no_handover("an outcome: nothing can be delivered later"),
    (Event.EXPIRED, "no_outcome"): _expiry("after handover, at the day of destruction"),
    (Event.REFUSED, None): Name("SubmissionRejection", "A.2", Read.SEEN, None),
    (Event.EXPORTED, None): None,
    (Event.DESTROYED, None): None,
    (Event.HELD, None): None,
    (Event.RELEASED, None): None,
    (Event.ERASED, None): None,
    (Event.OBEYED, None): None,
    (Event.DECLINED, None): None,
    (Event.HOLD_ASKED, None): None,
    (Event.HOLD_ANSWERED, None): None,
}
"""By event and code; code None: whatever the code is. None where no event is near."""


def etsi_name(event: str, code: str | None = None) -> Name | None:
    """The same or nearest name for an event, as leaf types and statements name it; None: none.

    Raises:
        KeyError: no such event.
    """
    found = NAMES.get((event, code))
    return found if found is not None or (event, code) in NAMES else NAMES[event, None]
