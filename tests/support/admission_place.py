"""Where admission is provoked: two agencies, a directory with their agreement, and what judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saphan_protocol.admission import Facts, admit, admit_statement
from saphan_protocol.directory import (
    Directory,
    agreement_leaf,
    operation_leaf,
    order_leaf,
    types_leaf,
)
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import SignedOrder, Types
from saphan_schemas.frames import StatementItem, Submission
from saphan_schemas.records import BatchSignature, Event, Role

from support.agency import Agency, Made, agreement, order_by
from support.ceremony import NOW, PINS, Ceremony, revoke

Provoke = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A step of the page, a defect that only it finds, and the code of the refusal."""

    step: str
    code: str
    defect: str
    provoke: Provoke


class Place:
    """Two agencies, a directory in which their keys and agreement stand, and what judges there."""

    def __init__(self, *, types: Types | None = None, **terms: Any) -> None:
        self.la, self.kh = Agency("la.ospp", NOW), Agency("kh.gpo", NOW)
        self.ceremonies = {one.name: Ceremony(one) for one in (self.la, self.kh)}
        self.directory = Directory()
        self.now = NOW
        package = agreement([self.la, self.kh], *PINS, NOW, **terms)
        signed = parse_agreement_package(package)
        self.directory.apply(types_leaf(types or Types(known_types())))
        for ceremony in self.ceremonies.values():
            self.directory.apply(operation_leaf(ceremony.enrol()))
        self.directory.apply(agreement_leaf(signed.salt, signed.agreement))
        self.agreed = self.directory.add_package(package)

    @property
    def facts(self) -> Facts:
        """The newest directory, and the time."""
        return Facts(self.directory, self.now)

    def revoke(self, agency: Agency, role: Role, key_id: bytes) -> None:
        """A later operation of the agency takes a key back."""
        signed = self.ceremonies[agency.name].operate([revoke(role, key_id)])
        self.directory.apply(operation_leaf(signed))

    def order(self, agency: Agency, action: Any) -> None:
        """An order of a party on the agreement is logged."""
        (agreed,) = self.directory.agreements_of(agency.name)
        package = order_by(agency, agreed.name, action)
        signed = decode(SignedOrder, package, 72 * 1024, "order")
        self.directory.apply(order_leaf(signed.salt, signed.order))
        self.directory.add_package(package)

    def consigned(
        self, made: Made | None = None, to: list[Agency] | None = None, **changes: Any
    ) -> tuple[Submission, BatchSignature]:
        """A bulletin from LA to KH, with fields of its header exchanged."""
        recipients = changes.pop("recipients", ["kh.gpo"])
        made = made or self.la.bulletin(recipients, NOW, **changes)
        (submission,), batch = self.la.submissions([made], to or [self.kh])
        return submission, batch

    def judge(
        self,
        submission: Submission,
        batch: BatchSignature | None,
        peer: str | None = "la.ospp",
    ) -> object:
        """`admit` as the broker calls it."""
        s = submission
        return admit(
            s.header,
            s.consignment,
            s.item,
            batch,
            s.ciphertext,
            self.facts,
            peer=peer,
            stanzas=s.stanzas,
            attachments=s.attachments,
        )

    def said(
        self, event: Event = Event.HANDOVER, **changes: Any
    ) -> tuple[StatementItem, BatchSignature]:
        """A statement of KH about a bulletin from LA."""
        about = [(b"\x01" * 32, b"\x02" * 32)]
        arguments: dict[str, Any] = {"corridor": ("la.ospp", "kh.gpo"), "now": NOW} | changes
        (item,), batch = self.kh.statements(event, about, **arguments)
        return item, batch

    def hear(
        self,
        item: StatementItem,
        batch: BatchSignature | None,
        peer: str = "kh.gpo",
        event: Event | None = None,
    ) -> object:
        """`admit_statement` as the broker calls it."""
        return admit_statement(
            event or item.event,
            item.statement,
            item.item,
            batch,
            (item.sender, item.recipient),
            self.facts,
            peer=peer,
        )
