"""Paths under a later head, computed from a consistency path: nobody has to be asked for them.

A consistency path shows the nodes at the old tree's right edge as they are in the new one. All else
on a path from the old tree is complete there, and so the same in every later tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from saphan_schemas.errors import InvalidInput

from saphan_protocol.merkle import node_hash, verify_consistency

Hashes = tuple[bytes, ...]


class Extension:
    """The step from a tree to a later one; its path is checked.

    Args:
        old, new: leaves, 0 < old <= new.
        path: RFC 9162 consistency path between them.

    Raises:
        InvalidInput: `proof_consistency`.
    """

    __slots__ = ("_edge", "_right", "_was", "new", "new_root", "old", "old_root", "path")

    def __init__(
        self, old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
    ) -> None:
        if old <= 0:
            _refuse("an empty tree has no nodes")
        verify_consistency(old, new, old_root, new_root, path)
        self.old = old
        self.old_root = old_root
        self.new = new
        self.new_root = new_root
        self.path: Hashes = tuple(path)
        self._edge: dict[int, bytes] = {}  # level -> its node with the old tree's last leaf, new
        self._was: dict[int, bytes] = {}  # the same nodes as the old tree has them
        self._right: dict[int, bytes] = {}  # level -> what stands right of that node
        if old < new:
            self._walk(old_root)

    def _walk(self, old_root: bytes) -> None:
        level = (self.old & -self.old).bit_length() - 1
        index = (self.old >> level) - 1
        steps = iter(self.path)
        seen = was = next(steps) if index else old_root
        last = (self.new - 1) >> level
        self._edge[level], self._was[level] = seen, was
        while last:
            if index & 1:
                left = next(steps)
                seen, was = node_hash(left, seen), node_hash(left, was)
            elif index < last:
                step = self._right[level] = next(steps)
                seen = node_hash(seen, step)
            index >>= 1
            last >>= 1
            level += 1
            self._edge[level], self._was[level] = seen, was

    def inclusion(self, index: int, path: Sequence[bytes]) -> Hashes:
        """A leaf's path in the new tree, from its path in the old one.

        Raises:
            InvalidInput: `proof_inclusion` for a path that cannot be one of the old tree's.
        """
        if not 0 <= index < self.old:
            _refuse(f"there is no leaf {index} in a tree of {self.old}", "proof_inclusion")
        return self._lift(0, index, path)

    def earlier(self, index: int, path: Sequence[bytes], size: int = 0) -> Hashes:
        """A leaf's path in the old tree, from its path in the new one, or in any later one.

        Args:
            size: leaves of the later tree, which must be known to be one; 0: the new tree.

        Raises:
            InvalidInput: `proof_inclusion` for a path that cannot be one of the later tree's.
        """
        size = size or self.new
        if not 0 <= index < self.old:
            _refuse(f"there is no leaf {index} in a tree of {self.old}", "proof_inclusion")
        if self.old == size:
            return tuple(path)
        level = _complete(index, self.old)
        steps, found = list(reversed(path[level:])), _first(level, path)
        index >>= level
        while last := (self.old - 1) >> level:
            beside = index ^ 1
            if index & 1 or (beside + 1) << level <= self.old:
                found.append(_take(steps))  # complete in both
            elif beside == last:
                _take(steps)  # longer there, cut off here
                found.append(self._was[level])
            elif beside <= (size - 1) >> level:
                _take(steps)  # only there
            index >>= 1
            level += 1
        return tuple(found)

    def consistency(self, oldest: int, path: Sequence[bytes]) -> Hashes:
        """The path from a still older tree to the new one, from its path to the old one.

        Raises:
            InvalidInput: `proof_consistency` for a path that cannot be one to the old tree.
        """
        if not 0 <= oldest <= self.old:
            _refuse(f"a tree of {self.old} does not extend one of {oldest}")
        if oldest == 0:
            return ()
        if oldest == self.old:
            return self.path
        level = (oldest & -oldest).bit_length() - 1
        index = (oldest >> level) - 1
        start = tuple(path[:1]) if index else ()
        return start + self._lift(level, index, path[len(start) :])

    def _lift(self, level: int, index: int, path: Sequence[bytes]) -> Hashes:
        """Siblings on the way from a node that is complete in the old tree to the new root."""
        if self.old == self.new:
            return tuple(path)
        same = _complete(index, self.old >> level)
        steps, found = list(reversed(path[same:])), _first(same, path)
        index >>= same
        level += same
        while last := (self.new - 1) >> level:
            edge = (self.old - 1) >> level
            beside = index ^ 1
            if index & 1 or (beside + 1) << level <= self.old:
                found.append(_take(steps))  # complete in both
            elif beside == edge:
                _take(steps)  # cut off there, longer here
                found.append(self._edge[level])
            elif beside <= last:
                found.append(self._right[level])
            index >>= 1
            level += 1
        if steps:
            _refuse("a path of the old tree is too long", "proof_inclusion")
        return tuple(found)


def _complete(index: int, size: int) -> int:
    """How many of the lowest siblings of a node are complete in a tree of `size` such nodes."""
    return (index ^ size).bit_length() - 1


def _first(count: int, path: Sequence[bytes]) -> list[bytes]:
    if len(path) < count:
        _refuse("a path of the old tree is too short", "proof_inclusion")
    return list(path[:count])


def _take(steps: list[bytes]) -> bytes:
    if not steps:
        _refuse("a path of the old tree is too short", "proof_inclusion")
    return steps.pop()


def _refuse(message: str, code: str = "proof_consistency") -> NoReturn:
    raise InvalidInput(code, message, field="path")
