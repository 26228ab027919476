"""How an agency answers what others recall, and which of its officers see to recalls."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Handle

Named = Annotated[tuple[Handle, ...], Meta(max_length=LIMITS.rule_names)]


class RecallSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a node does by itself when a bulletin is recalled.

    Args:
        answer: "obey" erases and answers at once; "ask" seals, and waits for a person. What a hold
            binds is declined either way.
        officers: handles of those who may recall what others of this agency wrote, and answer what
            other agencies recall.
    """

    answer: Literal["obey", "ask"] = "obey"
    officers: Named = ()


WITHOUT_RECALLS: Final = RecallSettings()
"""Of a node whose file does not say."""
