"""Which bulletins have final files but are not logged yet, or are about to be destroyed: a marker
of each, in files.

unlogged/<agency>/<bulletin id>-<bytes>   an empty file; its time is that of the last submission

What a crash means: a marker is durable before the first file it stands for gets its name, and goes
after the bulletin is logged, or after its files have gone. So a sweep looks at what is in flight,
not at all that was ever logged. Calls for one agency come under its lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from saphan_broker.blobs.base import too_much
from saphan_broker.private_files import sync_directory


class Marked(NamedTuple):
    """A bulletin that was not logged when it was last looked at.

    Attributes:
        since: ms of its last submission.
    """

    agency: str
    bulletin: bytes
    since: int


class Unlogged:
    """The markers under `place`.

    Args:
        most: bytes of an agency's bulletins that may wait for their entry, or for the sweep.
    """

    def __init__(self, place: Path, most: int) -> None:
        self._place = place
        self._most = most
        self._counted: dict[str, dict[bytes, int]] = {}

    def add(self, agency: str, bulletin: bytes, size: int, now: int) -> bool:
        """Mark a bulletin; gives whether it was not marked before.

        Args:
            size: what it counts, `base.charge`.

        Raises:
            Unavailable: `attachments_wait`.
        """
        mine = self._of(agency)
        fresh = bulletin not in mine
        if fresh and sum(mine.values()) + size > self._most:
            raise too_much()
        self.mark(agency, bulletin, size, now)
        return fresh

    def mark(self, agency: str, bulletin: bytes, size: int, now: int) -> None:
        """The same, however many there are: of one that is about to be destroyed."""
        mine = self._of(agency)
        fresh = bulletin not in mine
        path = self._path(agency, bulletin, mine.get(bulletin, size))
        if fresh:
            first = not path.parent.is_dir()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            above = (self._place, self._place.parent) if first else ()
            for folder in (path.parent, *above):
                sync_directory(folder)
            mine[bulletin] = size
        os.utime(path, ns=(now * 1_000_000, now * 1_000_000))

    def remove(self, agency: str, bulletin: bytes, before: int | None = None) -> None:
        """Forget a marker, unless it was set at `before` (ms) or later; idempotent."""
        mine = self._of(agency)
        if bulletin not in mine:
            return
        path = self._path(agency, bulletin, mine[bulletin])
        with suppress(FileNotFoundError):
            if before is not None and path.stat().st_mtime_ns // 1_000_000 >= before:
                return
            path.unlink()
        del mine[bulletin]

    def reread(self, agency: str) -> None:
        """Another process had a turn: what was counted may be wrong."""
        self._counted.pop(agency, None)

    def old(self, before: int) -> Iterator[Marked]:
        """Markers that were last set before a time (ms), of all agencies; needs no lock."""
        for folder in sorted(_inside(self._place)):
            for path in sorted(folder.iterdir()):
                with suppress(ValueError, FileNotFoundError):
                    since = path.stat().st_mtime_ns // 1_000_000
                    if since < before:
                        yield Marked(folder.name, _parse(path.name)[0], since)

    def _of(self, agency: str) -> dict[bytes, int]:
        if agency not in self._counted:
            found = (_parse(path.name) for path in _inside(self._place / agency))
            self._counted[agency] = dict(found)
        return self._counted[agency]

    def _path(self, agency: str, bulletin: bytes, size: int) -> Path:
        return self._place / agency / f"{bulletin.hex()}-{size}"


def _parse(name: str) -> tuple[bytes, int]:
    bulletin, _, size = name.partition("-")
    return bytes.fromhex(bulletin), int(size)


def _inside(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())
