"""The bulletin that a new one is about, as far as this desk has it; blocking, with the store."""

from __future__ import annotations

from typing import Any

from saphan_schemas.errors import InvalidInput

from saphan.desk.desk import Desk
from saphan.desk.form_drafts import Follows
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox, Queued
from saphan.header_json import header_json
from saphan.web.open_desk import OpenDesk
from saphan.web.writing.beginning import Original

Json = dict[str, Any]


def original(desk: Desk, bulletin: str) -> Original:
    """A bulletin that was received, or sent from this desk.

    Args:
        bulletin: its whole id.

    Raises:
        InvalidInput: `bulletin_unknown`, `id_malformed`.
    """
    inbox = Inbox(desk)
    sent = sent_here(desk, bulletin)
    if sent is not None:
        return _of(
            bulletin, header_json(sent.header), _written(sent), len(sent.written.attachments)
        )
    opened = inbox.opened(bulletin)
    if opened is not None:
        return _of(bulletin, opened["header"], opened["content"], len(opened["attachments"]))
    header = inbox.header_kept(bulletin)
    if header is None:
        raise InvalidInput(
            "bulletin_unknown",
            f"this desk has not heard of a bulletin {bulletin[:16]}",
            field="id",
            hint="look it up in the inbox, or among what was sent",
        )
    return _of(bulletin, header, None, 0)


def taken_back(place: OpenDesk, about: Original | Follows | None) -> str | None:
    """Why its sender has recalled what came, as far as this desk was told; None: it stands."""
    row = None if about is None else place.rows.get(about.id)
    return None if row is None else row.recalled


def sent_here(desk: Desk, bulletin: str) -> Queued | None:
    """The copy in the outbox of what was sent from this desk."""
    found = (one for one in Outbox(desk).all() if one.bulletin is not None)
    return next((one for one in found if one.bulletin and one.bulletin.hex() == bulletin), None)


def _written(sent: Queued) -> Json:
    wish = sent.written.wish()
    return {"about": wish.about, "body": wish.body}


def _of(bulletin: str, header: Json, content: Json | None, attachments: int) -> Original:
    return Original(
        id=bulletin,
        sender=header["sender"],
        recipients=tuple(header["recipients"]),
        schema=header["schema"],
        exercise=header["exercise"],
        urgency=header["urgency"],
        tlp=header["marking"]["tlp"],
        content=content,
        attachments=attachments,
    )
