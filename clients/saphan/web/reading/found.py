"""All that this desk has of one bulletin: its row, its life, what it says, who wrote it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
from saphan_schemas.codec import decode
from saphan_schemas.records import Blob

from saphan.desk.answers import Shown
from saphan.desk.desk import Desk
from saphan.desk.files import Files, download_name
from saphan.desk.inbox import Inbox
from saphan.desk.kept import KeptDays
from saphan.desk.listed import InboxRow
from saphan.desk.outbox import Queued
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.desk.types import DeskTypes
from saphan.header_json import header_json
from saphan.own_types.told import is_own

Json = dict[str, Any]
_ID: Final = re.compile("[0-9a-f]{64}", re.ASCII)
_HEADER: Final = tuple(one.name for one in msgspec.structs.fields(Shown))


@dataclass(frozen=True, slots=True)
class File:
    """An attachment; `here`: all of it is at this desk."""

    number: int
    name: str
    media_type: str
    role: str
    length: int
    sha256: str
    here: bool

    @property
    def blob(self) -> Blob:
        """What its bytes are."""
        return Blob(self.length, bytes.fromhex(self.sha256))


@dataclass(frozen=True, slots=True)
class Found:
    """One bulletin, as far as this desk has heard.

    Args:
        id: 64 hexadecimal digits; header: as the local API has it; own: our agency sent it.
        row: of the inbox; life: as the node told it last, with `kept`; both may be missing.
        content: {"about", "body"}, None: it was not opened here.
        authors: handles in the order of their signatures; None among them: a system of the agency.
        languages: that this officer reads, by the node's settings; bundle: of an own type.
        opened: ms UTC at which it was opened here.
    """

    id: str
    header: Json
    own: bool
    row: Json | None
    life: Json | None
    content: Json | None
    authors: tuple[str | None, ...] = ()
    files: tuple[File, ...] = ()
    languages: tuple[str, ...] = ()
    bundle: Json | None = None
    opened: int | None = None
    standing: Json = field(default_factory=dict)


def look(desk: Desk, bulletin: str, listed: InboxRow | None) -> Found | None:
    """What is here; None: this desk has not heard of it. Blocking.

    Args:
        bulletin: 64 hexadecimal digits; listed: its row, if it is in the inbox.

    Raises:
        OperatorError: `desk_store_damaged`.
    """
    box = Inbox(desk)
    row = None if listed is None else _json(listed)
    life, opened = box.status_kept(bulletin), box.opened(bulletin)
    queued = None if opened is not None or row is not None else _queued(desk, bulletin)
    header = _header(opened, life, row, queued)
    if header is None:
        return None
    found = Found(
        id=bulletin,
        header=header,
        own=header["sender"] == desk.me.agency,
        row=row,
        life=life,
        content=None,
        authors=(None if life is None else life["author"],),
        standing=box.standing(bulletin, row or {}),
    )
    if opened is not None:
        return _opened(desk, found, opened)
    return found if queued is None else _written(desk, found, queued)


def relations(content: Json | None) -> tuple[tuple[str, str], ...]:
    """(kind, id) of each bulletin that content names; what has another form names none."""
    named = {} if content is None else content["about"].get("relations")
    listed = [one for one in named if isinstance(one, dict)] if isinstance(named, list) else []
    pairs = ((one.get("kind"), one.get("bulletin_id")) for one in listed)
    return tuple(
        (str(kind), one) for kind, one in pairs if isinstance(one, str) and _ID.fullmatch(one)
    )


def bundle_of(desk: Desk, schema: str) -> Json | None:
    """The bundle of an agency's own type that is at this desk; None for every other type."""
    if not is_own(schema) or not desk.store.has(Shelf.TYPES, schema.encode()):
        return None
    return DeskTypes(desk).all().get(schema).bundle


def _opened(desk: Desk, found: Found, opened: Json) -> Found:
    authors = [one["handle"] for one in opened.get("authors", ())] or [opened["author"]]
    files, bulletin = Files(desk), bytes.fromhex(found.id)
    listed = []
    for one in opened["attachments"]:
        name = download_name(bulletin, one["number"])
        blob = Blob(one["length"], bytes.fromhex(one["sha256"]))
        listed.append(_file(one, files.has(name, blob)))
    return replace(
        found,
        content=opened["content"],
        authors=tuple(authors),
        files=tuple(listed),
        languages=tuple(opened.get("languages", ())),
        bundle=bundle_of(desk, found.header["schema"]),
        opened=opened["kept"],
    )


def _written(desk: Desk, found: Found, queued: Queued) -> Found:
    """What was written here: its author does not have to ask for it."""
    if not KeptDays(desk).shown(bytes.fromhex(found.id)):
        return found
    wish, files, bulletin = queued.written.wish(), Files(desk), bytes.fromhex(found.id)
    listed = [
        _file(
            {
                "number": number,
                "name": one.name,
                "media_type": one.media_type,
                "role": one.role,
                "length": one.blob.length,
                "sha256": one.blob.digest.hex(),
            },
            files.has(download_name(bulletin, number), one.blob),
        )
        for number, one in enumerate(queued.written.attachments, 1)
    ]
    return replace(
        found,
        content={"about": wish.about, "body": wish.body},
        authors=(desk.me.handle,),
        files=tuple(listed),
        bundle=bundle_of(desk, found.header["schema"]),
    )


def _queued(desk: Desk, bulletin: str) -> Queued | None:
    name = bytes.fromhex(bulletin)
    for _, value in desk.store.each(Shelf.OUTBOX):
        if name in value:
            queued = decode(Queued, value, ROW_BYTES, "queued")
            if queued.bulletin == name:
                return queued
    return None


def _header(
    opened: Json | None, life: Json | None, row: Json | None, queued: Queued | None
) -> Json | None:
    if opened is not None or life is not None:
        found: Json = (opened or life or {})["header"]
        return found
    if row is not None:
        return {name: row[name] for name in _HEADER}
    return None if queued is None else header_json(queued.header)


def _file(one: Json, here: bool) -> File:
    names = ("number", "name", "media_type", "role", "length", "sha256")
    return File(**{name: one[name] for name in names}, here=here)


def _json(row: InboxRow) -> Json:
    found: Json = msgspec.to_builtins(row)
    return found
