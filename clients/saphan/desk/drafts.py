"""Drafts: bulletins that an officer has written and not signed, kept sealed at the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan.compose import Attached, Wish, parse_wish
from saphan.desk.desk import Desk, number_name
from saphan.desk.files import AttachedFile
from saphan.desk.store import ROW_BYTES, Shelf

Json = dict[str, Any]


class Written(Record, frozen=True):
    """What was written, as it came from its file; `to` and attachments were given beside it."""

    data: bytes
    to: tuple[str, ...]
    attachments: tuple[AttachedFile, ...] = ()

    def wish(self) -> Wish:
        """Parsed.

        Raises:
            InvalidInput: what `parse_wish` raises, `attachment_missing`.
        """
        wish = parse_wish(self.data, self.to)
        if wish.attachments:
            raise InvalidInput(
                "attachment_missing",
                "the file names attachments that this desk does not have",
                field="attachments",
                hint="leave them out of the file, and give them with --attach",
            )
        attached = (
            Attached(name=one.name, media_type=one.media_type, role=one.role, blob=one.blob)
            for one in self.attachments
        )
        return replace(wish, attachments=tuple(attached))


class Draft(Record, frozen=True):
    """A draft; `code` and `message` say why the node refused it when it was sent."""

    number: int
    written: Written
    kept: int
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts of one desk."""

    desk: Desk

    def add(self, written: Written) -> Draft:
        """Keep what was written; inside a transaction.

        Raises:
            InvalidInput: what `parse_wish` raises, `drafts_full`; OperatorError: the disk.
        """
        written.wish()
        if self.desk.store.count(Shelf.DRAFTS) >= LIMITS.desk_drafts:
            raise InvalidInput(
                "drafts_full",
                f"this desk keeps {LIMITS.desk_drafts} drafts already",
                field="draft",
                hint="remove what is not needed: saphan desk drafts --remove NUMBER",
            )
        return self.take_back(written, None, None)

    def take_back(self, written: Written, code: str | None, message: str | None) -> Draft:
        """Keep what was in the outbox, also where drafts are many: there is no other place for it.

        Raises:
            OperatorError: the disk.
        """
        draft = Draft(self.desk.take_number(), written, self.desk.clock(), code, message)
        self.desk.store.put(Shelf.DRAFTS, number_name(draft.number), encode(draft))
        return draft

    def all(self) -> list[Draft]:
        """Every draft, oldest first."""
        return [_draft(value) for _, value in self.desk.store.all(Shelf.DRAFTS)]

    def get(self, number: int) -> Draft:
        """One draft.

        Raises:
            InvalidInput: `draft_unknown`.
        """
        value = self.desk.store.get(Shelf.DRAFTS, number_name(number))
        if value is None:
            raise InvalidInput(
                "draft_unknown",
                f"this desk keeps no draft {number}",
                field="draft",
                hint="list them: saphan desk drafts",
            )
        return _draft(value)

    def remove(self, number: int) -> None:
        """Take a draft away.

        Raises:
            InvalidInput: `draft_unknown`.
        """
        self.get(number)
        self.desk.store.remove(Shelf.DRAFTS, number_name(number))


def draft_row(draft: Draft) -> Json:
    """A draft in a list; without what it says."""
    wish = draft.written.wish()
    return {
        "number": draft.number,
        "kept": draft.kept,
        "to": list(wish.to),
        "schema": wish.schema,
        "urgency": wish.urgency,
        "attachments": [one.name for one in draft.written.attachments],
        "code": draft.code,
        "message": draft.message,
    }


def _draft(value: bytes) -> Draft:
    return decode(Draft, value, ROW_BYTES, "draft")
