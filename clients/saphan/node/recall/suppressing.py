"""After a recall for the wrong person: keyed hashes of whom it named stay, and mark what names
them again, so that a mistake that was taken back does not come back unseen (retention.md).

Both sides do: the holder before it erases, the sender when it takes the bulletin back.

1. The bulletin's references are indexed if they were not yet.
2. Kept are its names, telephones and accounts; of its numbers those that nothing else here names:
   a number that other bulletins share is a case's, and would mark all that is right about it.
3. A mark asks an officer to look. It hides nothing, and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from saphan_schemas.limits import DAY_MS

from saphan.node.rows.db import Database
from saphan.node.rows.suppressed import WRONG_PERSON, keep_hashes


@dataclass(frozen=True, slots=True)
class Suppressing:
    """Of one node; blocking.

    Args:
        index: indexes a bulletin, if that was not done yet; clock: ms UTC.
    """

    db: Database
    index: Callable[[bytes], None]
    clock: Callable[[], int]

    def keep(self, bulletin: bytes, code: str) -> None:
        """Steps 1 and 2 of a bulletin that is recalled for `code`; the same again changes nothing.

        Raises:
            OperatorError: the disk; nothing was kept, and nothing may be erased.
        """
        if code != WRONG_PERSON:
            return
        self.index(bulletin)
        with self.db.transaction() as tx:
            keep_hashes(tx, bulletin, self.clock())

    def forget(self) -> None:
        """Ten years later the hashes go as well.

        Raises:
            OperatorError: the disk; the next look goes on.
        """
        today = (self.clock() // DAY_MS,)
        if self.db.row("SELECT 1 FROM suppressed WHERE until < ? LIMIT 1", today) is not None:
            with self.db.transaction() as tx:
                tx.execute("DELETE FROM suppressed WHERE until < ?", today)
