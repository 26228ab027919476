"""The OpenAPI table's rows about retention: recalls, reviews, holds, subjects of data."""

from __future__ import annotations

from typing import Any, Final

from saphan_protocol.delivery import (
    DECLINED_CODES,
    HOLD_ANSWERED_CODES,
    HOLD_ASKED_CODES,
    RECALLED_CODES,
)
from saphan_schemas.limits import LIMITS

Json = dict[str, Any]

SCHEMAS: Final[Json] = {
    "Recall": {
        "type": "object",
        "required": ["reason"],
        "additionalProperties": False,
        "properties": {
            "reason": {"enum": sorted(RECALLED_CODES)},
            "officer": {
                "type": ["string", "null"],
                "description": "who decided it; the keeper's to name",
            },
        },
    },
    "RecallAnswer": {
        "type": "object",
        "required": ["decline"],
        "additionalProperties": False,
        "properties": {
            "decline": {
                "enum": [*sorted(DECLINED_CODES), None],
                "description": "why it is kept; null: it is erased, and the recall obeyed",
            },
            "officer": {"type": ["string", "null"]},
        },
    },
    "About": {
        "type": "object",
        "required": ["about"],
        "additionalProperties": False,
        "properties": {
            "about": {
                "type": "string",
                "description": "a name, a number, an account, a telephone, or a bulletin's id",
            },
            "skip": {
                "type": "integer",
                "minimum": 0,
                "description": "bulletins that were told of before: `next` of that answer",
            },
        },
    },
    "Export": {
        "type": "object",
        "required": ["kind"],
        "additionalProperties": False,
        "properties": {"kind": {"enum": ["bundled", "printed"]}},
    },
    "RetentionPlan": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "days": {"type": "integer", "minimum": 0, "maximum": LIMITS.ratchet_days},
            "officer": {"type": ["string", "null"], "description": "who looks at it"},
        },
    },
    "RetentionArm": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "rules": {
                "type": ["string", "null"],
                "description": "first digits of the digest that the plan has shown",
            },
            "officer": {"type": ["string", "null"]},
        },
    },
    "RetentionDecision": {
        "type": "object",
        "required": ["decision", "reason"],
        "additionalProperties": False,
        "properties": {
            "decision": {"enum": ["extend", "keep", "erase"]},
            "reason": {"type": "string", "minLength": 1, "maxLength": 1024},
            "until": {
                "type": ["integer", "null"],
                "description": "for extend: the next review, in days since 1970-01-01",
            },
            "order": {"type": "boolean", "description": "an authority has ordered the erasure"},
            "officer": {"type": ["string", "null"]},
        },
    },
    "HoldOrder": {
        "type": "object",
        "description": "a signed hold order, its terms and their salt, as `saphan hold` makes them",
        "required": ["order", "terms", "salt"],
        "additionalProperties": False,
        "properties": {
            name: {"type": "string", "contentEncoding": "base64"}
            for name in ("order", "terms", "salt")
        },
    },
    "HoldAsk": {
        "type": "object",
        "required": ["code"],
        "additionalProperties": False,
        "properties": {
            "code": {"enum": sorted(HOLD_ASKED_CODES)},
            "agency": {"type": ["string", "null"], "description": "null: everybody who has it"},
        },
    },
    "HoldAnswer": {
        "type": "object",
        "required": ["code"],
        "additionalProperties": False,
        "properties": {
            "code": {"enum": sorted(HOLD_ANSWERED_CODES)},
            "agency": {"type": ["string", "null"], "description": "null: whoever asked"},
        },
    },
}

PATHS: Final[tuple[tuple[str, str, str, str | None, int, str], ...]] = (
    ("post", "/v1/bulletins/{id}/recall", "Take a bulletin back", "Recall", 200, "Object"),
    ("get", "/v1/bulletins/{id}/recall", "How a recall stands", None, 200, "Object"),
    (
        "post",
        "/v1/bulletins/{id}/recall/answer",
        "Answer a recall of another agency",
        "RecallAnswer",
        200,
        "Object",
    ),
    (
        "post",
        "/v1/retention/report",
        "What this agency holds, sent, received, exported and destroyed about a reference",
        "About",
        200,
        "Object",
    ),
    ("post", "/v1/bulletins/{id}/exports", "Record an export", "Export", 200, "Object"),
    ("get", "/v1/bulletins/{id}/exports", "What was exported of it", None, 200, "Object"),
    ("get", "/v1/recalls", "Recalls of other agencies; ?after=&limit=", None, 200, "Object"),
    ("get", "/v1/retention", "Bulletins by ?state=; ?after=&limit=", None, 200, "Object"),
    (
        "post",
        "/v1/retention/plan",
        "What would be erased, how much and why; noted as seen",
        "RetentionPlan",
        200,
        "Object",
    ),
    ("post", "/v1/retention/arm", "Let rules act that were seen", "RetentionArm", 200, "Object"),
    ("post", "/v1/retention/confirm", "Witnessed time is right", None, 200, "Object"),
    ("get", "/v1/bulletins/{id}/retention", "How long it is kept", None, 200, "Object"),
    (
        "post",
        "/v1/bulletins/{id}/retention",
        "Extend, keep or erase a bulletin",
        "RetentionDecision",
        200,
        "Object",
    ),
    ("get", "/v1/holds", "Holds, and who has asked whom to hold; ?bulletin=", None, 200, "Object"),
    ("post", "/v1/holds", "Heed a hold order, or a release", "HoldOrder", 200, "Object"),
    ("get", "/v1/holds/{name}", "One hold, and what it keeps; ?after=&limit=", None, 200, "Object"),
    (
        "post",
        "/v1/bulletins/{id}/hold/ask",
        "Ask the other side of a delivery to hold its copy",
        "HoldAsk",
        200,
        "Object",
    ),
    (
        "post",
        "/v1/bulletins/{id}/hold/answer",
        "Answer the other side, which has asked",
        "HoldAnswer",
        200,
        "Object",
    ),
)
"""(method, path, summary, request schema, status of success, answer schema)."""
