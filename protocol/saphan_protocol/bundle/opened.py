"""Agreements, orders, a schema that a bundle opens; what of the directory stays closed (V7)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.bundles import BundlePackage
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.profile import open_bundle

from saphan_protocol.agreement import Agreed, check_pins
from saphan_protocol.bundle.facts import AgreementSeen, OrderSeen, PartySeen
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.reading import disordered
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.registrations import parse_schema_package

_SCHEMA_PACKAGE: Final = b"\x92"
"""An array of two; agreements and orders have three members."""


class Opened:
    """The directory's commitments: which leaves they are, and which of them were opened.

    Whoever does not open a leaf leaves it open what it says: an order that suspends, a renewal.
    """

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._names: list[bytes] = []
        self.leaves: set[int] = set()
        self.types = BUILT_IN
        """With the agency's own type that a package brings; one at most, or nobody could keep them
        in memory."""

    def take(self, packages: Iterable[BundlePackage], trail: Trail) -> None:
        """Step V7 for every package, in the order of the directory log.

        Raises:
            InvalidInput, Refused: what `Directory.add_package` and `check_pins` raise;
                `evidence_order`.
        """
        pins, last = self._logs.pins.lasting, -1
        for item in packages:
            trail.at(BundleStep.AGREEMENTS)
            if item.package[:1] == _SCHEMA_PACKAGE:
                last = self._take_schema(item.package, last)
                continue
            added = self._logs.directory.add_package(
                item.package, lambda text: check_pins(text, *pins)
            )
            if added.index is None or added.index <= last:
                # Judged as the log grew: a renewal shown before what it renews is judged alone.
                raise disordered("packages stand in the order of their leaves")
            last = added.index
            self.leaves.add(last)
            if isinstance(added, Agreed) and added.name not in self._names:
                self._names.append(added.name)

    def _take_schema(self, data: bytes, last: int) -> int:
        """The bundle of a schema that a leaf registers; gives the leaf.

        One that this program cannot use is left out: content in it is then not judged by it.
        """
        record, package = parse_schema_package(data)
        known = self._logs.directory.own_schemas.find(record.name)
        if known is None or encode(known.signed) != package.registration:
            raise Refused(
                "schema_unregistered",
                f"no leaf of the directory registers this {record.name}",
                field="bundle.package",
            )
        if known.index <= last or self.types is not BUILT_IN:
            raise disordered("packages stand in the order of their leaves, with one schema at most")
        try:
            open_bundle(record.name, package.bundle)
        except InvalidInput:
            return known.index
        self.types = BUILT_IN.with_own(record.name, package.bundle)
        return known.index

    def closed(self, start: int, stop: int) -> int:
        """How many commitments at leaves start < leaf < stop were not opened."""
        committed = self._logs.committed
        part = committed[bisect_left(committed, start + 1) :]
        return sum(leaf < stop and leaf not in self.leaves for leaf in part)

    def seen(self) -> tuple[AgreementSeen, ...]:
        """What was opened, in the order of the log."""
        directory = self._logs.directory
        found = (directory.agreed.find(name) for name in self._names)
        shown = [self._seen(agreed) for agreed in found if agreed is not None]
        return tuple(sorted(shown, key=lambda one: one.index))

    def _seen(self, agreed: Agreed) -> AgreementSeen:
        text = agreed.text
        orders = tuple(
            OrderSeen(
                one.index or 0, one.order.agency, one.order.action, one.order.time, one.order.reason
            )
            for one in self._logs.directory.agreed.orders(agreed)
        )
        return AgreementSeen(
            name=agreed.name,
            index=agreed.index or 0,
            reference=text.reference,
            title=text.title,
            instrument=text.instrument,
            parties=tuple(PartySeen(p.agency, p.roots, p.threshold) for p in text.parties),
            valid_from=text.valid_from,
            valid_until=text.valid_until,
            policy=text.witnesses,
            orders=orders,
        )
