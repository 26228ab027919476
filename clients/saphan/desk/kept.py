"""The last day of what a desk keeps of each bulletin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.limits import DAY_MS

from saphan.desk.days import HELD
from saphan.desk.desk import Desk
from saphan.desk.store import Shelf

SWEPT: Final = b"swept"
"""Under this name: the day (number) of the last sweep, while nothing was kept since."""


class Kept(Record, frozen=True):
    """What the desk knows of a bulletin's last day (days since 1970-01-01).

    Args:
        sealed: it is shown to nobody; retain: its header's day, beyond which no node can keep it.
    """

    day: int
    held: bool = False
    sealed: bool = False
    retain: int = 2**31

    @property
    def under(self) -> int:
        """The day under whose key it lies."""
        return HELD if self.held else self.day


@dataclass(frozen=True, slots=True)
class KeptDays:
    """These days of one desk."""

    desk: Desk

    def find(self, bulletin: bytes) -> Kept | None:
        """What is known of one; None: nothing of it is kept here."""
        value = self.desk.store.get(Shelf.KEEPING, bulletin)
        return None if value is None else decode(Kept, value, 64, "kept")

    def day_of(self, bulletin: bytes, retain_until: int) -> int:
        """The day under which something of it belongs, which is noted; inside a transaction."""
        kept = self.find(bulletin)
        if kept is None or kept.day > retain_until:
            held, sealed = (False, False) if kept is None else (kept.held, kept.sealed)
            kept = Kept(retain_until, held, sealed, retain_until)
            self.desk.store.put(Shelf.KEEPING, bulletin, encode(kept))
            self.desk.store.remove(Shelf.ERASED, bulletin)
            self.desk.store.remove(Shelf.STATE, SWEPT)
        return kept.under

    def shown(self, bulletin: bytes) -> bool:
        """Whether what is kept of it may be shown: not what is sealed, nor after its day by any
        clock; what the clock on the wall says alone erases nothing."""
        kept = self.find(bulletin)
        if kept is None:
            return True
        return not kept.sealed and (kept.held or self.desk.clock() // DAY_MS < kept.day)
