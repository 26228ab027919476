"""What answers for the persons in bulletins: the index of references, exports, desks' copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from saphan_schemas.errors import SaphanError
from saphan_schemas.records import SealedDetail

from saphan.node.engine import Engine
from saphan.node.exports.copies import DeskCopies
from saphan.node.exports.exporting import Exporting
from saphan.node.exports.known import tells
from saphan.node.ground import Ground
from saphan.node.holding.rows import held_among
from saphan.node.retention.witnessed import ACTED_FACT
from saphan.node.rows.db import Database
from saphan.node.subjects.index import SubjectIndex
from saphan.node.subjects.indexing import Indexing
from saphan.node.subjects.report import SubjectReport
from saphan.node.wire.line import Line


@dataclass(frozen=True, slots=True)
class SubjectParts:
    """These parts of one node."""

    data: Path
    index: SubjectIndex
    indexing: Indexing
    exports: Exporting
    copies: DeskCopies
    report: SubjectReport
    tells: Callable[[bytes, str], SealedDetail | None]
    """What the originator (second) is told when a bulletin of its is erased here."""

    async def run(self, engine: Engine, line: Line) -> None:
        """Record what commands exported while the node did not run; then index, for ever."""
        try:
            if await engine.in_sealing(partial(self.exports.take_waiting, self.data)):
                line.wake_statements()
        except SaphanError as error:
            engine.sound(error)
        await self.indexing.run(engine)


def subject_parts(on: Ground) -> SubjectParts:
    """Made from its ground.

    Raises:
        OperatorError: the key file of the index, the disk.
    """
    index = SubjectIndex(on.db, on.config.data)
    exports = Exporting(on.agency, on.key, on.db, on.clock)
    held = partial(held_among, on.db)
    copies = DeskCopies(on.agency, on.db, on.logs, exports, held, partial(_acted, on.db), on.clock)
    return SubjectParts(
        data=on.config.data,
        index=index,
        indexing=Indexing(on.db, on.archive, index, on.alarms),
        exports=exports,
        copies=copies,
        report=SubjectReport(on.agency, on.db, index, exports, copies, held),
        tells=tells(on.agency, on.logs, copies, on.clock),
    )


def _acted(db: Database) -> int | None:
    """The time by which this node has erased last, ms UTC: witnessed, and no leap among it."""
    row = db.row("SELECT value FROM facts WHERE name = ?", (ACTED_FACT,))
    return None if row is None else int(row[0])
