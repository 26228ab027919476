"""A hold's scope as JSON: what the node shows, and what people read before they sign."""

from __future__ import annotations

from typing import Any

from saphan_schemas.hold_records import HoldScope, HoldTerms

Json = dict[str, Any]


def scope_json(terms: HoldTerms) -> Json:
    """The scope of some terms; times in ms UTC."""
    scope = terms.scope
    return {
        "ids": [one.hex() for one in scope.ids],
        "schemas": list(scope.schemas),
        "since": scope.since,
        "until": scope.until,
        "threads": [one.hex() for one in scope.threads],
        "cases": list(scope.cases),
    }


def scope_of(found: Json) -> HoldScope:
    """The scope again."""
    return HoldScope(
        tuple(bytes.fromhex(one) for one in found["ids"]),
        tuple(found["schemas"]),
        found["since"],
        found["until"],
        tuple(bytes.fromhex(one) for one in found["threads"]),
        tuple(found["cases"]),
    )
