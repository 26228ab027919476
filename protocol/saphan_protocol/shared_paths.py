"""Several paths in one tree, each hash once: neighbours differ in their lowest hashes only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from saphan_schemas.errors import InvalidInput

Places = tuple[int, ...]


class SharedPaths:
    """Collects paths: `hashes` are all that they need, what `add` gives are places in them."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Every hash of the paths added so far, once, in the order of their places."""
        return tuple(self._places)

    def add(self, path: Iterable[bytes]) -> Places:
        """A path as places in `hashes`."""
        return tuple(self._places.setdefault(step, len(self._places)) for step in path)


def read_path(hashes: Sequence[bytes], places: Places) -> tuple[bytes, ...]:
    """The path that these places name.

    Raises:
        InvalidInput: `malformed` for a place that there is not.
    """
    if any(not 0 <= place < len(hashes) for place in places):
        raise InvalidInput("malformed", "a path names a hash that is not there", field="paths")
    return tuple(hashes[place] for place in places)
