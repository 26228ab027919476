"""A received bulletin as the SDK gives it to a case system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What a bulletin says of an attachment; `number` is from 1, `length` in bytes."""

    number: int
    name: str
    media_type: str
    role: str
    length: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """A received bulletin, opened, its author and schema checked by the node.

    `seq` is its place in the inbox: keep the last one and pass it to `Node.inbox(after=...)`.
    Times are ms UTC.
    """

    id: str
    seq: int
    sender: str
    recipients: tuple[str, ...]
    schema: str
    tlp: str
    codes: tuple[str, ...]
    urgency: str
    exercise: bool
    created: int
    expires: int
    answer_by: int | None
    author: str | None
    about: dict[str, Any]
    body: dict[str, Any]
    attachments: tuple[Attachment, ...] = ()


def bulletin_of(row: dict[str, Any], found: dict[str, Any]) -> Bulletin:
    """From a row of the inbox and the content that the node answered."""
    content = found["content"]
    return Bulletin(
        id=row["id"],
        seq=row["seq"],
        sender=row["sender"],
        recipients=tuple(row["recipients"]),
        schema=row["schema"],
        tlp=row["marking"]["tlp"],
        codes=tuple(row["marking"]["codes"]),
        urgency=row["urgency"],
        exercise=row["exercise"],
        created=row["created"],
        expires=row["expires"],
        answer_by=row["answer_by"],
        author=row["author"],
        about=content["about"],
        body=content["body"],
        attachments=tuple(Attachment(**one) for one in found["attachments"]),
    )
