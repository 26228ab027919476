"""Which officers are shown what: a closed list of rules, and everyone where there is none.

A rule opens; nothing closes. An officer is shown a bulletin when any rule that names them covers
it, and an author their own. Who is shown a bulletin is also who is told of it (`notices`).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import TLP_ORDER, AgencyId, Handle, Header, Tlp

Officers = Annotated[tuple[Handle, ...], Meta(min_length=1, max_length=LIMITS.rule_names)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What some officers are shown; a member left out covers everything.

    Args:
        officers: handles.
        schemas: names of body types, such as "saphan/arrest_notice/0".
        sender: agencies that have sent it ("from" in the file).
        tlp_ceiling: the most restricted marking shown.
    """

    officers: Officers
    schemas: Annotated[tuple[str, ...], Meta(min_length=1, max_length=LIMITS.rule_names)] | None = (
        None
    )
    sender: Annotated[tuple[AgencyId, ...], Meta(min_length=1, max_length=LIMITS.rule_names)] | (
        None
    ) = msgspec.field(name="from", default=None)
    tlp_ceiling: Tlp = TLP_ORDER[-1]

    def covers(self, header: Header) -> bool:
        """Whether it is about such a bulletin."""
        return (
            (self.schemas is None or header.schema in self.schemas)
            and (self.sender is None or header.sender in self.sender)
            and TLP_ORDER.index(header.marking.tlp) <= TLP_ORDER.index(self.tlp_ceiling)
        )


RuleList = Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=LIMITS.rules)]


class Rules:
    """The rules of one node.

    Args:
        rules: None: every enrolled officer is shown everything.
    """

    def __init__(self, rules: tuple[Rule, ...] | None) -> None:
        self._rules = rules

    @property
    def mark(self) -> str:
        """Differs when the rules differ: what a desk was shown under others is shown anew."""
        return "" if self._rules is None else sha256(msgspec.json.encode(self._rules)).hexdigest()

    def shows(self, handle: str, header: Header, author: str | None = None) -> bool:
        """Whether an enrolled officer is shown a bulletin.

        Args:
            author: handle of the officer of this agency who wrote it; None if it came from
                another agency, or from a machine.
        """
        if self._rules is None or author == handle:
            return True
        return any(handle in rule.officers and rule.covers(header) for rule in self._rules)

    def officers(self, header: Header, enrolled: Iterable[str]) -> list[str]:
        """Those of the enrolled officers who are shown a bulletin, sorted."""
        return sorted(handle for handle in set(enrolled) if self.shows(handle, header))


EVERYONE: Final = Rules(None)
