"""/write: what kind of bulletin, to whom; from nothing, or because of another bulletin."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final, cast

from aiohttp import web
from saphan_schemas.errors import InvalidInput, Refused

from saphan.corridors import allowed
from saphan.desk.desk import Desk
from saphan.desk.form_drafts import Follows, FormDraft, FormDrafts, RelationKind
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.web.open_desk import OpenDesk
from saphan.web.rendering.page import render
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace
from saphan.web.writing.beginning import (
    KINDS,
    Original,
    addressed,
    first_answers,
    following,
    may,
    types_for,
    under,
)
from saphan.web.writing.carrying import carry
from saphan.web.writing.originals import original, taken_back
from saphan.web.writing.partners import ceiling, partners, reachable

Json = dict[str, Any]
WHOLE_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


async def choose(request: web.Request) -> web.Response:
    """GET /write: types first, then recipients of the one that was chosen."""
    place = opened(request)
    start, about = await _about(place, request.query)
    types = await _types(place, start, about)
    chosen = request.query.get("type", "")
    if start and not chosen and types:
        chosen = next(iter(types))
    if chosen not in types:
        return await render(
            request,
            "writing/types.html",
            types=types,
            partners=partners(types),
            start=start,
            about=about,
            **await words(workplace(request).lang),
        )
    marked = addressed(start, about, place.me.agency) if about is not None else ()
    return await render(
        request,
        "writing/recipients.html",
        schema=chosen,
        types=types,
        reached=types[chosen],
        missed=sorted(set(marked) - set(types[chosen])),
        marked=marked or (types[chosen] if len(types[chosen]) == 1 else ()),
        start=start,
        about=about,
        recalled=taken_back(place, about),
        **await words(workplace(request).lang),
    )


async def begin(request: web.Request) -> web.Response:
    """POST /write: a new draft."""
    place, given = opened(request), await request.post()
    start, about = await _about(place, given)
    if about is not None and about.content is None:
        about = await _read(place, about)
    schema = str(given.get("type", ""))
    types = await _types(place, start, about)
    to = tuple(dict.fromkeys(str(one) for one in given.getall("to", [])))
    if schema not in types or not set(to) <= set(types[schema]):
        raise Refused(
            "agreement_missing",
            "no agreement in force takes this type to these agencies",
            field="to",
            hint="choose again; agreements are made by the heads of office",
        )
    if not to:
        raise InvalidInput(
            "recipients_missing", "no recipient was chosen", field="to", hint="choose one at least"
        )
    lang = workplace(request).lang
    made = await place.work(partial(_begin, schema=schema, to=to, lang=lang, kind=KINDS.get(start),
                                    about=about))  # fmt: skip
    if about is not None and start != "reply" and about.attachments:
        await carry(place, about.id, made.number)
    place.topics.publish("drafts")
    raise back(request, f"/drafts/{made.number}")


# --- inside ---------------------------------------------------------------------------------------


async def _about(place: OpenDesk, given: Any) -> tuple[str, Original | None]:
    """How a bulletin begins, and because of which one; ("", None) from nothing.

    Raises:
        InvalidInput: `bulletin_unknown`; Refused: `relation_foreign`.
    """
    for start in KINDS:
        named = str(given.get(start, ""))
        if not named:
            continue
        if not WHOLE_ID.fullmatch(named):
            raise InvalidInput("id_malformed", "this is no bulletin's id", field="id")
        found = await place.work(partial(original, bulletin=named))
        if not may(start, found, place.me.agency):
            raise Refused(
                "relation_foreign",
                f"{found.sender} has sent it, and only {found.sender} can correct it",
                field="id",
                hint="answer it, or send what you know as a bulletin of your own",
            )
        return start, found
    return "", None


async def _types(place: OpenDesk, start: str, about: Original | None) -> dict[str, tuple[str, ...]]:
    """Types that may be written now, the likely one first, each with those it reaches."""
    corridors = await place.work(lambda desk: Inbox(desk).corridors())
    found = reachable(corridors, place.me.agency, place.clock())
    if about is None:
        return found
    marked = set(addressed(start, about, place.me.agency))
    kinds = types_for(start, about, tuple(found))
    return {one: found[one] for one in kinds if not marked or marked & set(found[one])}


async def _read(place: OpenDesk, about: Original) -> Original:
    """What one's own agency said has to be known before it is corrected, also what another desk
    sent; the reading is signed, as every reading is. Without the line nothing is begun."""
    bulletin = bytes.fromhex(about.id)

    async def read(desk: Desk, line: DeskLine) -> Json:
        return await Inbox(desk).read(line, bulletin)

    if about.sender != place.me.agency:
        return about  # reading what came is asked for on its own page
    content = await place.ask(read)
    await place.work(lambda desk: Inbox(desk).keep(content))
    return await place.work(partial(original, bulletin=about.id))


def _begin(
    desk: Desk, schema: str, to: tuple[str, ...], lang: str, kind: str | None,
    about: Original | None,
) -> FormDraft:  # fmt: skip
    now, me = desk.clock(), desk.me.agency
    corridors = Inbox(desk).corridors()
    by = allowed(corridors, me, to, schema, now)
    answers = first_answers(me, schema, lang, now, by)
    follows = None
    if about is not None and kind is not None:
        follows = Follows(cast("RelationKind", kind), about.id)
        answers |= following(kind, about, schema)
    answers = under(answers, ceiling(corridors, me, to, schema, now))
    return FormDrafts(desk).begin(schema, to, lang, answers=answers, follows=follows)


ROUTES: Final = (web.get("/write", choose), web.post("/write", begin))
