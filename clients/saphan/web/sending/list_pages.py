"""/sent: what waits and what was sent, with where each delivery stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from saphan.desk.desk import Desk
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox, Queued, queued_row
from saphan.header_json import header_json
from saphan.web.rendering.page import render
from saphan.web.sending.following import SETTLED, follow
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace

Json = dict[str, Any]
PAGE: Final = 25
"""Bulletins on one page; the states of each are asked of the node."""


@dataclass(frozen=True, slots=True)
class SentRow:
    """One bulletin of the outbox.

    Args:
        row: `queued_row`; header: in JSON; title: by language, {} if it has none.
        deliveries: where each recipient's stands, as the node told it last; None: not told yet.
        may_withdraw: it has not left this desk.
    """

    row: Json
    header: Json
    title: Json
    deliveries: list[Json] | None
    recalled: bool
    may_withdraw: bool

    @property
    def settled(self) -> bool:
        """Whether nothing more is to come."""
        found = self.deliveries
        return found is not None and all(one["state"] in SETTLED for one in found)


async def listed(request: web.Request) -> web.Response:
    """GET /sent?page=N: newest first, what waits before what was sent."""
    place = opened(request)
    text = request.query.get("page", "1")
    page = max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1
    rows, pages = await place.work(partial(_rows, page=page))
    ids = [one.row["id"] for one in rows if one.row["id"] is not None and not one.settled]
    follow(place, ids)
    known = await words(workplace(request).lang)
    return await render(
        request, "sending/sent.html", rows=rows, page=min(page, pages), pages=pages, **known
    )


async def withdraw(request: web.Request) -> web.Response:
    """POST /sent/{n}/withdraw: what waits is a draft again."""
    place, number = opened(request), int(request.match_info["number"])
    made = await place.work(lambda desk: Outbox(desk).withdraw(number))
    for topic in ("sent", "drafts"):
        place.topics.publish(topic)
    raise back(request, f"/drafts/{made.number}" if isinstance(made, FormDraft) else "/drafts")


# --- inside ---------------------------------------------------------------------------------------


def _rows(desk: Desk, page: int) -> tuple[list[SentRow], int]:
    outbox, inbox = Outbox(desk), Inbox(desk)
    every = sorted(outbox.all(), key=lambda one: (one.bulletin is not None, -one.number))
    pages = max(1, -(-len(every) // PAGE))
    page = min(page, pages)
    part = every[(page - 1) * PAGE : page * PAGE]
    return [_row(desk, inbox, one) for one in part], pages


def _row(desk: Desk, inbox: Inbox, one: Queued) -> SentRow:
    row = queued_row(one)
    life = None if row["id"] is None else inbox.status_kept(row["id"])
    form = FormDrafts(desk).find(one.number)
    wish = one.written.wish()
    title = wish.about.get("title")
    deliveries: list[Json] | None = None if life is None else life["deliveries"]
    return SentRow(
        row=row | {"form": form is not None, "draft": one.draft.hex()},
        header=header_json(one.header),
        title=title if isinstance(title, dict) else {},
        deliveries=deliveries,
        recalled=any(each["state"] == "recalled" for each in deliveries or ()),
        may_withdraw=row["state"] == "waiting" and not one.asked,
    )


ROUTES: Final = (
    web.get("/sent", listed),
    web.post(r"/sent/{number:\d{1,15}}/withdraw", withdraw),
)
