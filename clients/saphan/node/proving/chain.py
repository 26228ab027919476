"""How kept evidence heads follow on each other: the paths that the feed brought, put together.

Whatever rests under one of them can be shown under any other one, without asking anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from saphan_protocol.extension import Extension
from saphan_protocol.pins import origin_number
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan.node.rows.places import first_of, last_of

Rows = Callable[[str, Sequence[object]], Sequence[Sequence[Any]]]
"""Runs a query on the node's store, gives all rows."""
Hashes = tuple[bytes, ...]

PATH_BYTES: Final = 34 * LIMITS.proof_hashes + 8

_STEPS: Final = (
    "SELECT s.size - ?2, s.start - ?2, s.path, h.root FROM steps s"
    " JOIN heads h ON h.origin = ?1 AND h.size = s.start - ?2"
    " WHERE s.size > ?2 + ?3 AND s.size <= ?2 + ?4 ORDER BY s.size DESC"
)
_ABOVE: Final = (
    "SELECT size - ?1, start - ?1 FROM steps WHERE size > ?1 + ?2 AND size <= ?3 ORDER BY size"
)


def stored_path(data: bytes) -> Hashes:
    """A path as it rests in the store.

    Raises:
        InvalidInput: codec codes.
    """
    return decode(tuple[bytes, ...], data, PATH_BYTES, "path")


class Chain:
    """Steps between kept heads of one evidence log; remembers what it has put together.

    Args:
        rows: reads the store; the caller sees to it that it is one snapshot.
    """

    def __init__(self, rows: Rows, origin: str) -> None:
        self._rows = rows
        self._origin = origin
        number = origin_number(origin)[1]
        self._first, self._last = first_of(number), last_of(number)
        self._to: dict[tuple[int, int], Extension | None] = {}
        self._above: dict[int, dict[int, None]] = {}
        """Of a head, the later ones to which steps lead, rising."""

    def step(self, old: int, new: int) -> Extension | None:
        """The step between two kept heads, 0 < old <= new; None where the chain is broken."""
        if (old, new) not in self._to:
            self._walk(old, new)
        return self._to.setdefault((old, new), None)

    def moved(self, index: int, path: Hashes, at: int, to: int) -> Hashes | None:
        """A leaf's path under the head of `to` leaves, from its path under that of `at` leaves.

        None where the chain is broken, or the leaf is not under that head.

        Raises:
            InvalidInput: `proof_inclusion` for a path that is none.
        """
        if index >= to:
            return None
        if at > to:
            # Only what ends at the earlier head differs: the first step from there shows it.
            first = self.step(to, self._next(to)) if self._leads(to, at) else None
            return None if first is None else first.earlier(index, path, at)
        found = self.step(at, to)
        return None if found is None else found.inclusion(index, path)

    def _leads(self, old: int, new: int) -> bool:
        """Whether kept steps lead from one head to a later one, without a gap."""
        if old not in self._above:
            reach, found = old, list[int]()
            rows = self._rows(_ABOVE, (self._first, old, self._last))
            for size, start in rows:
                if start != reach:
                    break
                found.append(reach := size)
            self._above[old] = dict.fromkeys(found)
        return new in self._above[old]

    def _next(self, size: int) -> int:
        """The head after one that `_leads` anywhere."""
        return next(iter(self._above[size]))

    def _walk(self, old: int, new: int) -> None:
        root = self._root(new)
        if root is None:
            return
        last = self._to[new, new] = Extension(new, new, root, root, ())
        for size, start, path, start_root in self._rows(
            _STEPS, (self._origin, self._first, old, new)
        ):
            if size != last.old or start < old:
                return
            try:
                last = self._back(last, start, start_root, path)
            except InvalidInput:
                return  # a damaged row breaks the chain, and nothing else

    def _back(self, last: Extension, start: int, start_root: bytes, path: bytes) -> Extension:
        """The step to the same new head from one kept head before that of `last`."""
        known = self._to.get((start, last.new))
        if known is None:
            step = stored_path(path)
            whole = step if last.old == last.new else last.consistency(start, step)
            known = self._to[start, last.new] = Extension(
                start, last.new, start_root, last.new_root, whole
            )
        return known

    def _root(self, size: int) -> bytes | None:
        found = self._rows(
            "SELECT root FROM heads WHERE origin = ? AND size = ?", (self._origin, size)
        )
        return found[0][0] if found else None
