"""The broker's one rule of retention, as a person sees it before it is armed.

Nothing in it can be set: due-days are fixed at admission, and only a hold moves one. The digest
changes with the program's numbers, so that a rule nobody has seen destroys nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec
from saphan_protocol.identity import pae_array, sha256
from saphan_schemas.limits import LIMITS

RULE_TYPE: Final = "saphan/broker_retention/1"


class Rule(msgspec.Struct, frozen=True):
    """Days and milliseconds by which the broker destroys.

    Args:
        delivery_grace_days: the due-day is min(retain_until, expires + so many days).
        record_days: that records and salts outlive their entry by.
        leap_ms: witnessed time that goes on by more at once needs a person.
    """

    delivery_grace_days: int
    record_days: int
    leap_ms: int

    @property
    def digest(self) -> bytes:
        """32 bytes that name these numbers."""
        return sha256(pae_array(RULE_TYPE, list(msgspec.structs.astuple(self))))


RULE: Final = Rule(LIMITS.delivery_grace_days, LIMITS.record_days, LIMITS.retention_leap_ms)
