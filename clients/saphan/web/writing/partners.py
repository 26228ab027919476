"""Which types may be written to whom, by what the node said last of the agreements. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saphan_schemas.records import TLP_ORDER, Tlp

from saphan.corridors import in_force

Json = dict[str, Any]


def reachable(corridors: Json, agency: str, now: int) -> dict[str, tuple[str, ...]]:
    """Types by name, each with the agencies to which an agreement in force takes it.

    Args:
        corridors: `Inbox.corridors`; may be empty. now: ms UTC.
    """
    found: dict[str, set[str]] = {}
    for agreement in corridors.get("agreements", ()):
        if not in_force(agreement, now):
            continue
        for rule in agreement["rules"]:
            if rule["sender"] == agency:
                for schema in rule["schemas"]:
                    found.setdefault(schema, set()).add(rule["recipient"])
    return {schema: tuple(sorted(found[schema])) for schema in sorted(found)}


def ceiling(corridors: Json, agency: str, to: Sequence[str], schema: str, now: int) -> Tlp | None:
    """The strictest marking that agreements take to each of these; None where none says."""
    found: dict[str, list[int]] = {}
    for agreement in corridors.get("agreements", ()):
        for rule in agreement["rules"] if in_force(agreement, now) else ():
            known = rule.get("tlp_ceiling") in TLP_ORDER
            if known and rule["sender"] == agency and schema in rule["schemas"]:
                at = TLP_ORDER.index(rule["tlp_ceiling"])
                found.setdefault(rule["recipient"], []).append(at)
    lowest = [max(found[one]) for one in to if one in found]
    return TLP_ORDER[min(lowest)] if lowest else None


def partners(types: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Every agency that something may be written to."""
    return tuple(sorted({agency for to in types.values() for agency in to}))
