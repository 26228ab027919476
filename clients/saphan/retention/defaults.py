"""`retain_until` where its author says nothing: by type, as the agency has set, or as shipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saphan_schemas.retention import Keep, default_table

from saphan.retention.facts import facts_of
from saphan.retention.reckoning import add_months
from saphan.threads.words import family


def default_last_day(
    schema: str, about: Any, body: Any, created: int, keep: Mapping[str, Keep]
) -> int:
    """The last day for every holder, before any agreement's ceiling; never before its review.

    What a content says that its schema refuses does not count here: it is refused by its schema.

    Args:
        created: day since 1970-01-01; keep: what the agency has set, by types without version.
    """
    table = default_table()
    found = keep.get(family(schema), table.of(schema).keep_months)
    try:
        facts = facts_of(schema, {"about": about, "body": body})
    except (AttributeError, TypeError):
        return add_months(created, found.with_persons)
    months = found.with_persons if facts.persons else found.without_persons
    if set(facts.roles) & set(table.halved_for):
        months = (months + 1) // 2
    return max(add_months(created, months), facts.review or 0)
