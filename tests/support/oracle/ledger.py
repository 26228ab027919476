"""What was promised to people and case systems, as lines of JSON that are only ever appended.

Whoever makes load writes a line as soon as the product has answered. A line that a kill has cut
was not written: its promise was heard by nobody.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A bulletin whose sender was told that it is kept; `at` in ms."""

    bulletin: str
    sender: str
    recipients: tuple[str, ...]
    at: int


@dataclass
class Promised:
    """All ledgers together.

    Attributes:
        bulletins: by id, in hexadecimal digits.
        shown: how often (agency, officer, bulletin) was shown as new.
        watching: (agency, officer) who are to see whatever their agency accepts.
    """

    bulletins: dict[str, Acknowledged] = field(default_factory=dict)
    shown: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    watching: set[tuple[str, str]] = field(default_factory=set)


class Ledger:
    """Appends to one file; several processes may share it, for a line is one write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def acknowledged(self, bulletin: str, sender: str, recipients: Iterable[str]) -> None:
        """The sender's node has answered with this id (hexadecimal digits)."""
        self._write("acknowledged", bulletin=bulletin, sender=sender, recipients=[*recipients])

    def shown(self, agency: str, officer: str, bulletin: str) -> None:
        """An officer, or a case system under a name, was told of a bulletin as a new one."""
        self._write("shown", agency=agency, officer=officer, bulletin=bulletin)

    def watches(self, agency: str, officer: str) -> None:
        """From now on whatever the agency accepts is shown to this officer, at the latest when all
        has settled."""
        self._write("watches", agency=agency, officer=officer)

    def _write(self, what: str, **fields: Any) -> None:
        said = {"what": what, "at": time.time_ns() // 1_000_000, **fields}
        line = json.dumps(said, ensure_ascii=False).encode() + b"\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


def read_ledgers(paths: Iterable[Path]) -> Promised:
    """What the ledgers say together; a line that does not end was not written."""
    found = Promised()
    for path in paths:
        for line in path.read_bytes().split(b"\n")[:-1]:
            _take(found, json.loads(line))
    return found


def _take(found: Promised, said: dict[str, Any]) -> None:
    match said["what"]:
        case "acknowledged":
            one = Acknowledged(
                said["bulletin"], said["sender"], tuple(said["recipients"]), said["at"]
            )
            found.bulletins.setdefault(one.bulletin, one)
        case "shown":
            found.shown[said["agency"], said["officer"], said["bulletin"]] += 1
        case "watches":
            found.watching.add((said["agency"], said["officer"]))
        case other:
            raise ValueError(f"no ledger says {other!r}")
