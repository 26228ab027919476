"""Which hold orders are in force at a place in the directory log, as far as they are held here.

The broker holds all of them, an agency its own; whoever else replays the directory knows of each no
more than its commitment. `check_hold` is what broker, node and auditor judge `held` and `released`
statements by.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, replace

from saphan_schemas.codec import encode
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Statement

from saphan_protocol.agreements import OrderKey, RootKeys, ThresholdAt
from saphan_protocol.batch import verify_one
from saphan_protocol.hold_order import HOLD_TYPE, HoldOrdered, parse_hold
from saphan_protocol.operation import count_signers


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold in force: the order that began it, and the newest one that says when it is reviewed.

    `name` is the first order's leaf commitment: what stores know the hold by.
    """

    first: HoldOrdered
    newest: HoldOrdered

    @property
    def name(self) -> bytes:
        """Leaf commitment of the order that began it: 32 bytes."""
        return self.first.commitment

    @property
    def review(self) -> int:
        """The day on which it must have been looked at again."""
        return self.newest.order.review


class Holds:
    """One directory's hold orders; keys and thresholds are the directory's to say."""

    def __init__(self, threshold: ThresholdAt, order_key: OrderKey, root_keys: RootKeys) -> None:
        self._threshold = threshold
        self._order_key = order_key
        self._root_keys = root_keys
        self._committed: dict[bytes, int] = {}
        self._opened: dict[bytes, HoldOrdered] = {}
        self._of: dict[str, list[tuple[int, bytes]]] = {}
        """By agency (leaf, commitment) of what is opened, in the order of the log."""

    # --- the log ----------------------------------------------------------------------------------

    def commit(self, commitment: bytes, index: int) -> None:
        """A leaf that commits to a hold order.

        Raises:
            Refused: `hold_known`.
        """
        if commitment in self._committed:
            raise Refused("hold_known", "this commitment is in the directory already")
        self._committed[commitment] = index

    def logged(self, commitment: bytes, at: int | None = None) -> bool:
        """Whether a leaf below `at` commits to it, opened here or not."""
        index = self._committed.get(commitment)
        return index is not None and (at is None or index < at)

    def leaf_of(self, commitment: bytes) -> int | None:
        """Index of the leaf that commits to a hold order; None: there is none."""
        return self._committed.get(commitment)

    def add(self, package: bytes) -> HoldOrdered:
        """Open a logged hold order; judged by the keys of its own place in the log, and against
        the others that are opened: whoever is shown one need not be shown all.

        Raises:
            InvalidInput: as `parse_hold`, `signature_invalid`. Refused: `hold_unlogged` when no
                leaf commits to it, `hold_signer`, `hold_number`, `hold_over`.
        """
        given = parse_hold(package)
        index = self._committed.get(given.commitment)
        if index is None:
            raise Refused("hold_unlogged", "no directory leaf commits to this hold order")
        known = self._opened.get(given.commitment)
        if known is not None:  # a package may be handed in twice, but only whole
            self.check_signers(given, index)
            return known
        self.check_signers(given, index)
        self._check_among(given, index)
        ordered = replace(given, index=index)
        self._opened[ordered.commitment] = ordered
        insort(self._of.setdefault(ordered.order.agency, []), (index, ordered.commitment))
        return ordered

    def _check_among(self, given: HoldOrdered, index: int) -> None:
        order, before = given.order, self.of(given.order.agency, index)
        later = self.of(given.order.agency)[len(before) :]
        if (before and order.number <= before[-1].order.number) or (
            later and order.number >= later[0].order.number
        ):
            raise Refused(
                "hold_number",
                f"number {order.number} of {order.agency} stands at the wrong place in the log",
                field="hold.number",
            )
        named = order.hold
        if named is None:
            return
        known = self._opened.get(named)
        closed = known is None and self.logged(named, index)
        if not closed and named not in self.standing(order.agency, index):
            raise _over(order.agency, named)

    # --- judging ----------------------------------------------------------------------------------

    def check(self, package: bytes, at: int | None) -> HoldOrdered:
        """Judge a hold order as its agency's next one at a place in the log; None: now.

        Raises:
            InvalidInput: as `parse_hold`, `signature_invalid`. Refused: `hold_signer`,
                `hold_number`, `hold_over` (it names one that is not in force), `holds_full`.
        """
        ordered = parse_hold(package)
        order = ordered.order
        self.check_signers(ordered, at)
        number = 1 + len(self.of(order.agency, at))
        if order.number != number:
            raise Refused(
                "hold_number",
                f"{order.agency}'s next hold order is number {number}, not {order.number}",
                field="hold.number",
                hint="make the order again on the newest state of the directory",
            )
        standing = self.standing(order.agency, at)
        if order.hold is not None and order.hold not in standing:
            raise _over(order.agency, order.hold)
        if order.hold is None and len(standing) >= LIMITS.holds_per_agency:
            raise Refused(
                "holds_full",
                f"{order.agency} has {len(standing)} holds in force, the most that there may be",
                field="hold",
                hint="release what is over: saphan hold list",
            )
        return ordered

    def check_signers(self, ordered: HoldOrdered, at: int | None) -> None:
        """Who has signed, and nothing else; None: by the keys of now, without those revoked by
        another way. One order key is enough; who has none lets the threshold of roots sign.

        Raises:
            InvalidInput: `signature_invalid`. Refused: `hold_signer`.
        """
        order, package = ordered.order, ordered.package
        first = package.signatures[0]
        key = self._order_key(first.item.key, order.agency, at)
        if key is not None and len(package.signatures) == 1:
            verify_one(first, key, HOLD_TYPE, package.order)
            return
        roots = self._root_keys(order.agency, at)
        have = count_signers(package.signatures, roots, package.order, HOLD_TYPE)
        if not roots or have < max(self._threshold(order.agency, at), len(package.signatures)):
            raise Refused(
                "hold_signer",
                f"the hold order is signed by no order key of {order.agency}, nor by enough roots",
                field="hold.signatures",
                hint="enrol an order key: saphan keys add order",
            )

    # --- questions --------------------------------------------------------------------------------

    def find(self, commitment: bytes) -> HoldOrdered | None:
        """The opened order whose leaf holds this commitment."""
        return self._opened.get(commitment)

    def of(self, agency: str, at: int | None = None) -> tuple[HoldOrdered, ...]:
        """An agency's opened orders below `at`, oldest first."""
        rows = self._of.get(agency, [])
        stop = len(rows) if at is None else bisect_left(rows, (at, b""))
        return tuple(self._opened[name] for _, name in rows[:stop])

    def standing(self, agency: str, at: int | None = None) -> dict[bytes, Hold]:
        """An agency's holds in force at a directory size, by `Hold.name`, oldest first."""
        found: dict[bytes, Hold] = {}
        for one in self.of(agency, at):
            name = one.order.hold
            if name is None:
                found[one.commitment] = Hold(one, one)
            elif one.order.action == "release":
                found.pop(name, None)
            elif name in found:
                found[name] = Hold(found[name].first, one)
        return found

    def packages(self, agency: str, start: int, stop: int) -> dict[int, bytes]:
        """Hold orders of an agency by directory leaf in [start, stop)."""
        rows = self._of.get(agency, [])
        within = rows[bisect_left(rows, (start, b"")) : bisect_left(rows, (stop, b""))]
        return {index: encode(self._opened[name].package) for index, name in within}


