"""How kept evidence heads follow on each other: the paths that the feed brought, put together.

Whatever rests under one of them can be shown under any other one, without asking anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from saphan_protocol.extension import Extension
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

Rows = Callable[[str, Sequence[object]], Sequence[Sequence[Any]]]
"""Runs a query on the node's store, gives all rows."""
Hashes = tuple[bytes, ...]

PATH_BYTES: Final = 34 * LIMITS.proof_hashes + 8

_STEPS: Final = (
    "SELECT s.size, s.start, s.path, h.root FROM steps s"
    " JOIN heads h ON h.origin = ? AND h.size = s.start"
    " WHERE s.size > ? AND s.size <= ? ORDER BY s.size DESC"
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
        self._to: dict[tuple[int, int], Extension | None] = {}

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
        found = self.step(min(at, to), max(at, to))
        if found is None:
            return None
        return found.inclusion(index, path) if at <= to else found.earlier(index, path)

    def _walk(self, old: int, new: int) -> None:
        root = self._root(new)
        if root is None:
            return
        last = self._to[new, new] = Extension(new, new, root, root, ())
        for size, start, path, start_root in self._rows(_STEPS, (self._origin, old, new)):
            if size != last.old or start < old:
                return
            try:
                last = self._back(last, start, start_root, path)
                # Heads come by rising size: what leads to the one before this one is here.
                below = self._to.get((old, start)) if start > old else None
                if below is not None:
                    whole = last.consistency(old, below.path)
                    self._to[old, new] = Extension(old, new, below.old_root, root, whole)
                    return
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
