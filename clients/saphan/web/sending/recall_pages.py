"""/bulletins/{id}/recall: take back what one wrote, see who has obeyed."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from aiohttp import web
from saphan_protocol.delivery import DECLINED_CODES, RECALLED_CODES
from saphan_schemas.errors import InvalidInput

from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.web.open_desk import OpenDesk
from saphan.web.rendering.page import render
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace
from saphan.web.writing.originals import original

Json = dict[str, Any]
REASONS: Final = tuple(sorted(RECALLED_CODES))
DECLINES: Final = tuple(sorted(DECLINED_CODES))
OBEY: Final = "obey"
BULLETIN: Final = "{id:[0-9a-f]{64}}"


async def show(request: web.Request) -> web.Response:
    """GET: how it stands for each recipient; before it was ordered, the reasons to choose from."""
    place, bulletin = opened(request), request.match_info["id"]
    found = await _ask(place, bulletin, None)
    about = await place.work(partial(original, bulletin=bulletin))
    return await render(
        request,
        "sending/recall.html",
        id=bulletin,
        about=about,
        mine=about.sender == place.me.agency,
        recall=found,
        reasons=REASONS,
        declines=DECLINES,
        **await words(workplace(request).lang),
    )


async def order(request: web.Request) -> web.Response:
    """POST with `reason` and `sure`: it goes to the log, and to everybody who has it."""
    place, bulletin, given = opened(request), request.match_info["id"], await request.post()
    reason = str(given.get("reason", ""))
    if reason not in RECALLED_CODES:
        raise InvalidInput(
            "recall_code",
            "a recall has one of the reasons",
            field="reason",
            hint=", ".join(REASONS),
        )
    await _ask(place, bulletin, reason)
    place.topics.publish("sent")
    raise back(request, f"/bulletins/{bulletin}/recall")


async def answer(request: web.Request) -> web.Response:
    """POST with `answer`: "obey", which erases it in this agency, or the code of why it is kept."""
    place, bulletin, given = opened(request), request.match_info["id"], await request.post()
    said = str(given.get("answer", ""))
    if said not in (OBEY, *DECLINES):
        raise InvalidInput(
            "recall_code", "this is no answer to a recall", field="answer", hint=", ".join(DECLINES)
        )
    declined = None if said == OBEY else said

    async def ask(desk: Desk, line: DeskLine) -> Json:
        return await Inbox(desk).answer_recall(line, bytes.fromhex(bulletin), declined)

    await place.ask(ask)
    for topic in ("inbox", "sent"):
        place.topics.publish(topic)
    raise back(request, f"/bulletins/{bulletin}/recall")


async def _ask(place: OpenDesk, bulletin: str, reason: str | None) -> Json:
    """Nothing of a recall is kept here: it is asked of the node each time."""

    async def ask(desk: Desk, line: DeskLine) -> Json:
        return await Inbox(desk).recall(line, bulletin, reason)

    return await place.ask(ask)


ROUTES: Final = (
    web.post(f"/bulletins/{BULLETIN}/recall/answer", answer),
    web.get(f"/bulletins/{BULLETIN}/recall", show),
    web.post(f"/bulletins/{BULLETIN}/recall", order),
)
