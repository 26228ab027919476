"""What a feed frame would make of this node's view of the evidence log, before it is believed."""

from __future__ import annotations

from dataclasses import dataclass, field

from saphan_protocol.checkpoint import Head
from saphan_protocol.corridor import Tail
from saphan_schemas.frames import AnchorProof


@dataclass(slots=True)
class FeedCheck:
    """A feed frame under verification: the head, and corridor ends as they will be after it."""

    head: Head
    anchor: AnchorProof | None
    next: int
    tails: dict[tuple[str, str], Tail] = field(default_factory=dict)
    time: int = 0
