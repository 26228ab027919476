"""What happened in a round: one JSON object a line, written at once, with the round's clock."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Story:
    """The round's diary; `now` is seconds since the load began (before that, below zero)."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")
        self._begun = time.monotonic()
        self.events: list[Event] = []

    def begin(self) -> None:
        """The load begins."""
        self._begun = time.monotonic()

    @property
    def now(self) -> float:
        return time.monotonic() - self._begun

    def tell(self, what: str, **more: Any) -> None:
        """Note an event."""
        event = {"at": round(self.now, 3), "what": what, **more}
        self.events.append(event)
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()

    def all(self, what: str) -> list[Event]:
        """Events of one kind, in order."""
        return [event for event in self.events if event["what"] == what]

    def close(self) -> None:
        self._file.close()
