"""What of a bulletin's content its days are reckoned from: a few words and days, no text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

from saphan_schemas.codec import Record
from saphan_schemas.limits import DAY_MS

from saphan.threads.words import REPLY_FAMILY, family

NOTICE_FAMILY: Final = "saphan/subject_notice"
DELIVERY_FAMILY: Final = "saphan/controlled_delivery"
PERSON: Final = "person"
_EPOCH: Final = date(1970, 1, 1)


class Facts(Record, frozen=True):
    """One bulletin's.

    Args:
        message: `about.message_kind`.
        word: what it says of its matter: outcome of a reply, phase of a controlled delivery, why a
            notice was cancelled; None of other types.
        persons: whether it says anything of persons; roles: which, with "minors" among them.
        review, valid_until: days since 1970-01-01, as its author has set them.
    """

    message: str
    word: str | None
    persons: bool
    roles: tuple[str, ...]
    review: int | None
    valid_until: int | None


def facts_of(schema: str, content: dict[str, Any]) -> Facts:
    """Of valid content; an agency's own type may leave out every member."""
    about, body = content.get("about", {}), content.get("body", {})
    data = about.get("personal_data", {})
    named = set(_named(body))
    roles = {*data.get("subject_roles", ()), *(("minors",) if data.get("minors") else ()), *named}
    return Facts(
        message=str(about.get("message_kind", "original")),
        word=_word(schema, body),
        persons=bool(data.get("present", True)) or bool(named),
        roles=tuple(sorted(roles - {PERSON})),
        review=_day(about.get("review_at")),
        valid_until=_day(about.get("valid_until")),
    )


def _named(part: object) -> Iterator[str]:
    """Of persons in a body, whatever its author has said about it: that there are any, and what
    makes periods shorter."""
    if isinstance(part, list):
        for one in part:
            yield from _named(one)
    elif isinstance(part, dict):
        if "names" in part and isinstance(part.get("roles"), list):
            yield PERSON
            yield from (role for role in ("victim", "witness") if role in part["roles"])
        for one in part.values():
            yield from _named(one)


_WORDS: Final = {
    REPLY_FAMILY: "outcome",
    NOTICE_FAMILY: "cancel_reason",
    DELIVERY_FAMILY: "phase",
}


def _word(schema: str, body: dict[str, Any]) -> str | None:
    found = body.get(_WORDS.get(family(schema), ""))
    return None if found is None else str(found)


def _day(text: object) -> int | None:
    """The day of a date, or of a time in UTC; None of what is neither."""
    if not isinstance(text, str):
        return None
    try:
        if "T" in text:
            return int(datetime.fromisoformat(text).timestamp() * 1000) // DAY_MS
        return (date.fromisoformat(text) - _EPOCH).days
    except (ValueError, OverflowError):
        return None
