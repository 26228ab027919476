"""What a page of results shows: read again from the store, for those on the page alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from saphan_schemas.errors import InvalidInput
from saphan_schemas.strict_json import parse_json

from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts
from saphan.desk.form_drafts import FormDrafts
from saphan.desk.inbox import Inbox
from saphan.desk.listed import InboxRow
from saphan.desk.outbox import Outbox
from saphan.web.seeking.drafts_folded import draft_says, form_says, urgency_of
from saphan.web.seeking.entries import Source
from saphan.web.seeking.excerpts import Excerpt, Looked
from saphan.web.seeking.finding import Hit
from saphan.web.seeking.question import Question
from saphan.web.seeking.worded import Placed, excerpts_of, placed, title_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """One result.

    Args:
        href: its page; others: the agencies at the other end; created: ms UTC.
        said: {about, body}; names: of attachments; texts: of a form, what was answered.
        title: None: never opened, or without one. row: of the inbox, where it has one.
    """

    source: Source
    href: str
    schema: str
    others: tuple[str, ...]
    created: int
    urgency: str
    exercise: bool
    alike: bool
    said: Json = field(default_factory=dict)
    names: tuple[str, ...] = ()
    texts: tuple[Placed, ...] = ()
    row: InboxRow | None = None
    title: Excerpt | None = None
    excerpts: tuple[Excerpt, ...] = ()

    @property
    def struck(self) -> bool:
        """Whether it does not stand any more."""
        return self.row is not None and bool(self.row.recalled or self.row.replaced_by)


def show(
    desk: Desk,
    hits: Iterable[Hit],
    row_of: Callable[[str], InboxRow | None],
    asked: Question,
    lang: str,
) -> list[Shown]:
    """The results of these hits; what has gone meanwhile is left out. Blocking."""
    looked = _looked(asked)
    made = (_read(desk, hit, row_of) for hit in hits)
    return [_worded(one, looked, lang) for one in made if one is not None]


def _looked(asked: Question) -> Looked:
    numbers = (phone for group in asked.groups for phone in group.phones)
    sounds = frozenset(group.sound for group in asked.groups if group.sound)
    return Looked((*asked.words, *numbers), sounds)


def _worded(one: Shown, looked: Looked, lang: str) -> Shown:
    """With its title in the officer's language, and what stands elsewhere in it."""
    title = title_of(one.said.get("about") or {}, looked, lang)
    names = (("", name) for name in one.names)
    texts = (*(one.texts or placed(one.said)), *names)
    return replace(one, title=title, excerpts=excerpts_of(one.schema, texts, title, looked, lang))


def _read(desk: Desk, hit: Hit, row_of: Callable[[str], InboxRow | None]) -> Shown | None:
    source, name = hit.key
    if source == "received":
        return _received(desk, hit, row_of(name.hex()))
    read = {"sent": _sent, "draft": _draft, "form": _form}[source]
    return read(desk, hit, int.from_bytes(name, "big"))


def _received(desk: Desk, hit: Hit, row: InboxRow | None) -> Shown | None:
    bulletin = hit.key[1].hex()
    found = Inbox(desk).opened(bulletin)
    if found is not None:
        header: Json = found["header"]
    elif row is None or row.opened:
        return None  # it went meanwhile
    else:
        header = msgspec.structs.asdict(row)
    files = () if found is None else found.get("attachments", ())
    return Shown(
        source="received",
        href=f"/bulletins/{bulletin}",
        schema=header["schema"],
        others=(header["sender"],),
        created=header["created"],
        urgency=header["urgency"],
        exercise=header["exercise"],
        alike=hit.alike,
        said={} if found is None else found["content"],
        names=tuple(str(one["name"]) for one in files),
        row=row,
    )


def _sent(desk: Desk, hit: Hit, number: int) -> Shown | None:
    for one in Outbox(desk).some([number]):
        header = one.shown
        href = "/sent" if one.bulletin is None else f"/bulletins/{one.bulletin.hex()}"
        names = tuple(file.name for file in one.written.attachments)
        said = parse_json(dict, one.written.data)
        return Shown(
            "sent", href, header.schema, header.recipients, header.created, header.urgency,
            header.exercise, hit.alike, said, names,
        )  # fmt: skip
    return None


def _draft(desk: Desk, hit: Hit, number: int) -> Shown | None:
    try:
        one = Drafts(desk).get(number)
    except InvalidInput:
        return None  # it went meanwhile
    said = draft_says(one)
    return Shown(
        source="draft",
        href="/drafts",
        schema=str(said.get("schema", "")),
        others=one.written.to,
        created=one.kept,
        urgency=urgency_of(said),
        exercise=said.get("exercise") is True,
        alike=hit.alike,
        said=said,
        names=tuple(file.name for file in one.written.attachments),
    )


def _form(desk: Desk, hit: Hit, number: int) -> Shown | None:
    one = FormDrafts(desk).find(number)
    if one is None:
        return None
    answers = one.answers.items()
    return Shown(
        source="form",
        href=f"/drafts/{number}",
        schema=one.schema,
        others=one.to,
        created=one.saved,
        urgency=urgency_of({"urgency": one.answers.get("/urgency")}),
        exercise=one.answers.get("/exercise") is True,
        alike=hit.alike,
        said=form_says(one),
        names=tuple(file.name for file in one.attachments),
        texts=tuple((pointer, value) for pointer, value in answers if isinstance(value, str)),
    )
