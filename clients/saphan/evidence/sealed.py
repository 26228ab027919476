"""The sealed bytes of a bulletin as a node keeps them: its ciphertext, its attachments.

They are measured before they are given out: bytes of a failing disk would make a whole bundle
worthless, and without them it still shows their digests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from saphan_protocol.identity import sha256
from saphan_schemas.bundles import BundleBody
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob

from saphan.node.files.attachments import measure_file
from saphan.node.files.blobs import pieces

PIECE: Final = LIMITS.part_bytes
_CIPHERTEXT: Final = (
    "SELECT y.ciphertext, b.digest FROM bulletins b LEFT JOIN bodies y ON y.seq = b.seq"
    " WHERE b.id = ?"
)
_PARTS: Final = "SELECT place, length, digest FROM parts WHERE bulletin = ? ORDER BY place"


class Sealed:
    """One bulletin's sealed bytes.

    Args:
        blobs: the node's folder of attachments, with `in` and `out`.

    Attributes:
        shown, absent: places that were given out, and those that are not here, or damaged.
    """

    def __init__(self, db: sqlite3.Connection, blobs: Path, bulletin: bytes) -> None:
        self._db = db
        self._blobs = blobs
        self._bulletin = bulletin
        self.shown: list[int] = []
        self.absent: list[int] = []

    def bodies(self, *, attachments: bool) -> Iterator[BundleBody]:
        """The pieces of the ciphertext, then of the attachments if they are wanted."""
        parts = {
            place: Blob(length, digest)
            for place, length, digest in self._db.execute(_PARTS, (self._bulletin,))
        }
        yield from self._ciphertext(parts.pop(0, None))
        for place, blob in parts.items() if attachments else ():
            yield from self._file(place, blob)

    def length(self) -> int:
        """Bytes that all of it takes, about: for a progress bar."""
        query = "SELECT coalesce(sum(length), 0) FROM parts WHERE bulletin = ? AND place > 0"
        (length,) = self._db.execute(query, (self._bulletin,)).fetchone()
        return int(length)

    def _ciphertext(self, late: Blob | None) -> Iterator[BundleBody]:
        row = self._db.execute(_CIPHERTEXT, (self._bulletin,)).fetchone()
        if row is None or row[0] is None:
            if late is not None:
                yield from self._file(0, late)
            else:
                self.absent.append(0)
            return
        data, digest = row
        if sha256(data) != digest:
            self.absent.append(0)
            return
        for at in range(0, len(data), PIECE):
            yield BundleBody(0, data[at : at + PIECE])
        self.shown.append(0)

    def _file(self, place: int, blob: Blob) -> Iterator[BundleBody]:
        path = self._path(place)
        try:
            if measure_file(path) != blob:
                raise ValueError(path)
        except (OperatorError, ValueError):
            self.absent.append(place)
            return
        for data in pieces(path):
            for at in range(0, len(data), PIECE):
                yield BundleBody(place, data[at : at + PIECE])
        self.shown.append(place)

    def _path(self, place: int) -> Path:
        """Ours lies in `out`, what others sent in `in`."""
        name = self._bulletin.hex()
        own = self._blobs / "out" / name / str(place)
        return own if own.exists() else self._blobs / "in" / name / str(place)
