"""Content checked against a type without a bulletin around it."""

from __future__ import annotations

from typing import Any, Final

import pytest
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.errors import InvalidInput

FACTS: Final[dict[str, Any]] = {
    "sender": "la.ospp",
    "recipients": ["kh.gpo"],
    "tlp": "amber",
    "codes": ["H1", "H2"],
    "urgency": "routine",
    "exercise": True,
    "created": "2025-10-14T00:00:00.000Z",
    "expires": "2025-11-13T00:00:00.000Z",
    "retain_until": "2026-10-14",
}
"""A header's facts as rules see them."""
DEMANDED: Final[dict[str, dict[str, Any]]] = {"saphan/controlled_delivery/1": {"tlp": "red"}}
"""Facts that a type's own rules demand."""


def check(name: str, content: dict[Any, Any], **header: Any) -> None:
    """Refuse content that is not of a type; `header` replaces single facts.

    Args:
        name: of a built-in type, or its stem such as "drug_seizure".
    """
    whole = name if "/" in name else f"saphan/{name}/1"
    BUILT_IN.get(whole).check(content, {**FACTS, **DEMANDED.get(whole, {}), **header})


def refusal(name: str, content: dict[Any, Any], **header: Any) -> InvalidInput:
    """The error with which `check` refuses."""
    with pytest.raises(InvalidInput) as refused:
        check(name, content, **header)
    return refused.value
