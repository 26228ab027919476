"""This agency's agreements as its own people see them: terms, standing, who has ordered what.

The caller holds the logs' lock: the directory is replayed in another thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_protocol.agreement import Agreed
from saphan_protocol.agreement_order import Ordered
from saphan_protocol.directory import Directory
from saphan_protocol.standing import Condition
from saphan_schemas.directory_records import CorridorRule

from saphan.corridors import Found

Json = dict[str, Any]


def found(
    directory: Directory, pair: tuple[str, str], schema: str, now: int, *, ordered: bool = False
) -> list[Found]:
    """The agreements in force at `now` (ms UTC) that let this schema go from one to the other.

    Args:
        ordered: those as well that an order has suspended or ended.
    """
    rows: list[Found] = []
    for agreed in directory.agreements(*pair):
        text = agreed.text
        dated = text.valid_from <= now < text.valid_until
        days = [rule.retain_days for rule in agreed.rules[pair] if schema in rule.schemas]
        standing = directory.standing(agreed)
        stopped = ordered and standing.condition is not Condition.REPLACED
        if days and dated and (standing.in_force or stopped):
            rows.append((max(days), text.default_handling))
    return rows


def describe_corridor(directory: Directory, agreed: Agreed, agency: str) -> Json:
    """What an agreement lets this agency send: short, for officers' desks on slow lines."""
    text = agreed.text
    return {
        "reference": text.reference,
        "condition": directory.standing(agreed).condition.value,
        "valid_from": text.valid_from,
        "valid_until": text.valid_until,
        "default_handling": list(text.default_handling),
        "rules": [_rule(rule) for rule in text.rules if rule.sender == agency],
    }


def describe_agreement(directory: Directory, agreed: Agreed, agency: str) -> Json:
    """An agreement in full; `orders` counts those of this agency, so that its next is numbered."""
    text, standing = agreed.text, directory.standing(agreed)
    orders = [_order(one) for one in directory.agreed.heeded(agreed)]
    return {
        "identity": agreed.name.hex(),
        "reference": text.reference,
        "title": text.title,
        "instrument": text.instrument,
        "parties": [party.agency for party in text.parties],
        "condition": standing.condition.value,
        "by": list(standing.by),
        "in_flight": text.in_flight,
        "valid_from": text.valid_from,
        "valid_until": text.valid_until,
        "handling": list(text.handling),
        "default_handling": list(text.default_handling),
        "onward": text.onward,
        "languages": list(text.languages),
        "replaces": None if text.replaces is None else text.replaces.hex(),
        "rules": [_rule(rule) for rule in text.rules],
        "orders": orders,
        "own_orders": sum(one["agency"] == agency for one in orders),
    }


def describe_all(directory: Directory, agency: str) -> Iterator[Json]:
    """Every agreement of this agency, in the order of the log."""
    for agreed in directory.agreements_of(agency):
        yield describe_agreement(directory, agreed, agency)


def _rule(rule: CorridorRule) -> Json:
    return {
        "sender": rule.sender,
        "recipient": rule.recipient,
        "schemas": list(rule.schemas),
        "tlp_ceiling": rule.tlp_ceiling,
        "retain_days": rule.retain_days,
    }


def _order(ordered: Ordered) -> Json:
    order = ordered.order
    return {
        "agency": order.agency,
        "action": order.action,
        "number": order.number,
        "time": order.time,
        "reason": order.reason,
        "logged": ordered.index is not None,
    }
