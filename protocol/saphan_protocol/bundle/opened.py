"""Agreements and orders that a bundle opens, and how much of the directory stays closed (V7)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from saphan_schemas.bundles import BundlePackage

from saphan_protocol.agreement import Agreed, check_pins
from saphan_protocol.bundle.facts import AgreementSeen, OrderSeen, PartySeen
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.reading import disordered
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.trail import Trail


class Opened:
    """The directory's commitments: which leaves they are, and which of them were opened.

    Whoever does not open a leaf leaves it open what it says: an order that suspends, a renewal.
    """

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._names: list[bytes] = []
        self.leaves: set[int] = set()

    def take(self, packages: Iterable[BundlePackage], trail: Trail) -> None:
        """Step V7 for every package, in the order of the directory log.

        Raises:
            InvalidInput, Refused: what `Directory.add_package` and `check_pins` raise;
                `evidence_order`.
        """
        pins, last = self._logs.pins.lasting, -1
        for item in packages:
            trail.at(BundleStep.AGREEMENTS)
            added = self._logs.directory.add_package(
                item.package, lambda text: check_pins(text, *pins)
            )
            if added.index is None or added.index <= last:
                # Judged as the log grew: a renewal shown before what it renews is judged alone.
                raise disordered("agreements and orders stand in the order of their leaves")
            last = added.index
            self.leaves.add(last)
            if isinstance(added, Agreed) and added.name not in self._names:
                self._names.append(added.name)

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
