"""The OpenAPI table's rows about retention: recalls, reviews, holds, subjects of data."""

from __future__ import annotations

from typing import Any, Final

from saphan_protocol.delivery import DECLINED_CODES, RECALLED_CODES

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
    ("get", "/v1/recalls", "Recalls of other agencies; ?after=&limit=", None, 200, "Object"),
)
"""(method, path, summary, request schema, status of success, answer schema)."""
