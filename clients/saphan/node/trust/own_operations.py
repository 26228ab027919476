"""Operations in this agency's name: the ones that it made, and those that it must be told of.

Whoever holds the root's keys speaks for the agency. The node knows what its people made (the
folder's operations), what they handed in through it, and what they acknowledged; anything else in
the directory is an alarm, for as long as nobody has looked at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from saphan_protocol.identity import identity
from saphan_protocol.operation import OPERATION_TYPE
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import Operation, SignedOperation
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import LeafType

from saphan.durable import read_bounded
from saphan.node.alarms import Alarms
from saphan.node.rows.db import Database
from saphan.office import Office

FOREIGN: Final = "operation_foreign"
MADE: Final = "made"
SUBMITTED: Final = "submitted"
ACKNOWLEDGED: Final = "acknowledged"


@dataclass(frozen=True, slots=True)
class _Seen:
    """An operation of this agency in the directory log."""

    record: Operation
    identity: bytes
    signed: bytes


class OwnOperations:
    """Compares the directory's operations of one agency with those that its people know.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self, agency: str, db: Database, office: Office, alarms: Alarms, clock: Callable[[], int]
    ) -> None:
        self._agency = agency
        self._db = db
        self._office = office
        self._alarms = alarms
        self._clock = clock
        self._seen: dict[int, _Seen] = {}
        self._looked = 0
        self._made: set[bytes] = set()

    def submitted(self, signed: bytes) -> None:
        """An operation is handed in through this node: known, durably, before it leaves.

        Raises:
            OperatorError: the disk.
        """
        seen = _parse(signed)
        if seen.record.agency != self._agency:
            return
        self._replay()
        logged = self._seen.get(seen.record.version)
        if logged is None or logged.identity == seen.identity:  # else the log has another one
            self._note(seen, SUBMITTED)

    def acknowledge(self, version: int) -> bytes:
        """A person has looked at an operation of the directory, and it is the agency's own.

        Returns:
            The operation, for a folder that lacks it.

        Raises:
            InvalidInput: `operation_unknown`. OperatorError: the disk.
        """
        self._replay()
        seen = self._seen.get(version)
        if seen is None:
            raise InvalidInput(
                "operation_unknown",
                f"the directory holds no operation {version} of {self._agency}",
                field="version",
                hint="see them all: saphan keys operations",
            )
        self._note(seen, ACKNOWLEDGED)
        self.look()
        return seen.signed

    def look(self) -> None:
        """Sound the alarm for what nobody here knows, or end it."""
        self._replay()
        foreign = [
            f"operation {version} ({_told(seen.record)})"
            for version, seen in sorted(self._seen.items())
            if self._known(version, seen) is None
        ]
        if not foreign:
            self._alarms.clear(FOREIGN)
            return
        self._alarms.sound(
            OperatorError(
                FOREIGN,
                f"in the name of {self._agency} the directory holds what was not made here: "
                + "; ".join(foreign[:8]),
                hint="ask every root holder at once: if nobody signed it, the root is in other "
                "hands; if it is yours: saphan keys acknowledge VERSION",
            )
        )

    def listed(self) -> list[dict[str, Any]]:
        """Every operation of this agency in the directory, and how its people know it, if so."""
        self._replay()
        return [
            {
                "version": version,
                "identity": seen.identity.hex(),
                "time": seen.record.time,
                "changes": _told(seen.record),
                "known": self._known(version, seen),
            }
            for version, seen in sorted(self._seen.items())
        ]

    def _replay(self) -> None:
        rows = self._db.rows(
            "SELECT idx, leaf FROM leaves WHERE idx >= ? ORDER BY idx", (self._looked,)
        )
        for index, leaf in rows:
            self._looked = index + 1
            if leaf[:1] != bytes((LeafType.OPERATION,)):
                continue
            seen = _parse(leaf[1:])
            if seen.record.agency == self._agency:
                self._seen[seen.record.version] = seen

    def _known(self, version: int, seen: _Seen) -> str | None:
        row = self._db.row(
            "SELECT known FROM own_operations WHERE version = ? AND identity = ?",
            (version, seen.identity),
        )
        if row is not None:
            return str(row[0])
        if seen.identity not in self._made and not self._stored(version, seen):
            return None
        self._made.add(seen.identity)
        return MADE

    def _stored(self, version: int, seen: _Seen) -> bool:
        path = self._office.operation(version)
        try:
            data = read_bounded(path, LIMITS.operation_bytes, "operation")
            return _parse(data).identity == seen.identity
        except SaphanError:
            return False  # no such file here, or it is not a whole one: nobody here made this

    def _note(self, seen: _Seen, known: str) -> None:
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO own_operations VALUES (?, ?, ?, ?) ON CONFLICT (version) DO UPDATE"
                " SET identity = excluded.identity, known = excluded.known, time = excluded.time",
                (seen.record.version, seen.identity, known, self._clock()),
            )


def _parse(signed: bytes) -> _Seen:
    """Raises InvalidInput, codec codes."""
    package = decode(SignedOperation, signed, LIMITS.leaf_bytes, "operation")
    record = decode(Operation, package.operation, LIMITS.leaf_bytes, "operation.operation")
    return _Seen(record, identity(OPERATION_TYPE, package.operation), signed)


def _told(record: Operation) -> str:
    """What an operation does, in a few words: "add officer somchai, revoke node"."""
    counts: dict[str, int] = {}
    for change in record.changes:
        words = " ".join(filter(None, (change.action, change.role.value, change.handle)))
        counts[words] = counts.get(words, 0) + 1
    return ", ".join(words if n == 1 else f"{words} x{n}" for words, n in counts.items())
