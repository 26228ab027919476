"""Which officers are shown what, and may send what: rules, sections and clearances of one agency.

A rule opens, a section opens; only clearance closes. An officer is shown a bulletin when a rule
that names them or one of their sections covers it, their clearance covers its marking, and it is
not older than they are here, unless a rule opens the past to them. Who is shown a bulletin is
also who is told of it (`notices`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import TLP_ORDER, AgencyId, Handle, Header, Tlp

EVERYBODY: Final = "*"
"""In the place of a handle: every officer."""
Name = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,30}\Z")]
Whom = Annotated[str, Meta(pattern=r"\A(\*|[a-z][a-z0-9-]{0,30})\Z")]
Language = Annotated[str, Meta(pattern=r"\A[a-z]{2,3}\Z")]
Officers = Annotated[tuple[Handle, ...], Meta(min_length=1, max_length=LIMITS.rule_names)]
Schemas = Annotated[tuple[str, ...], Meta(min_length=1, max_length=LIMITS.rule_names)]
Agencies = Annotated[tuple[AgencyId, ...], Meta(min_length=1, max_length=LIMITS.rule_names)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What some officers are shown; a member left out covers everything.

    Args:
        officers: handles; "*" is every officer.
        schemas: names of body types, such as "saphan/arrest_notice/1".
        sender: agencies that have sent it ("from" in the file).
        tlp_ceiling: the most restricted marking shown.
        past: also what came before the officer was enrolled.
    """

    officers: Annotated[tuple[Whom, ...], Meta(min_length=1, max_length=LIMITS.rule_names)]
    schemas: Schemas | None = None
    sender: Agencies | None = msgspec.field(name="from", default=None)
    tlp_ceiling: Tlp = TLP_ORDER[-1]
    past: bool = False

    def names(self, handle: str) -> bool:
        """Whether it is for this officer."""
        return handle in self.officers or EVERYBODY in self.officers

    def covers(self, header: Header) -> bool:
        """Whether it is about such a bulletin."""
        return (
            (self.schemas is None or header.schema in self.schemas)
            and (self.sender is None or header.sender in self.sender)
            and within(header.marking.tlp, self.tlp_ceiling)
        )


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A desk of the office: the types it works on, with whom; a member left out covers everything.

    Args:
        schemas: names of body types; sender: agencies it hears ("from" in the file); to: agencies
            it writes to.
    """

    schemas: Schemas | None = None
    sender: Agencies | None = msgspec.field(name="from", default=None)
    to: Agencies | None = None

    def hears(self, header: Header) -> bool:
        """Whether its officers are shown such a bulletin."""
        return self._works_on(header) and (self.sender is None or header.sender in self.sender)

    def writes(self, header: Header) -> bool:
        """Whether its officers may send such a bulletin."""
        return self._works_on(header) and (self.to is None or set(header.recipients) <= {*self.to})

    def _works_on(self, header: Header) -> bool:
        return self.schemas is None or header.schema in self.schemas


class Officer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one officer is cleared for; it binds showing, reading, attachments and sending.

    Args:
        clearance: the most restricted marking.
        sections: names of `sections`; None: rules alone open, and every type may be sent.
        languages: that they read, the best one first.
    """

    clearance: Tlp
    sections: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=LIMITS.rule_names)] | (
        None
    ) = None
    languages: Annotated[tuple[Language, ...], Meta(max_length=16)] = ()


RuleList = Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=LIMITS.rules)]
SectionMap = Annotated[dict[Name, Section], Meta(min_length=1, max_length=LIMITS.rules)]
OfficerMap = Annotated[dict[Whom, Officer], Meta(min_length=1, max_length=LIMITS.keys_per_agency)]

_UNBOUND: Final = Officer(clearance=TLP_ORDER[-1])


class Rules:
    """What one node's settings say of its officers.

    Args:
        rules: None: they open nothing and close nothing.
        officers: None: everybody is cleared for everything; else who is not named, neither by
            handle nor by "*", is cleared for nothing.
        sections: by their names.
    """

    def __init__(
        self,
        rules: tuple[Rule, ...] | None,
        officers: Mapping[str, Officer] | None = None,
        sections: Mapping[str, Section] | None = None,
    ) -> None:
        self._rules = rules
        self._officers = officers
        self._sections = sections or {}

    @property
    def mark(self) -> str:
        """Differs when the rules differ: what a desk was shown under others is shown anew."""
        if self._rules is None and self._officers is None:
            return ""
        said = [self._rules, self._officers, self._sections]
        return sha256(msgspec.json.encode(said, order="sorted")).hexdigest()

    def officer(self, handle: str) -> Officer | None:
        """What an officer is cleared for; None: nothing."""
        if self._officers is None:
            return _UNBOUND
        return self._officers.get(handle, self._officers.get(EVERYBODY))

    def cleared(self, handle: str, header: Header) -> bool:
        """Whether an officer's clearance covers a bulletin's marking."""
        officer = self.officer(handle)
        return officer is not None and within(header.marking.tlp, officer.clearance)

    def shows(
        self, handle: str, header: Header, author: str | None = None, *, past: bool = False
    ) -> bool:
        """Whether an enrolled officer is shown a bulletin (S2, S3 and what S4 leaves open).

        Args:
            author: handle of the officer of this agency who wrote it; None if it came from
                another agency, or from a machine.
            past: it was here before the officer was.
        """
        if not self.cleared(handle, header):
            return False
        if author == handle:
            return True
        for rule in self._rules or ():
            if rule.names(handle) and rule.covers(header) and (rule.past or not past):
                return True
        if past:
            return False
        sections = self._of(handle)
        if sections is None:
            return self._rules is None
        return any(section.hears(header) for section in sections)

    def sends(self, handle: str, header: Header) -> bool:
        """Whether an officer's sections write such bulletins to these agencies; clearance is
        another question."""
        sections = self._of(handle)
        return sections is None or any(section.writes(header) for section in sections)

    def officers(self, header: Header, enrolled: Iterable[str]) -> list[str]:
        """Those of the enrolled officers who are shown a bulletin that comes now, sorted."""
        return sorted(handle for handle in set(enrolled) if self.shows(handle, header))

    def _of(self, handle: str) -> list[Section] | None:
        """An officer's sections; None: of none in particular."""
        officer = self.officer(handle)
        if officer is None or officer.sections is None:
            return None
        return [self._sections[name] for name in officer.sections if name in self._sections]


def within(tlp: Tlp, ceiling: Tlp) -> bool:
    """Whether a marking is at most as restricted as a ceiling."""
    return TLP_ORDER.index(tlp) <= TLP_ORDER.index(ceiling)
