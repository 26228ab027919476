"""How long what kind of bulletin is kept: the table of defaults by type, as it is shipped.

It is data with its source and its standing (`retention.json`): an agreement's ceiling, national law
and an agency's own settings come before it. Periods begin when a bulletin was created, when its
matter was closed, or when what it says ends to be valid.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from saphan_schemas.strict_json import parse_json

Begin = Literal["created", "closed", "valid_until"]
"""`closed`: answered, carried out, cancelled, ended; whatever ends a matter of that type."""
When = Literal["wrong_person", "no_trace", "position"]
"""Words by which a matter was closed, or which a message is itself, that have a line of their own.
"""
Months = Annotated[int, Meta(ge=1, le=1_200)]
Days = Annotated[int, Meta(ge=1, le=3_660)]


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time after a beginning: months of the calendar, or days; exactly one of both.

    Args:
        when: only for a matter that was closed by this word, or a message of this kind.
    """

    after: Begin
    months: Months | None = None
    days: Days | None = None
    when: When | None = None

    def __post_init__(self) -> None:
        """Refuse what is no time, or two."""
        if (self.months is None) == (self.days is None):
            raise ValueError("a period has months or days, and one of both")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a person is asked, and when a bulletin is erased: the first line that applies.

    Args:
        review: None: nobody is asked, but on the day that the bulletin itself names.
        erase: none applies: on its last day alone.
    """

    review: Period | None = None
    erase: Annotated[tuple[Period, ...], Meta(max_length=8)] = ()


class Keep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Months of `retain_until` where its author says nothing."""

    with_persons: Months
    without_persons: Months


class TypeRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of one type of bulletin."""

    keep_months: Keep
    with_persons: Rule
    without_persons: Rule


class RuleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole table.

    Args:
        undecided_days: after a review on which nobody decides; then it is erased.
        rejected_days: for which the sealed bytes of what was rejected stay.
        halved_for: what makes every period half as long: minors, or a role of a person.
        types: by a type's name without its version.
    """

    source: str
    dated: str
    standing: str
    undecided_days: Days
    rejected_days: Days
    halved_for: tuple[str, ...]
    types: dict[str, TypeRules]
    other_types: TypeRules

    def of(self, schema: str) -> TypeRules:
        """The rules of a type, by its name with or without its version."""
        stem = schema.rpartition("/")[0] if schema.count("/") > 1 else schema
        return self.types.get(stem, self.other_types)


@functools.cache
def default_table() -> RuleTable:
    """The table that this package ships."""
    data = resources.files("saphan_schemas").joinpath("retention.json").read_bytes()
    return parse_json(RuleTable, data)
