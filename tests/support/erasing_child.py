"""A node that erases what is due and dies at one effect, or runs out of disk.

Arguments: the agency's folder, the witnessed time in ms, and where: a name of `PLACES`, or `full`.
It says what became of it as one JSON object, if it lives to do so.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from saphan import durable
from saphan.node.archive import Archive
from saphan.node.config import NodeConfig
from saphan.node.files.blobs import BlobFiles
from saphan.node.retaining.archive_days import ArchiveDays
from saphan.node.retention.erasing import Erasing
from saphan.node.retention.witnessed import WitnessedTime
from saphan.node.rows.db import Database
from saphan.node.service import NodeService, build
from saphan_schemas.errors import SaphanError

ROOM: Final = 8_192


def die(*_args: object, **_kwargs: object) -> Any:
    """Nothing runs after this: no handler, no `finally`, no buffer is written."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(real: Callable[..., Any]) -> Callable[..., Any]:
    """The same effect, and then nothing more."""

    def work(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        die()

    return work


def _after(kind: type, name: str) -> Callable[[], Any]:
    return lambda: patch.object(kind, name, dies_after(getattr(kind, name)))


PLACES: Final[dict[str, Callable[[], Any]]] = {
    "before the rows": lambda: patch.object(Erasing, "_destroy", die),
    "after the rows": _after(Erasing, "_destroy"),
    "after the files": _after(BlobFiles, "destroy"),
    "after the journal": _after(Database, "truncate"),
    "after the statement": _after(Erasing, "_finish"),
    "after wrapping anew": _after(ArchiveDays, "_rewrap"),
    "in the key": lambda: patch.object(durable, "_overwrite", die),
    "after the key": _after(Archive, "destroy"),
}


def node(folder: Path, now: int) -> NodeService:
    """The node of a folder at a time; it has no line to a broker, and needs none."""
    return build(NodeConfig(folder=folder, broker="ws://127.0.0.1:1", clock=lambda: now))


def sweep(service: NodeService, now: int | None) -> int:
    """One look at what is due at a witnessed time; how many were erased."""
    sweeping = service.retention.sweeping
    with patch.object(WitnessedTime, "now", lambda _: now):
        sweeping.begin()
        sweeping.reckoner.finish()
        today = sweeping.today()
        if today is None:
            return 0
        after, total = (-1, -1), 0
        while True:
            place, erased = sweeping.part(today, after)
            total += erased
            if place == after:
                break
            after = place
        sweeping.end(today)
    return total


def fill() -> None:
    """No file of this process grows beyond a part of what the sweep writes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))


def main() -> None:
    folder, now, where = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    service = node(folder, now)
    with closing(service.db):
        if where == "full":
            fill()
            try:
                sweep(service, now)
            except SaphanError as error:
                sys.stdout.write(json.dumps({"code": error.code}))
            return
        with PLACES[where]():
            sweep(service, now)
        sys.stdout.write(json.dumps({"code": None}))


if __name__ == "__main__":
    main()
