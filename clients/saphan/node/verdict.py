"""What a node answers about a received bulletin."""

from __future__ import annotations

from dataclasses import dataclass

from saphan_schemas.records import Event

from saphan.node.threads.rows import KeptWords


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the node answers; `event` is None when it cannot judge yet.

    `reason` is for the originator alone; `wrapped` is the content key and `author` the handle,
    both under the key of the retention day; `words` is what it says of its thread.
    """

    event: Event | None
    code: str | None = None
    reason: str | None = None
    wrapped: bytes | None = None
    author: bytes | None = None
    words: KeptWords | None = None
