"""What rules may know of a bulletin's header: its facts as words, beside the content."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any, Final

from saphan_schemas.records import Header

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _time(millis: int | None) -> str | None:
    if millis is None:
        return None
    moment = _EPOCH + datetime.timedelta(milliseconds=millis)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"


def _day(day: int) -> str:
    return (_EPOCH + datetime.timedelta(days=day)).date().isoformat()


FACTS: Final[dict[str, Callable[[Header], Any]]] = {
    "answer_by": lambda header: _time(header.answer_by),
    "codes": lambda header: list(header.marking.codes),
    "created": lambda header: _time(header.created),
    "exercise": lambda header: header.exercise,
    "expires": lambda header: _time(header.expires),
    "recipients": lambda header: list(header.recipients),
    "retain_until": lambda header: _day(header.retain_until),
    "schema": lambda header: header.schema,
    "sender": lambda header: header.sender,
    "tlp": lambda header: header.marking.tlp,
    "urgency": lambda header: header.urgency,
}
"""Every fact that a rule may name as `/header/...` (R8 of schemas/spec/rules.md)."""


def header_facts(header: Header, names: Iterable[str] = tuple(FACTS)) -> dict[str, Any]:
    """The map that rules see under `/header`: texts, arrays of texts and one boolean.

    Times are RFC 3339 in UTC with milliseconds, `retain_until` is a day, as in content.

    Args:
        names: of `FACTS`; a type's rules usually ask for a few.
    """
    facts = {name: FACTS[name](header) for name in names}
    if facts.get("answer_by", "") is None:
        del facts["answer_by"]
    return facts
