"""Bringing a desk and its node together: first what was written here, then what came there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saphan_schemas.errors import SaphanError

from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.listed import Listed
from saphan.desk.outbox import Outbox, Queued
from saphan.desk.types import DeskTypes


@dataclass(frozen=True, slots=True)
class Synced:
    """What happened: sent from the outbox, refused by the node, new in the inbox.

    `erased`: how many bulletins went here for the node's word."""

    sent: list[Queued]
    refused: list[SaphanError]
    new: list[dict[str, Any]]
    erased: int = 0


async def sync(desk: Desk, line: DeskLine, listed: Listed | None = None) -> Synced:
    """Hear what is to be erased, send what waits, then fetch the list of what came.

    Args:
        listed: rows of the inbox, of who stays: only what is new is opened.

    Raises:
        SaphanError: of the line, the node, the disk; what was done before stays done.
    """
    erased = await Confirming(desk).bring(line)
    outbox, inbox = Outbox(desk), Inbox(desk, listed)
    waiting = {one.number for one in await in_thread(outbox.waiting)}
    refused = await outbox.send(line)
    kept = await in_thread(outbox.some, sorted(waiting))
    sent = [one for one in kept if one.bulletin is not None]
    new = await inbox.pull(line)
    await DeskTypes(desk).bring(line)
    return Synced(sent, refused, new, erased)