def _over(agency: str, name: bytes) -> Refused:
    return Refused(
        "hold_over",
        f"{agency} has no hold {name.hex()[:16]} in force",
        field="hold.hold",
        hint="see what is held: saphan hold list",
    )


def check_hold(holds: Holds, event: Event, statement: Statement, at: int | None) -> bytes:
    """Judge what a `held` or `released` statement refers to; who may say it, and of which target,
    is judged apart.

    Args:
        at: directory size of the last anchor before the entry.

    Returns:
        `Hold.name`, under which this agency holds the target or holds it no more. Where the order
        that began it is not opened here, nobody can say whether it is in force: that is not judged.

    Raises:
        Refused: `hold_unknown` (no order of this agency in the directory below `at`, as far as
            opened here), `hold_over` (held by an order that is released by then), `hold_action`
            (`held` by a release, or `released` by another order than a release).
    """
    detail = statement.detail
    found = holds.find(detail) if isinstance(detail, bytes) else None
    logged = found is not None and found.index is not None and (at is None or found.index < at)
    if found is None or not logged or found.order.agency != statement.issuer:
        raise Refused(
            "hold_unknown",
            f"the directory has no hold order of {statement.issuer} that this statement names",
            field="statement.detail",
            hint="the statement is sent again once the order stands under an anchor",
        )
    order = found.order
    if (order.action == "release") is not (event is Event.RELEASED):
        raise Refused(
            "hold_action", f"{event} cannot name an order to {order.action}", field="statement"
        )
    name = found.commitment if order.hold is None else order.hold
    known = holds.find(name) is not None
    if event is Event.HELD and known and name not in holds.standing(order.agency, at):
        raise Refused(
            "hold_over",
            f"{order.agency} has released this hold before",
            field="statement.detail",
        )
    return name
