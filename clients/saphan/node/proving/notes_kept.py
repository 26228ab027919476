"""Which signed heads stay: those that own proofs rest under, for as long as the proofs.

The newest heads are all kept. Of those before them only what something rests under stays, and a
step from each to the next: every proof can still be shown under every later head. A head takes
7 KB, so a few entries that rest alone under one are moved to a later one of the same hour that
their policy takes as well: it bounds their times as well as an hour matters. Anchors keep no head.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import HOUR_MS, SECOND_MS

from saphan.node.anchors import encoded_path
from saphan.node.heads import KEPT_HEADS
from saphan.node.logs import Logs
from saphan.node.proving.chain import Chain, stored_path
from saphan.node.proving.proofs import LOOKED, WitnessedProofs
from saphan.node.rows.db import Database

AT_ONCE: Final = 1024
"""Heads of one look: half a second of steps that are put together."""
FEW: Final = 16
"""Entries under one head that are worth moving for its 7 KB."""

_RESTING: Final = (
    "SELECT h.size, h.time, h.witnesses, (SELECT count(*) FROM (SELECT 1 FROM entries e"
    " WHERE e.head_size = h.size AND e.idx >= ?1 LIMIT ?2)),"
    " EXISTS (SELECT 1 FROM anchors a WHERE a.head_size = h.size AND a.idx >= ?1) FROM heads h"
    " WHERE h.origin = ?3 AND h.size >= ?4 AND h.size < ?5 ORDER BY h.size"
)
_PROVEN: Final = (
    "SELECT idx, sender, recipient, path FROM entries e WHERE head_size = ? AND idx >= ?"
    " AND NOT EXISTS (SELECT 1 FROM unproven u WHERE u.idx = e.idx)"
)


class _Kept(NamedTuple):
    """A kept head, and how much rests under it; `entries` is counted up to FEW."""

    size: int
    hour: int
    names: tuple[str, ...]
    entries: int
    anchors: bool


class NotesKept:
    """Looks after the kept heads of one evidence log."""

    def __init__(self, db: Database, logs: Logs, proofs: WitnessedProofs) -> None:
        self._db = db
        self._proofs = proofs
        self._logs = logs

    @property
    def _origin(self) -> str:
        return self._logs.pins.evidence.origin

    def look(self) -> None:
        """Let go of heads that nothing rests under, once there are twice as many as are kept.

        Raises:
            OperatorError: the disk.
        """
        row = self._db.row("SELECT value FROM facts WHERE name = ?", (LOOKED,))
        begin = 0 if row is None else int(row[0])
        newest = self._size(0, KEPT_HEADS - 1, "DESC")
        end = self._size(begin, KEPT_HEADS, "ASC")
        if newest is None or end is None or end > newest:
            return
        later = self._size(begin, AT_ONCE, "ASC")
        self._let_go(begin, newest if later is None else min(newest, later))

    def _size(self, begin: int, place: int, order: Literal["ASC", "DESC"]) -> int | None:
        """Of the kept heads from `begin` on, the one in this place."""
        row = self._db.row(
            "SELECT size FROM heads WHERE origin = ? AND size >= ?"  # noqa: S608
            f" ORDER BY size {order} LIMIT 1 OFFSET ?",
            (self._origin, begin, place),
        )
        return None if row is None else int(row[0])

    def _let_go(self, begin: int, end: int) -> None:
        """Heads of sizes begin <= size < end leave, but for those that something rests under."""
        self._gather(begin, end)
        self._gather_anchors(begin, end)
        resting = self._resting(begin, end)
        kept = [one.size for one in resting if one.entries or one.anchors]
        gone = [one.size for one in resting if not (one.entries or one.anchors)]
        self._forget(begin, end, kept, gone)

    def _resting(self, begin: int, end: int) -> list[_Kept]:
        """Kept heads by rising size, and what rests under each."""
        values = (self._logs.first, FEW, self._origin, begin, end)
        return [
            _Kept(size, time * SECOND_MS // HOUR_MS, tuple(names.split()), entries, anchors)
            for size, time, names, entries, anchors in self._db.rows(_RESTING, values)
        ]

    def _gather(self, begin: int, end: int) -> None:
        """Move few entries that rest alone to the hour's last head that their policy takes."""
        resting = self._resting(begin, end)
        chain, first = Chain(self._db.rows, self._origin), self._logs.first
        moved: list[tuple[int, bytes, int]] = []
        for one in resting:
            if not 0 < one.entries < FEW:
                continue
            later = [two for two in resting if two.hour == one.hour and two.size > one.size]
            for index, sender, recipient, path in self._db.rows(_PROVEN, (one.size, first)):
                to = self._last((sender, recipient), later)
                if to is None:
                    continue
                found = _moved(chain, index - first, path, one.size, to)
                if found is not None:
                    moved.append((to, found, index))
        if moved:
            with self._db.transaction() as tx:
                tx.executemany("UPDATE entries SET head_size = ?, path = ? WHERE idx = ?", moved)

    def _gather_anchors(self, begin: int, end: int) -> None:
        """Move anchors to the next head that stays for its entries' sake, or to the first of the
        newest: they bound no time of their own, and come every hour."""
        stay = [one.size for one in self._resting(begin, end) if one.entries] + [end]
        chain, first = Chain(self._db.rows, self._origin), self._logs.first
        rows = self._db.rows(
            "SELECT idx, head_size, path FROM anchors WHERE head_size >= ? AND head_size < ?"
            " AND idx >= ?",
            (begin, end, first),
        )
        moved: list[tuple[int, bytes, int]] = []
        for index, at, path in rows:
            to = next(size for size in stay if size >= at)
            found = None if to == at else _moved(chain, index - first, path, at, to)
            if found is not None:
                moved.append((to, found, index))
        if moved:
            with self._db.transaction() as tx:
                tx.executemany("UPDATE anchors SET head_size = ?, path = ? WHERE idx = ?", moved)

    def _last(self, pair: tuple[str, str], heads: Sequence[_Kept]) -> int | None:
        taken = (one.size for one in reversed(heads) if self._proofs.takes(pair, one.names))
        return next(taken, None)

    def _forget(self, begin: int, end: int, kept: list[int], gone: list[int]) -> None:
        """One transaction: a crash before it repeats the look, after it there is nothing to do."""
        chain = Chain(self._db.rows, self._origin)
        before = self._db.row(
            "SELECT max(size) FROM heads WHERE origin = ? AND size < ?", (self._origin, begin)
        )
        first = [] if before is None or before[0] is None else [before[0]]
        whole = [*first, *kept, end]
        steps: dict[int, tuple[int, bytes]] = {}
        for start, size in pairwise(whole):
            found = chain.step(start, size)
            if found is not None:
                steps[size] = start, encoded_path(found.path)
        with self._db.transaction() as tx:
            log = self._logs.first
            tx.execute("DELETE FROM steps WHERE size >= ? AND size <= ?", (log + begin, log + end))
            tx.executemany(
                "INSERT INTO steps VALUES (?, ?, ?)",
                [(log + size, log + start, path) for size, (start, path) in steps.items()],
            )
            tx.executemany(
                "DELETE FROM heads WHERE origin = ? AND size = ?",
                [(self._origin, size) for size in gone],
            )
            tx.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name)"
                " DO UPDATE SET value = excluded.value",
                (LOOKED, end),
            )


def _moved(chain: Chain, index: int, path: bytes, at: int, to: int) -> bytes | None:
    """The path under another head; None leaves the leaf where it is."""
    try:
        found = chain.moved(index, stored_path(path), at, to)
    except InvalidInput:
        return None
    return None if found is None else encoded_path(found)
