"""What rules may know of a bulletin's header: its facts as words, beside the content."""

from __future__ import annotations

import datetime
from typing import Any, Final

from saphan_schemas.records import Header

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def header_facts(header: Header) -> dict[str, Any]:
    """The map that rules see under `/header`: texts, arrays of texts and one boolean.

    Times are RFC 3339 in UTC with milliseconds, `retain_until` is a day, as in content.
    """
    facts: dict[str, Any] = {
        "schema": header.schema,
        "sender": header.sender,
        "recipients": list(header.recipients),
        "tlp": header.marking.tlp,
        "codes": list(header.marking.codes),
        "urgency": header.urgency,
        "exercise": header.exercise,
        "created": _time(header.created),
        "expires": _time(header.expires),
        "retain_until": (_EPOCH + datetime.timedelta(days=header.retain_until)).date().isoformat(),
    }
    if header.answer_by is not None:
        facts["answer_by"] = _time(header.answer_by)
    return facts


def _time(millis: int) -> str:
    moment = _EPOCH + datetime.timedelta(milliseconds=millis)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"
