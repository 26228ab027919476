"""`saphan-broker log export`: both public logs as a folder of C2SP files, for auditors.

    OUT/directory/checkpoint, OUT/directory/tile/<L>/<N>[.p/<W>], OUT/directory/tile/entries/...
    OUT/evidence/...

The same files that HTTP serves. Each log's checkpoint is written last: the folder has everything
that its checkpoint covers. A second export into the folder adds what is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from saphan_protocol.checkpoint import Checkpoint, parse_checkpoint
from saphan_protocol.notes import parse_note
from saphan_protocol.tiles import TILE_WIDTH, encode_bundle, entries_path, tile_path, tile_widths
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS

from saphan_broker.export_file import file_error, put_file
from saphan_broker.logs.cosigned import cosigned
from saphan_broker.store.base import LOGS, CosignatureRow, Log, SignedHead

CHECKPOINT: Final = "checkpoint"


class Source(Protocol):
    """What is read; every store has it, and so has `store.sqlite_reader`."""

    async def note(self, log: Log) -> SignedHead | None: ...
    async def cosignatures(self, log: Log) -> list[CosignatureRow]: ...
    async def tile(self, log: Log, level: int, n: int) -> bytes | None: ...
    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedLog:
    """One log in the folder: its head, and how many files this export wrote."""

    origin: str
    size: int
    files: int


async def export_logs(source: Source, out: Path) -> dict[Log, ExportedLog]:
    """Write both logs up to their newest signed heads.

    Raises:
        OperatorError: `head_missing`, `tile_missing`, `folder_foreign` (another log is there),
            `file_unwritable`, `disk_full`.
    """
    return {log: await _LogFolder(source, log, out / log).export() for log in LOGS}


def head_missing(log: Log) -> OperatorError:
    """The error for a log that is under no signed head yet."""
    return OperatorError(
        "head_missing",
        f"the {log} log has no signed head",
        field="data",
        hint="start the broker once: it signs what is committed",
    )


class _LogFolder:
    def __init__(self, source: Source, log: Log, folder: Path) -> None:
        self._source = source
        self._log = log
        self._folder = folder
        self._files = 0

    async def export(self) -> ExportedLog:
        stored = await self._source.note(self._log)
        if stored is None:
            raise head_missing(self._log)
        head = parse_checkpoint(parse_note(stored.note).text)
        self._check_folder(head)
        for level, (full, width) in enumerate(tile_widths(head.size)):
            for n in range(full):
                await self._tile(level, n, TILE_WIDTH)
            if width:
                await self._tile(level, full, width)
        note = await cosigned(self._source, self._log, head.size, stored.note)
        self._put(CHECKPOINT, note)
        return ExportedLog(origin=head.origin, size=head.size, files=self._files)

    def _check_folder(self, head: Checkpoint) -> None:
        """The folder is empty, or holds an earlier export of the same log."""
        try:
            with (self._folder / CHECKPOINT).open("rb") as file:
                there = parse_checkpoint(parse_note(file.read(LIMITS.note_bytes)).text)
        except FileNotFoundError:
            if not self._folder.exists() or not any(self._folder.iterdir()):
                return
            raise self._foreign("it has files, but no checkpoint") from None
        except InvalidInput:
            raise self._foreign("its checkpoint does not parse") from None
        except OSError as error:
            raise file_error(self._folder, error) from None
        if there.origin != head.origin or there.size > head.size:
            raise self._foreign(f"it holds {there.size} leaves of {there.origin}")

    def _foreign(self, why: str) -> OperatorError:
        return OperatorError(
            "folder_foreign",
            f"{self._folder} is not an earlier export of this log: {why}",
            field="out",
            hint="name a folder that is empty or does not exist yet",
        )

    async def _tile(self, level: int, n: int, width: int) -> None:
        if width == TILE_WIDTH and (self._folder / tile_path(level, n)).exists():
            return  # a full tile never changes, and its bundle was written before it
        if level == 0:
            start = n * TILE_WIDTH
            leaves = await self._source.leaves(self._log, start, start + width)
            self._check(len(leaves), width, level, n)
            self._put(entries_path(n, width), encode_bundle(leaves))
        hashes = await self._source.tile(self._log, level, n)
        self._check(len(hashes or b"") // 32, width, level, n)
        self._put(tile_path(level, n, width), (hashes or b"")[: 32 * width])

    def _check(self, found: int, width: int, level: int, n: int) -> None:
        if found < width:
            raise OperatorError(
                "tile_missing",
                f"tile {level}/{n} of the {self._log} log has {found} of {width} hashes",
                field="data",
                hint="restore the store from a backup, or the tile from a node's copy",
            )

    def _put(self, path: str, data: bytes) -> None:
        target = self._folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(target, error) from None
        put_file(target, data)
        self._files += 1
