"""A header as the local API, desks and pages have it."""

from __future__ import annotations

from typing import Any

from saphan_schemas.codec import decode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

Json = dict[str, Any]


def header_json(data: bytes) -> Json:
    """A header as JSON; times in ms UTC, `retain_until` in days since 1970-01-01."""
    header = decode(Header, data, LIMITS.header_bytes, "header")
    return {
        "sender": header.sender,
        "recipients": list(header.recipients),
        "schema": header.schema,
        "marking": {"tlp": header.marking.tlp, "codes": list(header.marking.codes)},
        "urgency": header.urgency,
        "exercise": header.exercise,
        "created": header.created,
        "expires": header.expires,
        "answer_by": header.answer_by,
        "retain_until": header.retain_until,
    }
