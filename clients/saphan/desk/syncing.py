"""Bringing a desk and its node together: first what was written here, then what came there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from saphan_schemas.errors import SaphanError

from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.listed import Listed
from saphan.desk.outbox import Outbox, Queued
from saphan.desk.queue_seen import QueueSeen
from saphan.desk.types import DeskTypes


@dataclass(frozen=True, slots=True)
class Synced:
    """What happened: sent from the outbox, refused by the node, new in the inbox.

    `erased`: how many bulletins went here for the node's word."""

    sent: list[Queued]
    refused: list[SaphanError]
    new: list[dict[str, Any]]
    erased: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a desk before, by who stays: only what was written since is opened."""

    listed: Listed = field(default_factory=Listed)
    queue: QueueSeen = field(default_factory=QueueSeen)


async def sync(desk: Desk, line: DeskLine, seen: Seen | None = None) -> Synced:
    """Hear what is to be erased, send what waits, then fetch the list of what came.

    Args:
        seen: by who has done this before.

    Raises:
        SaphanError: of the line, the node, the disk; what was done before stays done.
    """
    erased = await Confirming(desk).bring(line)
    seen = seen or Seen()
    sent, refused = await _send(desk, line, seen.queue)
    new = await Inbox(desk, seen.listed).pull(line)
    await DeskTypes(desk).bring(line)
    return Synced(sent, refused, new, erased)


async def _send(
    desk: Desk, line: DeskLine, queue: QueueSeen
) -> tuple[list[Queued], list[SaphanError]]:
    waiting = await in_thread(queue.refresh, desk.store)
    if not waiting:
        return [], []
    outbox = Outbox(desk)
    refused = await outbox.send(line)
    kept = await in_thread(outbox.some, waiting)
    return [one for one in kept if one.bulletin is not None], refused
