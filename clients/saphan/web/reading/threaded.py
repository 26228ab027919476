"""What belongs together with a bulletin: what it names, what names it, who owes an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.messages import has_text, text, type_key

from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.listed import InboxRow
from saphan.showing.texts import Text, ordered
from saphan.web.reading.found import Found, relations

Json = dict[str, Any]
MOST: Final = 64
"""Lines of one thread that are shown."""
OPEN: Final = frozenset({"waiting", "interim", "overdue"})


@dataclass(frozen=True, slots=True)
class Line:
    """Another bulletin.

    Args:
        how: what it is to this one, in words; fault: why that does not count, or "".
        title: as far as it was opened here; words: its type, or "".
        time: ms UTC; sender: both None where this desk has not heard of it.
        struck: it does not stand any more.
    """

    id: str
    how: str
    fault: str = ""
    title: Text | None = None
    words: str = ""
    time: int | None = None
    sender: str | None = None
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Owing:
    """Who owes an answer to this one, until when (ms UTC), how it stands."""

    replier: str
    state: str
    until: int | None
    open: bool
    late: bool


def thread(
    desk: Desk, found: Found, get: Callable[[str], InboxRow | None], lang: str
) -> tuple[Line, ...]:
    """The thread of a bulletin, as far as this desk has heard; blocking.

    Args:
        get: the inbox's row of an id.
    """
    life = found.life or {}
    named = [(one["id"], one["kind"], one["stands"]) for one in life.get("relations", ())]
    if not named:
        named = [(one, kind, "holds") for kind, one in relations(found.content)]
    named += [(one, "replaced_by", "holds") for one in found.standing.get("replaced_by", ())]
    replies = (one for owed in life.get("owed", ()) for one in owed["replies"])
    named += [(one, "reply", "holds") for one in replies]
    for row in life.get("thread", ()):
        named += [
            (row["id"], f"back_{relation['kind']}", relation["stands"])
            for relation in row["relations"]
            if relation["id"] == found.id
        ]
    once = {one: (kind, stands) for one, kind, stands in reversed(named[:MOST])}
    told = {row["id"]: row for row in life.get("thread", ())}
    return tuple(
        _line(desk, found, one, kind, stands, get(one), told.get(one), lang)
        for one, (kind, stands) in reversed(once.items())
        if one != found.id
    )


def owing(found: Found, lang: str) -> tuple[Owing, ...]:
    """Who owes an answer to this one."""
    return tuple(
        Owing(
            replier=one["replier"],
            state=text(f"page.reading.owed.{one['state']}", lang)
            if has_text(f"page.reading.owed.{one['state']}")
            else one["state"],
            until=one["due" if one["state"] == "interim" else "until"],
            open=one["state"] in OPEN,
            late=one["state"] == "overdue" or one["late"],
        )
        for one in (found.life or {}).get("owed", ())
    )


def _line(
    desk: Desk,
    found: Found,
    bulletin: str,
    kind: str,
    stands: str,
    row: InboxRow | None,
    told: Json | None,
    lang: str,
) -> Line:
    fault = f"page.reading.stands.{stands}"
    name = f"page.reading.kind.{kind}"
    how = text(name, lang) if has_text(name) else kind  # of a node that speaks otherwise
    kept = _kept(desk, bulletin)
    header = kept["header"] if kept is not None else told or {}
    if row is not None:
        header = {"sender": row.sender, "schema": row.schema, "created": row.created}
    gone = row is not None and (row.recalled is not None or bool(row.replaced_by))
    gone = gone or bool((told or {}).get("recalled") or (told or {}).get("replaced_by"))
    return Line(
        id=bulletin,
        how=how,
        fault=text(fault, lang) if has_text(fault) else "",
        title=None if kept is None else title_of(kept["content"], (*found.languages, lang)),
        words=_type(header.get("schema", ""), lang),
        time=header.get("created"),
        sender=header.get("sender"),
        struck=gone,
    )


def title_of(content: Json, read: tuple[str, ...]) -> Text | None:
    """The title in the language that is read best of those it is written in."""
    titles = content["about"].get("title")
    if not isinstance(titles, dict) or not titles:
        return None
    best = ordered(list(titles), read)[0]
    return Text(str(titles[best]), best)


def _kept(desk: Desk, bulletin: str) -> Json | None:
    return Inbox(desk).opened(bulletin) if len(bulletin) == 64 else None


def _type(schema: str, lang: str) -> str:
    key = type_key(schema)
    return schema if key is None else text(key, lang)
