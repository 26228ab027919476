"""What tests of evidence share."""

from __future__ import annotations

import pytest
from saphan.node import evidence_ready
from saphan.node.service import NodeService


def have_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witnesses have all the time that a busy machine takes."""
    monkeypatch.setattr(evidence_ready, "PAUSES_S", (0.5,) * 60)


def settled(node: NodeService, bulletin: bytes, entries: int) -> bool:
    """Whether a node holds so many entries of a bulletin, each under a witnessed head."""
    rows = node.db.rows("SELECT 1 FROM entries WHERE bulletin = ?", (bulletin,))
    return len(rows) == entries and proven(node, bulletin)


def proven(node: NodeService, bulletin: bytes) -> bool:
    """Whether each entry of a bulletin that a node holds is under a witnessed head."""
    query = "SELECT 1 FROM unproven JOIN entries e USING (idx) WHERE e.bulletin = ?"
    return not node.db.rows(query, (bulletin,))
