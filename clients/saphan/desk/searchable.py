"""What of a bulletin is searched in, folded once and kept sealed under the key of its day.

Made of all that a bulletin says, and of its header's few words. It goes with its bulletin: under
the same day key, on the same shelf's sweep, in the same erasure (`keeping`). One that is missing,
or was folded by an older release, is made again of what the desk has opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from msgspec import Meta
from saphan_schemas.codec import MAX_CONTENT_DEPTH, Record, decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Urgency

from saphan.desk.store import ROW_BYTES
from saphan.folding.code_words import is_code
from saphan.folding.searching import search_key, sounds

Json = dict[str, Any]
FOLDED_BY: Final = 1
"""Number of the folding; another one makes every row anew."""
TITLE_CHARS: Final = 200
BETWEEN: Final = "\n"
"""Between the pieces of a text: no word reaches over it."""


class Searchable(Record, frozen=True):
    """One bulletin, or one draft, as it is searched in.

    Args:
        folded_by: `FOLDED_BY` of its time. created: ms UTC; of a draft when it was kept.
        bulletin: its id, hexadecimal; "" while it has none.
        title: language and words; text: search keys of its pieces, `BETWEEN` them.
        sounds: skeletons of names in it; codes: those of our lists.
        answers: ids of the bulletins that it is a reply to; word of a delay is none.
    """

    folded_by: int
    bulletin: str
    schema: str
    sender: str
    recipients: tuple[str, ...]
    created: int
    urgency: Urgency
    exercise: bool
    title: tuple[tuple[str, str], ...]
    text: str
    sounds: tuple[str, ...]
    codes: tuple[str, ...]
    answers: Annotated[tuple[str, ...], Meta(max_length=LIMITS.thread_bulletins)]


def searchable(
    header: Json, said: Json, names: list[str], author: str | None = None, bulletin: str = ""
) -> Searchable:
    """Of a header in JSON, {about, body} and the names of attachments."""
    about = said.get("about") or {}
    pieces = list(_pieces([said.get("about"), said.get("body"), names, author], 0))
    keys = dict.fromkeys(filter(None, map(search_key, pieces)))
    return Searchable(
        folded_by=FOLDED_BY,
        bulletin=bulletin,
        schema=header["schema"],
        sender=header["sender"],
        recipients=tuple(header["recipients"]),
        created=header["created"],
        urgency=header["urgency"],
        exercise=header["exercise"],
        title=tuple(_title(about)),
        text=BETWEEN.join(keys)[: LIMITS.desk_search_chars],
        sounds=tuple(sorted(frozenset().union(*map(sounds, pieces)))[: LIMITS.desk_search_sounds]),
        codes=tuple(sorted(set(filter(is_code, pieces)))[: LIMITS.desk_search_codes]),
        answers=tuple(_answers(said))[: LIMITS.thread_bulletins],
    )


def of_opened(found: Json) -> Searchable:
    """Of content as the node gave it."""
    names = [one["name"] for one in found.get("attachments", ())]
    said = found.get("content", {})
    return searchable(found["header"], said, names, found.get("author"), found["id"])


def read_searchable(value: bytes) -> Searchable | None:
    """A row of the shelf; None: another release has folded it, in its own way."""
    try:
        made = decode(Searchable, value, ROW_BYTES, "searchable")
    except InvalidInput:
        return None
    return made if made.folded_by == FOLDED_BY else None


def _pieces(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth <= MAX_CONTENT_DEPTH and isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _pieces(one, depth + 1)


def _title(about: Json) -> Iterator[tuple[str, str]]:
    title = about.get("title")
    if isinstance(title, dict):
        for lang, words in title.items():
            if isinstance(words, str):
                yield str(lang)[:16], words[:TITLE_CHARS]


def _answers(said: Json) -> Iterator[str]:
    about, body = said.get("about") or {}, said.get("body")
    relations = about.get("relations")
    delayed = isinstance(body, dict) and body.get("outcome") == "interim"
    for one in relations if isinstance(relations, list) and not delayed else ():
        if isinstance(one, dict) and one.get("kind") == "in_reply_to":
            yield str(one.get("bulletin_id", ""))[:64]
