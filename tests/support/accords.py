"""Two agencies with an agreement and an order key each, for tests of orders and releases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saphan_protocol.directory import (
    Directory,
    agreement_leaf,
    operation_leaf,
    order_leaf,
    types_leaf,
)
from saphan_protocol.keys import SigningKey
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import SignedOrder, Types
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.records import Role

from support.agency import Agency, agreement, order_by
from support.ceremony import NOW, PINS, Ceremony, add


class Accord:
    """A directory of `la.ospp` and `kh.gpo`, their agreement, and what is ordered on it."""

    def __init__(self, **terms: Any) -> None:
        self.la, self.kh = Agency("la.ospp", NOW), Agency("kh.gpo", NOW)
        self.directory = Directory()
        self.ceremonies = {one.name: Ceremony(one) for one in (self.la, self.kh)}
        self.orders = {
            one.name: SigningKey(Role.ORDER, one.random(64)) for one in (self.la, self.kh)
        }
        self.directory.apply(types_leaf(Types(known_types())))
        for name, ceremony in self.ceremonies.items():
            key = self.orders[name]
            self.directory.apply(operation_leaf(ceremony.enrol()))
            added = ceremony.operate([add(Role.ORDER, key.public)], new=[key])
            self.directory.apply(operation_leaf(added))
        self.name = self.agree(**terms)

    def agree(self, **terms: Any) -> bytes:
        """Log one more agreement; the identity of its text."""
        package = agreement([self.la, self.kh], *PINS, NOW, **terms)
        signed = parse_agreement_package(package)
        self.directory.apply(agreement_leaf(signed.salt, signed.agreement))
        self.directory.add_package(package)
        return self.directory.check_package(package).name

    def order(
        self,
        action: Any,
        by: str = "kh.gpo",
        number: int = 1,
        keys: Sequence[SigningKey] | None = None,
        name: bytes | None = None,
    ) -> bytes:
        """A SignedOrder, by the agency's order key unless told."""
        signers = [self.orders[by]] if keys is None else keys
        agency = Agency(by, NOW)
        return order_by(agency, name or self.name, action, number, signers)

    def log(self, package: bytes) -> None:
        """Log an order and open it."""
        self.directory.check_order(package)
        signed = decode(SignedOrder, package, ORDER_BYTES, "order")
        self.directory.apply(order_leaf(signed.salt, signed.order))
        self.directory.add_package(package)

    def standing(self, at: int | None = None, name: bytes | None = None) -> tuple[str, ...]:
        """(condition, *by) of the agreement."""
        agreed = self.directory.agreed.find(name or self.name)
        assert agreed is not None
        found = self.directory.standing(agreed, at)
        return found.condition.value, *found.by
