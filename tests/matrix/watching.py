"""Who is shown what: at each node a case system that keeps its place in the inbox, and goes on.

It looks all the time, whatever breaks meanwhile: what its node lists behind its place it is never
shown, and what the node lists before it once more it is shown twice.
"""

from __future__ import annotations

from collections import Counter

from saphan.node.service import NodeService
from support.oracle import Ledger

PAGE = 50
SYSTEM = "case system"


class CaseSystems:
    """One at each node, with a place that outlives its node."""

    def __init__(self, ledger: Ledger, agencies: tuple[str, ...]) -> None:
        self._ledger = ledger
        self._place: Counter[str] = Counter()
        for agency in agencies:
            ledger.watches(agency, SYSTEM)

    def look(self, node: NodeService) -> None:
        """Take what is new."""
        while rows := node.bulletins.inbox(self._place[node.agency], PAGE):
            for row in rows:
                self._ledger.shown(node.agency, SYSTEM, row["id"])
            self._place[node.agency] = rows[-1]["seq"]
