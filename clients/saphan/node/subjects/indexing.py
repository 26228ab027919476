"""Fills the index behind the bulletins: after they are stored, so that none of them waits for it.

1. Whatever gets its content key is put into `unindexed`, by a trigger of the store.
2. A look opens a portion of them, normalises what they refer to, and writes it in one transaction.
   A crash between leaves them in `unindexed`: they are looked at again, to the same end.
3. Who asks about a reference has the rest indexed first: an answer leaves nothing out.
4. When bulletins have gone, the index is written anew within a day: no page keeps their rows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Header

from saphan.node.alarms import Alarms
from saphan.node.archive import Archive
from saphan.node.engine import Engine
from saphan.node.resting import rest
from saphan.node.retention.content import content_of
from saphan.node.rows.db import Database, Row
from saphan.node.subjects.index import SubjectIndex
from saphan.subjects.references import Reference, references_of

log = logging.getLogger("saphan.node")

PORTION: Final = 32
"""Bulletins of one transaction: 20 ms of one core, and one sync of the disk."""
PAUSE_S: Final = 0.1
"""Between two portions, while nobody asks: bulletins that come meanwhile go first."""
KEY_LOST: Final = frozenset({"archive_key_gone", "archive_key_damaged"})
IDLE_S: Final = 2.0
"""Between two looks while there is nothing."""
SETTLE_S: Final = DAY_MS / 1000
"""Between two writings of the whole index: 5 us a row, in which nothing else is written."""

_WAITS: Final = (
    "SELECT b.seq, b.id, b.header, b.header_id, b.wrapped, b.wrap_day, c.ciphertext"
    " FROM unindexed CROSS JOIN bulletins b USING (seq) CROSS JOIN bodies c USING (seq)"
    " WHERE b.wrapped IS NOT NULL"
)
"""CROSS: from what waits on, whatever SQLite guesses; it would go through all bulletins."""


class Indexing:
    """Indexes what waits for it; blocking, but for `run`."""

    def __init__(self, db: Database, archive: Archive, index: SubjectIndex, alarms: Alarms) -> None:
        self._db = db
        self._archive = archive
        self._index = index
        self._alarms = alarms

    async def run(self, engine: Engine) -> None:
        """Go on for ever; what fails now is tried again."""
        if self._index.renewed:
            self._alarms.sound(_renewed())
        settled = -SETTLE_S
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                done = await engine.in_reading(self.step)
                rested = not done and time.monotonic() - settled >= SETTLE_S
                if rested and await engine.in_reading(self._index.settle):
                    settled = time.monotonic()
            except SaphanError as error:
                self._alarms.sound(error)
                done = 0
            except Exception:
                log.exception("the index of references met a bug")
                done = 0
            await rest(begun, PAUSE_S if done else IDLE_S)

    async def finish(self, engine: Engine) -> None:
        """Step 3; raises OperatorError: the disk."""
        while await engine.in_reading(self.step):
            pass

    def step(self) -> int:
        """Step 2; how many were looked at.

        Raises:
            OperatorError: the disk; nothing of the portion was kept.
        """
        return self._keep(self._db.rows(f"{_WAITS} ORDER BY unindexed.seq LIMIT ?", (PORTION,)))

    def one(self, bulletin: bytes) -> None:
        """Step 2 of this one before all others, if it waits; raises as `step`."""
        self._keep(self._db.rows(f"{_WAITS} AND b.id = ?", (bulletin,)))

    def _keep(self, rows: list[Row]) -> int:
        found = [(row[0], self._references(row)) for row in rows]
        if found:
            with self._db.transaction() as tx:
                for seq, references in found:
                    self._index.keep(tx, seq, references)
        return len(found)

    def _references(self, row: Row) -> frozenset[Reference]:
        """None of what cannot be opened any more: nobody is shown it either."""
        _, bulletin, header, header_id, wrapped, day, ciphertext = row
        schema = decode(Header, header, LIMITS.header_bytes, "header").schema
        try:
            content = content_of(self._archive, bulletin, wrapped, day, header_id, ciphertext)
            return references_of(schema, content)
        except InvalidInput as error:
            return _none(bulletin, error)
        except OperatorError as error:
            if error.code not in KEY_LOST:
                raise
            return _none(bulletin, error)


def _none(bulletin: bytes, error: SaphanError) -> frozenset[Reference]:
    log.warning("%s is not in the index of references: %s", bulletin.hex()[:16], error.code)
    return frozenset()


def _renewed() -> OperatorError:
    return OperatorError(
        "subject_key_new",
        "the key of the index of references was missing: the index is made anew under another one",
        field="subject.key",
        hint="what was suppressed before is not recognized any more: restore the keys' backup, or"
        " suppress it again",
    )
