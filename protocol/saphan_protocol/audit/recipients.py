"""All recipients of a consignment under audit: a broker must not leave one out.

The entries of one consignment stand side by side, in its recipients' order (receipts.md). Leaves
show their type, so a missing one is seen also where only one recipient's entry is opened.
What grows here: at most 64 names.
"""

from __future__ import annotations

from typing import Final

import msgspec
from saphan_schemas.errors import Refused
from saphan_schemas.records import Consignment, Entry, LeafType

from saphan_protocol.evidence import Leaf

_CONSIGNMENTS: Final = frozenset({LeafType.SUBMITTED, LeafType.CONSIGNED})


class RecipientsKept(msgspec.Struct, array_like=True):
    """All that `Recipients` knows."""

    run: int
    before: int
    opened: int
    due: dict[int, tuple[bytes, str]]


class Recipients:
    """Part of step O5 that looks at the neighbours of an entry."""

    def __init__(self) -> None:
        self._run = 0
        self._before = 0
        self._opened = -1
        self._due: dict[int, tuple[bytes, str]] = {}

    def see(self, index: int, leaf: Leaf) -> None:
        """The leaf at `index`, opened or not, before `take`; asked for every leaf in order.

        Raises:
            Refused: `recipient_missing`.
        """
        self._due.pop(index - 1, None)
        consignment = leaf.type in _CONSIGNMENTS
        if not consignment:
            self._refuse_due()
        self._before, self._run = self._run, self._run + 1 if consignment else 0

    def take(self, index: int, entry: Entry, consignment: Consignment) -> None:
        """The leaf at `index` was opened: it is this consignment's entry for one recipient.

        Raises:
            Refused: `recipient_missing`.
        """
        names = [ref.agency for ref in consignment.recipients]
        place = names.index(entry.recipient)
        due = self._due.pop(index, None)
        if due is None:
            for step, name in enumerate(names[place + 1 :], 1):
                self._due[index + step] = (entry.statement, name)
            # Nobody opened the entries before this one, which must be those of the names before it.
            if place and (self._opened == index - 1 or self._before < place):
                raise _missing(names[place - 1])
        elif due != (entry.statement, entry.recipient):
            raise _missing(due[1])
        self._opened = index

    def keep(self) -> RecipientsKept:
        """What `again` takes."""
        return RecipientsKept(self._run, self._before, self._opened, self._due)

    def again(self, kept: RecipientsKept) -> None:
        """Go on where an earlier run was."""
        self._run, self._before, self._opened = kept.run, kept.before, kept.opened
        self._due = dict(kept.due)

    def finish(self, size: int) -> None:
        """The log of `size` leaves is over.

        Raises:
            Refused: `recipient_missing`.
        """
        self._due.pop(size - 1, None)
        self._refuse_due()

    def _refuse_due(self) -> None:
        for _statement, name in self._due.values():
            raise _missing(name)


def _missing(name: str) -> Refused:
    return Refused(
        "recipient_missing",
        f"{name} is consigned to, and its entry does not stand beside the others'",
        field="consignment.recipients",
    )
