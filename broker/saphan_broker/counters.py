"""What the broker counts since its start: no content, no agency, nothing per corridor."""

from __future__ import annotations

from collections import Counter

SHARE = 0.1
"""Of the newest group in `plain_seconds`."""


class Counters:
    """Owned by the event loop; read by `Broker.stats` and the metrics."""

    def __init__(self) -> None:
        self.logged = 0
        """Bulletins and statements that were logged, or got their first answer again."""
        self.registered = 0
        """Operations and agreements that were logged."""
        self.refused: Counter[str] = Counter()
        """Refused items by error code; codes come from the program, so there are few."""
        self.destroyed = 0
        """Deliveries that were destroyed, each with its entry."""
        self.rewrapped = 0
        """Stanzas of held deliveries that were wrapped anew."""
        self.forgotten = 0
        """Old entries, bulletins and signatures that were removed."""
        self.commits = 0
        self.commit_seconds = 0.0
        """Time spent in durable commits of the evidence log."""
        self.plain_seconds = 0.0
        """What a group takes that destroys nothing, from its commit to its signed head: of the
        last ones, the older the less; 0.0 before any."""

    @property
    def refused_total(self) -> int:
        """Refused items."""
        return self.refused.total()

    def published(self, seconds: float) -> None:
        """A group that destroys nothing is under its signed head."""
        before = self.plain_seconds or seconds
        self.plain_seconds = before + SHARE * (seconds - before)

    def committed(self, seconds: float) -> None:
        """A commit was made durable."""
        self.commits += 1
        self.commit_seconds += seconds
