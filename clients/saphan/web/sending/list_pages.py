"""/sent: what waits and what was sent, with where each delivery stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from aiohttp import web

from saphan.desk.desk import Desk
from saphan.desk.form_drafts import FormDraft
from saphan.desk.inbox import Inbox
from saphan.desk.kept import KeptDays
from saphan.desk.outbox import Outbox
from saphan.web.rendering.page import render
from saphan.web.rendering.paging import page_number
from saphan.web.sending.following import SETTLED, follow
from saphan.web.sending.sent_list import Listed, SentList, sent_list
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace

Json = dict[str, Any]
PAGE: Final = 25
"""Bulletins on one page; the states of each are asked of the node."""


@dataclass(frozen=True, slots=True)
class SentRow:
    """One bulletin with where it stands.

    Args:
        deliveries: where each recipient's stands, as the node told it last; None: not told yet.
    """

    listed: Listed
    deliveries: list[Json] | None

    @property
    def may_withdraw(self) -> bool:
        """Whether it has not left this desk."""
        return self.listed.row["state"] == "waiting" and not self.listed.asked

    @property
    def recalled(self) -> bool:
        """Whether it was taken back."""
        return any(each["state"] == "recalled" for each in self.deliveries or ())

    @property
    def settled(self) -> bool:
        """Whether nothing more is to come."""
        found = self.deliveries
        return found is not None and all(one["state"] in SETTLED for one in found)


async def listed(request: web.Request) -> web.Response:
    """GET /sent?page=N: newest first, what waits before what was sent."""
    place = opened(request)
    page = page_number(request)
    rows, pages = await place.work(partial(_rows, every=sent_list(place), page=page))
    ids = [one.listed.row["id"] for one in rows if one.listed.row["id"] and not one.settled]
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


def _rows(desk: Desk, every: SentList, page: int) -> tuple[list[SentRow], int]:
    found, inbox = every.look(desk.store), Inbox(desk)
    pages = max(1, -(-len(found) // PAGE))
    page = min(page, pages)
    part = found[(page - 1) * PAGE : page * PAGE]
    kept = KeptDays(desk)
    return [SentRow(_readable(one, kept), _deliveries(inbox, one.row["id"])) for one in part], pages


def _readable(one: Listed, kept: KeptDays) -> Listed:
    """Without the title, where nobody may read what it says."""
    bulletin = one.row["id"]
    if bulletin is None or kept.shown(bytes.fromhex(bulletin)):
        return one
    return replace(one, title={})


def _deliveries(inbox: Inbox, bulletin: str | None) -> list[Json] | None:
    life = None if bulletin is None else inbox.status_kept(bulletin)
    return None if life is None else list(life["deliveries"])


ROUTES: Final = (
    web.get("/sent", listed),
    web.post(r"/sent/{number:\d{1,15}}/withdraw", withdraw),
)
