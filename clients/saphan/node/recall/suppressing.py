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
from typing import Final

from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.node.rows.db import Database
from saphan.subjects.references import ACCOUNT, KINDS, NAME, NUMBER, PHONE

WRONG_PERSON: Final = "wrong_person"
_KEPT: Final = ", ".join(str(KINDS.index(one)) for one in (NAME, PHONE, ACCOUNT))
_KEEP: Final = (
    "INSERT OR REPLACE INTO suppressed SELECT s.token, s.kind, ?2, ?3 FROM subjects s"  # noqa: S608
    " WHERE s.seq = (SELECT seq FROM bulletins WHERE id = ?1)"
    f" AND (s.kind IN ({_KEPT}) OR (s.kind = {KINDS.index(NUMBER)} AND NOT EXISTS"
    " (SELECT 1 FROM subjects o WHERE o.token = s.token AND o.seq != s.seq)))"
)


@dataclass(frozen=True, slots=True)
class Suppressing:
    """Of one node; blocking.

    Args:
        index: indexes a portion of what waits for it, and says how many were; clock: ms UTC.
    """

    db: Database
    index: Callable[[], int]
    clock: Callable[[], int]

    def keep(self, bulletin: bytes, code: str) -> None:
        """Steps 1 and 2 of a bulletin that is recalled for `code`; the same again changes nothing.

        Raises:
            OperatorError: the disk; nothing was kept, and nothing may be erased.
        """
        if code != WRONG_PERSON:
            return
        waits = "SELECT 1 FROM unindexed JOIN bulletins b USING (seq) WHERE b.id = ?"
        while self.db.row(waits, (bulletin,)) is not None and self.index():
            pass
        now = self.clock()
        with self.db.transaction() as tx:
            tx.execute("DELETE FROM suppressed WHERE until < ?", (now // DAY_MS,))
            until = (now + LIMITS.suppression_ms) // DAY_MS
            tx.execute(_KEEP, (bulletin, now, until))
