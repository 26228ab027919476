"""What the form asks in all: to whom and how it goes, what happened, and the common fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from saphan_schemas.bodies import NAMES
from saphan_schemas.body_types import BodyType
from saphan_schemas.fields import Schema, root_of
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import LANGUAGES

from saphan.form.question import Scalar

AGENCY_PATTERN: Final = "^[a-z]{2}\\.[a-z][a-z0-9-]{0,30}$"
ZONES: Final[dict[str, str]] = {"lo": "Asia/Vientiane", "km": "Asia/Phnom_Penh"}
"""Where most speakers of a language are; another one is typed."""
REVIEW_DAYS: Final = 365
"""Proposed until somebody decides whether a bulletin is kept; each type's own is in its page."""
HEADER: Final = ("to", "urgency", "exercise", "marking")


def content_of(kind: BodyType) -> Schema:
    """The schema of a type's content; of our own ones with the names of their code lists."""
    ours: Schema = root_of(kind.name) if kind.name in NAMES else kind.bundle["schema"]
    return ours


def sheet_of(kind: BodyType) -> Schema:
    """The schema of a whole wish of one type, in the order in which people are asked."""
    root = content_of(kind)
    return {
        "type": "object",
        "required": [*HEADER, "body", "about"],
        "properties": {
            "to": {
                "type": "array",
                "items": {"$ref": "#/$defs/agency"},
                "minItems": 1,
                "maxItems": LIMITS.recipients,
                "uniqueItems": True,
            },
            "urgency": {"$codes": "urgency"},
            "exercise": {"type": "boolean"},
            "marking": {
                "type": "object",
                "required": ["tlp", "codes"],
                "properties": {
                    "tlp": {"$codes": "tlp"},
                    "codes": {
                        "type": "array",
                        "items": {"$codes": "handling_code"},
                        "minItems": 1,
                        "maxItems": 4,
                        "uniqueItems": True,
                    },
                },
            },
            "body": root["properties"]["body"],
            "about": root["properties"]["about"],
        },
        "$defs": root["$defs"] | {"agency": {"type": "string", "pattern": AGENCY_PATTERN}},
    }


def languages_from(lang: str) -> tuple[str, ...]:
    """The officer's language, then the others, English last, in which texts are asked for."""
    return (lang, *(other for other in reversed(LANGUAGES) if other != lang))


def usual(lang: str, today: date) -> dict[str, Scalar]:
    """What Enter takes where the domain has a usual answer; the officer sees it and may differ."""
    return {
        "/urgency": "routine",
        "/exercise": False,
        "/marking/tlp": "amber+strict",
        "/marking/codes/0": "H1",
        "/marking/codes/1": "H2",
        "/about/message_kind": "original",
        "/about/local_time_zone": ZONES.get(lang, ZONES["lo"]),
        "/about/source_language": lang,
        "/about/grading/scheme": "europol_4x4",
        "/about/handling/pap": "amber",
        "/about/handling/evidence_use": "ask",
        "/about/handling/onward": "none",
        "/about/handling/third_country": "ask",
        "/about/personal_data/minors": False,
        "/about/fact_or_assessment": "fact",
        "/about/review_at": (today + timedelta(days=REVIEW_DAYS)).isoformat(),
    }


def facts_of(wish: dict[str, Any], attachments: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """What rules look at: the content and, under `header`, the facts beside it. Parts that are
    not filled in yet are missing.

    Args:
        attachments: {media_type, name, role} of the files that will go with it.
    """
    marking = wish.get("marking", {})
    header = {
        "urgency": wish.get("urgency"),
        "exercise": wish.get("exercise"),
        "tlp": marking.get("tlp"),
        "codes": marking.get("codes"),
        "recipients": wish.get("to"),
        "answer_by": wish.get("answer_by"),
    }
    content: dict[str, Any] = {name: wish[name] for name in ("about", "body") if name in wish}
    return {"attachments": list(attachments), **content, "header": header}
