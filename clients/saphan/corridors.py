"""What agreements allow an agency to send, as the node tells it to its own people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MOST_DAYS: Final = 36_525
"""A century: what stands where no agreement is known; the node judges in the end."""


def retain_days(identity: dict[str, Any], agency: str, to: Sequence[str], schema: str) -> int:
    """The longest retention that agreements allow to all recipients.

    Args:
        identity: the node's answer, with its `agreements`; may be empty.
    """
    days = MOST_DAYS
    for recipient in to:
        allowed = [
            rule["retain_days"]
            for agreement in identity.get("agreements", ())
            for rule in agreement["rules"]
            if (rule["sender"], rule["recipient"]) == (agency, recipient)
            and schema in rule["schemas"]
        ]
        if allowed:
            days = min(days, max(allowed))
    return days
