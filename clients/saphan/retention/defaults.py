"""`retain_until` where its author says nothing: by type, from the shipped table."""

from __future__ import annotations

from typing import Any

from saphan_schemas.retention import RuleTable, default_table

from saphan.retention.facts import facts_of
from saphan.retention.reckoning import add_months


def default_last_day(
    schema: str, about: Any, body: Any, created: int, table: RuleTable | None = None
) -> int:
    """The last day for every holder, before any agreement's ceiling; never before its review.

    What a content says that its schema refuses does not count here: it is refused by its schema.

    Args:
        created: day since 1970-01-01; table: None: the shipped one.
    """
    table = default_table() if table is None else table
    rules = table.of(schema)
    try:
        facts = facts_of(schema, {"about": about, "body": body})
    except (AttributeError, TypeError):
        return add_months(created, rules.keep_months.with_persons)
    keep = rules.keep_months
    months = keep.with_persons if facts.persons else keep.without_persons
    if set(facts.roles) & set(table.halved_for):
        months = (months + 1) // 2
    return max(add_months(created, months), facts.review or 0)
