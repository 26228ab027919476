"""/approve: what waits for a second officer: read by signed opening, then signed or refused.

Nothing of it is kept in the desk's store. What was opened rests in memory until it is signed,
refused, or the desk is locked: what is signed are the very bytes that were shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiohttp import web
from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.records import Blob

from saphan.desk.desk import Desk
from saphan.desk.files import Files, download_name
from saphan.desk.line import DeskLine
from saphan.desk.second import SecondEyes
from saphan.desk.types import DeskTypes
from saphan.header_json import header_json
from saphan.second_signature import REASON_CHARS, Exact
from saphan.showing.document import document
from saphan.web.open_desk import OpenDesk
from saphan.web.reading.taking import give
from saphan.web.rendering.page import render
from saphan.web.sending.words import error_words, words
from saphan.web.workplace import back, opened, workplace

Json = dict[str, Any]
DRAFT: Final = "{id:[0-9a-f]{64}}"
MOST_OPEN: Final = 16
"""Bulletins that were opened and neither signed nor refused; the oldest are opened again."""
ENDS: Final = ("signed", "refused", "withdrawn")
_opened: Final[WeakKeyDictionary[OpenDesk, dict[str, Exact]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits, as the node says it now; `why` there is no list."""

    rows: list[Json]
    why: str | None


async def listed(request: web.Request) -> web.Response:
    """GET /approve."""
    place, lang = opened(request), workplace(request).lang
    waiting, done = await _waiting(place, lang), request.query.get("done")
    return await render(
        request,
        "approving/list.html",
        rows=waiting.rows,
        why=waiting.why,
        done=done if done in ENDS else None,
        **await words(lang),
    )


async def show(request: web.Request) -> web.Response:
    """GET /approve/{id}: its header, and what it says once it was opened."""
    place, draft, lang = opened(request), request.match_info["id"], workplace(request).lang
    row = await _row(place, draft)
    exact = _opened.get(place, {}).get(draft)
    author = row["author"] if exact is None else exact.inner.author
    shown = None if exact is None else await place.work(partial(_document, exact=exact, lang=lang))
    return await render(
        request,
        "approving/one.html",
        row=row,
        author=author,
        mine=author == place.me.handle,
        exact=exact,
        header=row if exact is None else header_json(exact.header_bytes),
        document=shown,
        most=REASON_CHARS,
        **await words(lang),
    )


async def open_it(request: web.Request) -> web.Response:
    """POST /approve/{id}/open: sign that it is read, and get it."""
    place, draft = opened(request), request.match_info["id"]

    async def ask(desk: Desk, line: DeskLine) -> Exact:
        return await SecondEyes(desk).open(line, bytes.fromhex(draft))

    exact = await place.ask(ask)
    kept = _opened.setdefault(place, {})
    kept.pop(draft, None)
    while len(kept) >= MOST_OPEN:
        kept.pop(next(iter(kept)))
    kept[draft] = exact
    raise back(request, f"/approve/{draft}")


async def sign(request: web.Request) -> web.Response:
    """POST /approve/{id}/sign: what was opened and shown, and nothing else."""
    place, draft = opened(request), request.match_info["id"]
    exact = _exact(place, draft)

    async def ask(desk: Desk, line: DeskLine) -> str:
        return await SecondEyes(desk).sign(line, exact)

    await place.ask(ask)
    return _ended(request, place, draft, "signed")


async def refuse(request: web.Request) -> web.Response:
    """POST /approve/{id}/refuse with a `reason`; of one's own: take it back."""
    place, draft, given = opened(request), request.match_info["id"], await request.post()
    reason = str(given.get("reason", "")).strip() or None

    async def ask(desk: Desk, line: DeskLine) -> str:
        return await SecondEyes(desk).refuse(line, bytes.fromhex(draft), reason)

    state = await place.ask(ask)
    return _ended(request, place, draft, "withdrawn" if state == "withdrawn" else "refused")


async def save_file(request: web.Request) -> web.StreamResponse:
    """POST /approve/{id}/files/{n}: an attachment as a file; it does not stay at the desk."""
    place, draft = opened(request), request.match_info["id"]
    exact, number = _exact(place, draft), int(request.match_info["number"])
    listed = {one["number"]: one for one in exact.attachments}
    if number not in listed:
        raise InvalidInput("attachment_unknown", f"it has no attachment {number}", field="number")
    one, name = listed[number], download_name(exact.draft, number)
    blob = Blob(one["length"], bytes.fromhex(one["sha256"]))

    async def fetch(desk: Desk, line: DeskLine) -> None:
        await Files(desk).fetch(line, exact.draft, number, blob)

    try:
        await place.ask(fetch)
        return await give(request, place, name, blob, one["name"])
    finally:
        await place.work(lambda desk: desk.store.drop_parts(name))


# --- inside ---------------------------------------------------------------------------------------


async def _waiting(place: OpenDesk, lang: str) -> Waiting:
    try:
        return Waiting(await place.ask(_list), None)
    except Unavailable as error:
        return Waiting([], error_words(error.code, lang))


async def _list(desk: Desk, line: DeskLine) -> list[Json]:
    return await SecondEyes(desk).waiting(line)


async def _row(place: OpenDesk, draft: str) -> Json:
    """Raises InvalidInput `countersign_unknown`: it does not wait, or not for this officer."""
    found = [row for row in await place.ask(_list) if row["id"] == draft]
    if not found:
        raise InvalidInput(
            "countersign_unknown",
            "nothing waits for a second officer under this id",
            field="id",
            hint="somebody may have signed or refused it meanwhile; look at the list",
        )
    return found[0]


def _exact(place: OpenDesk, draft: str) -> Exact:
    exact = _opened.get(place, {}).get(draft)
    if exact is None:
        raise InvalidInput(
            "countersign_unread",
            "it was not opened here since this desk was unlocked",
            field="id",
            hint="open and read it first: what is signed is what was shown",
        )
    return exact


def _document(desk: Desk, exact: Exact, lang: str) -> Any:
    name = exact.header.schema
    own = None if name.startswith("saphan/") else DeskTypes(desk).all().get(name).bundle
    return document(name, own, exact.content, lang, (lang,))


def _ended(request: web.Request, place: OpenDesk, draft: str, how: str) -> web.Response:
    _opened.get(place, {}).pop(draft, None)
    for topic in ("approve", "sent", "inbox"):
        place.topics.publish(topic)
    raise back(request, f"/approve?done={how}")


ROUTES: Final = (
    web.get("/approve", listed),
    web.get(f"/approve/{DRAFT}", show),
    web.post(f"/approve/{DRAFT}/open", open_it),
    web.post(f"/approve/{DRAFT}/sign", sign),
    web.post(f"/approve/{DRAFT}/refuse", refuse),
    web.post(f"/approve/{DRAFT}/files/{{number:\\d{{1,2}}}}", save_file),
)
