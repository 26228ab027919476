"""A log in a folder, as C2SP tlog-tiles lays it out: what HTTP serves and `log export` writes.

    FOLDER/directory/checkpoint        FOLDER/directory/tile/<L>/<N>[.p/<W>]
    FOLDER/evidence/...                FOLDER/directory/tile/entries/<N>[.p/<W>]

Nothing here is believed: `saphan_protocol.audit` compares all of it with the pinned keys' heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import (
    TILE_BYTES,
    TILE_WIDTH,
    decode_bundle,
    edge_tiles,
    entries_path,
    tile_path,
)
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

from saphan.durable import read_bounded

CHECKPOINT: Final = "checkpoint"
BUNDLE_BYTES: Final = TILE_WIDTH * (2 + LIMITS.leaf_bytes)
"""256 leaves of the greatest length: 16 MiB, read one bundle at a time."""


class LogFolder:
    """One log's folder; a `LogSource` of the audit.

    Raises:
        OperatorError: `log_folder_missing` when there is no checkpoint in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / CHECKPOINT).is_file():
            raise OperatorError(
                "log_folder_missing",
                f"{folder} holds no log: there is no checkpoint in it",
                field="folder",
                hint="name the folder that `saphan audit fetch` or `saphan-broker log export` made",
            )

    def note(self) -> bytes:
        """The checkpoint's bytes."""
        return read_bounded(self.folder / CHECKPOINT, LIMITS.note_bytes, CHECKPOINT)

    def leaves(self, size: int) -> Iterator[bytes]:
        """All leaves, a bundle in memory at a time.

        Raises:
            OperatorError: `file_missing`; InvalidInput: `bundle_malformed`, `too_large`.
        """
        full, width = divmod(size, TILE_WIDTH)
        for n in range(full):
            yield from self._bundle(n, TILE_WIDTH)
        if width:
            yield from self._bundle(full, width)

    def tree(self, size: int) -> TileTree | None:
        """The tiles at this size; None for a folder that has entries only."""
        if not any((self.folder / "tile").glob("[0-9]*")):
            return None
        edge = {(level, n): self._tile(level, n, width) for level, n, width in edge_tiles(size)}
        return TileTree(size, edge, lambda level, n: self._tile(level, n, TILE_WIDTH))

    def _bundle(self, n: int, width: int) -> tuple[bytes, ...]:
        path = entries_path(n, width)
        return decode_bundle(read_bounded(self.folder / path, BUNDLE_BYTES, path), width)

    def _tile(self, level: int, n: int, width: int) -> bytes:
        path = tile_path(level, n, width)
        return read_bounded(self.folder / path, TILE_BYTES, path)
