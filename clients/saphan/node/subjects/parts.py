"""What answers for the persons in bulletins: the index of references, exports, desks' copies."""

from __future__ import annotations

from dataclasses import dataclass

from saphan.node.desks.copies import DeskCopies
from saphan.node.exports.exporting import Exporting
from saphan.node.ground import Ground
from saphan.node.retention.witnessed import WitnessedTime
from saphan.node.subjects.index import SubjectIndex
from saphan.node.subjects.indexing import Indexing


@dataclass(frozen=True, slots=True)
class SubjectParts:
    """These parts of one node."""

    index: SubjectIndex
    indexing: Indexing
    exports: Exporting
    copies: DeskCopies


def subject_parts(on: Ground) -> SubjectParts:
    """Made from its ground.

    Raises:
        OperatorError: the key file of the index, the disk.
    """
    index = SubjectIndex(on.db, on.config.data)
    exports = Exporting(on.agency, on.key, on.db, on.clock)
    time = WitnessedTime(on.agency, on.db, on.logs, on.clock)
    return SubjectParts(
        index=index,
        indexing=Indexing(on.db, on.archive, index, on.alarms),
        exports=exports,
        copies=DeskCopies(on.agency, on.db, on.logs, exports, time.now, on.clock),
    )
