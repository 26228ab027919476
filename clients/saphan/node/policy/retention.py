"""What an agency sets about retention: other periods than those that are shipped, type by type."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Digest, Handle
from saphan_schemas.retention import Days, Keep, Rule, RuleTable, TypeRules, default_table

TypeName = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9.-]{0,33}/[a-z][a-z0-9_]{0,40}\Z")]
"""A type without its version."""


class TypePeriods(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one type; a member left out is that of the shipped table."""

    keep_months: Keep | None = None
    with_persons: Rule | None = None
    without_persons: Rule | None = None

    def over(self, rules: TypeRules) -> TypeRules:
        """The shipped rules with these in their place."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return replace(rules, **{name: one for name, one in given.items() if one is not None})


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings' part `retention`.

    Args:
        undecided_days: after a review on which nobody decides; None: as shipped.
        types: by a type's name without its version.
        officers: handles of those who may extend, keep and erase at a review.
    """

    undecided_days: Days | None = None
    types: Annotated[dict[TypeName, TypePeriods], Meta(max_length=LIMITS.rules)] = {}
    officers: Annotated[tuple[Handle, ...], Meta(max_length=LIMITS.rule_names)] = ()

    @property
    def table(self) -> RuleTable:
        """The rules that are meant, armed or not."""
        table = default_table()
        types = {name: one.over(table.of(name)) for name, one in self.types.items()}
        days = table.undecided_days if self.undecided_days is None else self.undecided_days
        return replace(table, types={**table.types, **types}, undecided_days=days)

    @property
    def keeps(self) -> dict[str, Keep]:
        """Months of `retain_until` where an author here says nothing, of types that are set."""
        found = self.types.items()
        return {name: one.keep_months for name, one in found if one.keep_months is not None}


WITHOUT: Final = RetentionSettings()


def rules_digest(table: RuleTable) -> Digest:
    """What tells one set of rules from another; where they come from is not part of it."""
    plain = replace(table, source="", dated="", standing="")
    return sha256(msgspec.json.encode(plain, order="sorted")).digest()
