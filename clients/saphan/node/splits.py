"""Two histories that were proven here: written to a file, shown to people, never forgotten.

While one of them stands, the node does not speak with the broker. The file is written first, then
the row: a file without a row is found at the next start. Only what this node's own pins prove stops
it for good; who cannot sign as the log cannot do that. A person clears it, with a reason.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from saphan_protocol.pins import Pins
from saphan_protocol.split_file import SplitFile, format_split, parse_split
from saphan_protocol.split_view import Proven, SplitVerdict, judge_split
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError
from saphan_schemas.limits import LIMITS

from saphan.durable import create_file, read_bounded
from saphan.node.alarms import Alarms
from saphan.node.rows.db import Database
from saphan.node.seen_heads import DIFFERS
from saphan.node.split import TwoHistories

CODE: Final = "split_view"
PATTERN: Final = "split-view-*.json"
REASON_BYTES: Final = 1_000

log = logging.getLogger("saphan.node")


@dataclass(frozen=True, slots=True)
class Split:
    """Two histories that stand; `file` is the proof."""

    origin: str
    size: int
    file: Path
    found: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a person has cleared: files of proofs, and peers who saw something else."""

    splits: list[str]
    seen: list[str]


class Splits:
    """What was proven to this node. Thread-safe.

    Args:
        agency: who writes the files; folder: where; clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        folder: Path,
        pins: Pins,
        alarms: Alarms,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._folder = folder
        self._pins = pins
        self._alarms = alarms
        self._clock = clock
        self._lock = threading.Lock()
        self._unwritten: TwoHistories | None = None

    def follow(self, pins: Pins) -> None:
        """Judge what comes by the successor's origins; what stood stands, by the lasting pins."""
        self._pins = pins

    def standing(self) -> list[Split]:
        """What was proven of this broker's logs and not cleared, oldest first; blocking."""
        rows = self._db.rows(
            "SELECT origin, size, file, found FROM splits WHERE pins = ? AND cleared IS NULL"
            " ORDER BY position",
            (self._pins.digest,),
        )
        return [Split(origin, size, self._folder / file, at) for origin, size, file, at in rows]

    def look(self) -> OperatorError | None:
        """Why this node does not speak with its broker, from the disk; the alarm sounds.

        Raises:
            OperatorError: the disk.
        """
        self._find_files()  # first: of what waits to be written, the file may be there
        self._write_what_waits()
        standing = self.standing()
        if not standing:
            return None
        error = _error(standing[0])
        self._alarms.sound(error)
        return error

    def keep(self, met: TwoHistories) -> OperatorError:
        """Write down two histories, if they are proven; the error to show instead of `met`.

        What is not proven (an older release kept no note, a disk has changed what is remembered)
        accuses nobody: the line stops until the next start. If the disk is full, it stops too, and
        the proof is written when there is room.
        """
        made = SplitFile(
            pins=self._pins,
            found_by=self._agency,
            found_at=self._clock(),
            notes=tuple(note for note in met.shown.notes if note),
            histories=met.shown.histories,
            anchors=met.shown.anchors,
            successors=met.shown.successors,
        )
        verdict = judge_split(made, self._pins)
        if verdict.proven is not Proven.YES:
            return _unproven(met)
        try:
            return self._keep(made, verdict)
        except OperatorError as error:
            self._unwritten = met
            self._alarms.sound(error)
            return met

    def clear(self, reason: str) -> Cleared:
        """A person decides that the node speaks with its broker again; what stood until now.

        What peers have said they saw is cleared with it: it was looked at.

        Raises:
            InvalidInput: `reason_length`; OperatorError: the disk.
        """
        if not 0 < len(reason.strip().encode()) <= REASON_BYTES:
            raise InvalidInput(
                "reason_length",
                f"say why the node may go on, in at most {REASON_BYTES} bytes",
                field="reason",
            )
        standing = [str(split.file) for split in self.standing()]
        seen = self._db.rows("SELECT sender FROM seen_heads WHERE state = 'differs'")
        with self._db.transaction() as tx:
            tx.execute(
                "UPDATE splits SET cleared = ?, reason = ? WHERE pins = ? AND cleared IS NULL",
                (self._clock(), reason, self._pins.digest),
            )
            tx.execute("UPDATE seen_heads SET state = 'cleared' WHERE state = 'differs'")
        self._unwritten = None
        for code in (CODE, "directory_differs", DIFFERS):
            self._alarms.clear(code)
        log.warning("the broker is trusted again by hand: %s", reason.strip())
        return Cleared(standing, [sender for (sender,) in seen])

    def listed(self) -> list[dict[str, Any]]:
        """Everything that was ever proven, for people: oldest first."""
        names = ("origin", "size", "file", "found", "cleared", "reason")
        rows = self._db.rows(
            "SELECT origin, size, file, found, cleared, reason FROM splits ORDER BY position"
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [row | {"file": str(self._folder / str(row["file"]))} for row in found]

    # --- writing ----------------------------------------------------------------------------------

    def _keep(self, made: SplitFile, verdict: SplitVerdict) -> OperatorError:
        with self._lock:
            for split in self.standing():
                if _same(split, verdict):
                    return _error(split)  # met again, at each new session of a process that races
            path = self._write(made, verdict)
            split = self._note(path, verdict, made.found_at)
        log.error("two histories: %s", path)
        return _error(split)

    def _write(self, made: SplitFile, verdict: SplitVerdict) -> Path:
        stamp = datetime.fromtimestamp(made.found_at / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        origin, size = _place(verdict)
        path = self._folder / f"split-view-{stamp}-{origin.split('/')[-2]}-{size}.json"
        create_file(path, format_split(made))
        return path

    def _note(self, path: Path, verdict: SplitVerdict, found: int) -> Split:
        origin, size = _place(verdict)
        split = Split(origin, size, path, found)
        message = _error(split).message
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO splits (pins, origin, size, message, file, found)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (file) DO NOTHING",
                (self._pins.digest, origin, size, message, path.name, found),
            )
        return split

    def _write_what_waits(self) -> None:
        met, self._unwritten = self._unwritten, None
        if met is not None:
            self.keep(met)

    def _find_files(self) -> None:
        """A crash after the file was written, or a store older than it: the file says it all."""
        known = {name for (name,) in self._db.rows("SELECT file FROM splits")}
        for path in sorted(self._folder.glob(PATTERN)):
            if path.name in known:
                continue
            try:
                made = parse_split(read_bounded(path, LIMITS.split_bytes, "split"))
            except SaphanError:
                continue  # not written by this node, or not by this release
            verdict = judge_split(made, self._pins)
            if verdict.proven is Proven.YES:
                self._note(path, verdict, made.found_at)


def _place(verdict: SplitVerdict) -> tuple[str, int]:
    if verdict.sides is None:
        raise RuntimeError("nothing is proven")
    return verdict.sides[0].origin, verdict.sides[0].size


def _same(split: Split, verdict: SplitVerdict) -> bool:
    return (split.origin, split.size) == _place(verdict)


def _unproven(met: TwoHistories) -> OperatorError:
    return OperatorError(
        "split_unproven",
        f"{met.origin} has signed another history of {met.size} leaves than this node remembers, "
        "and no signed head that is kept here proves it",
        hint="one of the two is wrong: compare with the other agencies (saphan audit heads), and "
        "look after this machine's disk; to go on: saphan node trust-again --reason TEXT",
    )


def _error(split: Split) -> OperatorError:
    return OperatorError(
        CODE,
        f"{split.origin} has signed two different histories of {split.size} leaves; the proof is "
        f"{split.file}",
        hint="this node has stopped speaking with its broker: show the file to the other agencies "
        "and to the auditor (saphan audit split FILE); to go on after it is settled: saphan node "
        "trust-again --reason TEXT",
    )
