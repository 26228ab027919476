"""What agreements allow an agency to send, as the node tells it to its own people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from saphan_schemas.decoders import convert
from saphan_schemas.records import HandlingCode
from saphan_schemas.retention import Keep

from saphan.agreements.terms import DEFAULT_RETAIN_DAYS, ORIGINATOR_CONTROL

MOST_DAYS: Final = 36_525
"""A century: the longest that an agreement can allow."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a bulletin takes from the agreements where its author says nothing.

    Args:
        retain_days: the longest retention that they allow to every recipient; where none is known,
            what agreements say that name no other: the node judges in the end.
        codes: handling codes, for the first recipient that has an agreement and all others.
        keep: months of retention that the agency has set for types, named without their version.
    """

    retain_days: int = DEFAULT_RETAIN_DAYS
    codes: tuple[HandlingCode, ...] = ORIGINATOR_CONTROL
    keep: Mapping[str, Keep] = field(default_factory=dict)


Found = tuple[int, Sequence[HandlingCode]]
"""(longest retention in days, default codes) of one agreement for one recipient."""


def together(found: Iterable[Sequence[Found]], keep: Mapping[str, Keep]) -> Allowed:
    """What holds for all recipients; `found` has for each the agreements, oldest first.

    The shortest of their retentions, and every default code of the newest agreements: what one
    office asks for by default is not dropped because another one does not.
    """
    days, codes = MOST_DAYS, set[HandlingCode]()
    for agreements in found:
        longest = max((each for each, _ in agreements), default=DEFAULT_RETAIN_DAYS)
        days = min(days, longest)
        if agreements:
            codes.update(agreements[-1][1])
    return Allowed(days, tuple(sorted(codes)) or ORIGINATOR_CONTROL, keep)


def allowed(
    identity: dict[str, Any], agency: str, to: Sequence[str], schema: str, now: int
) -> Allowed:
    """What the node's answer allows for a bulletin of this type to these recipients.

    Args:
        identity: the node's answer, with its `agreements` and `keep_months`; may be empty.
        now: ms UTC.
    """
    dated = [one for one in identity.get("agreements", ()) if _dated(one, now)]
    holding = [one for one in dated if in_force(one, now)]
    # One that is suspended when this is written may be in force when it is sent.
    stopped = [one for one in dated if one.get("condition") != "replaced"]
    pairs = [(agency, recipient) for recipient in to]
    return together(
        [_found(holding, pair, schema) or _found(stopped, pair, schema) for pair in pairs],
        convert(identity.get("keep_months", {}), dict[str, Keep]),
    )


def in_force(agreement: dict[str, Any], now: int) -> bool:
    """Whether the node says that an agreement permits anything new at `now` (ms UTC)."""
    return _dated(agreement, now) and agreement.get("condition", "in_force") == "in_force"


def _dated(agreement: dict[str, Any], now: int) -> bool:
    dated: bool = agreement.get("valid_from", 0) <= now < agreement.get("valid_until", now + 1)
    return dated


def _found(agreements: Iterable[dict[str, Any]], pair: tuple[str, str], schema: str) -> list[Found]:
    found: list[Found] = []
    for agreement in agreements:
        days = [
            rule["retain_days"]
            for rule in agreement["rules"]
            if (rule["sender"], rule["recipient"]) == pair and schema in rule["schemas"]
        ]
        if days:
            found.append((max(days), agreement.get("default_handling", ())))
    return found
