"""Agreements and the orders on them, as far as their texts are held (directory.md).

The directory log commits to each with nothing in clear; a package opens a leaf. What is asked `at`
a size counts what was logged below it; None means now, with what was bound by another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Agreement, SignedAgreement
from saphan_schemas.errors import Refused
from saphan_schemas.records import LeafType

from saphan_protocol.agreement import Agreed, RootLookup, agreement_commitment, check_agreement
from saphan_protocol.agreement_order import ORDER_TYPE, Ordered, order_commitment, parse_order
from saphan_protocol.batch import verify_one
from saphan_protocol.keys import VerifyingKey
from saphan_protocol.operation import count_signers, parse_agreement_package
from saphan_protocol.standing import IN_FORCE, Condition, Orders, Standing, after, check_follows

RootsAt = Callable[[int], RootLookup]
ThresholdAt = Callable[[str, int | None], int]
OrderKey = Callable[[bytes, str, int | None], VerifyingKey | None]
"""(key id, agency, directory size): the key, if it is an active order key of the agency there."""
RootKeys = Callable[[str, int | None], dict[bytes, VerifyingKey]]

Accept = Callable[[Agreement], None]

LATER: Final = 2**63
"""Beyond every leaf: where orders stand that the log does not show yet."""


def anything(_text: Agreement) -> None:
    """Every agreement is to be used."""


class Agreements:
    """One directory's agreements; keys and thresholds are the directory's to say."""

    def __init__(
        self, roots: RootsAt, threshold: ThresholdAt, order_key: OrderKey, root_keys: RootKeys
    ) -> None:
        self._roots = roots
        self._threshold = threshold
        self._order_key = order_key
        self._root_keys = root_keys
        self._committed: dict[bytes, tuple[LeafType, int]] = {}
        self._agreed: dict[bytes, Agreed] = {}
        """By the identity of the text, which orders and renewals name."""
        self._replaced: dict[bytes, int] = {}
        """Identity of a text to the leaf of the agreement that replaces it."""
        self._orders: dict[bytes, Orders] = {}
        self._bound: dict[bytes, list[Ordered]] = {}

    # --- the log ----------------------------------------------------------------------------------

    def commit(self, kind: LeafType, commitment: bytes, index: int) -> None:
        """A leaf that commits to an agreement or an order.

        Raises:
            Refused: `agreement_known`.
        """
        if commitment in self._committed:
            raise Refused("agreement_known", "this commitment is in the directory already")
        self._committed[commitment] = (kind, index)

    def leaf_of(self, signed: SignedAgreement) -> int | None:
        """Index of the leaf that commits to an agreement or an order; None: there is none."""
        for kind, commitment in (
            (LeafType.AGREEMENT, agreement_commitment(signed.salt, signed.agreement)),
            (LeafType.ORDER, order_commitment(signed.salt, signed.agreement)),
        ):
            found = self._committed.get(commitment)
            if found is not None and found[0] is kind:
                return found[1]
        return None

    def add(self, package: bytes, accept: Accept = anything) -> Agreed | Ordered:
        """Make a logged agreement or order usable; its leaf says which of the two it is.

        Judged by the keys of its own place in the log: they may have changed since.

        Args:
            accept: is shown an agreement's text first, and refuses what is not to be used.

        Raises:
            Refused: `agreement_unlogged` when no leaf commits to it; else as `check` and
                `check_order`.
        """
        signed = parse_agreement_package(package)  # an order's package has the same three members
        found = self._committed.get(agreement_commitment(signed.salt, signed.agreement))
        if found is not None and found[0] is LeafType.AGREEMENT:
            return self._add_agreement(signed, found[1], accept)
        found = self._committed.get(order_commitment(signed.salt, signed.agreement))
        if found is not None and found[0] is LeafType.ORDER:
            return self._add_order(package, found[1])
        raise Refused("agreement_unlogged", "no directory leaf commits to this package")

    def _add_agreement(self, signed: SignedAgreement, index: int, accept: Accept) -> Agreed:
        agreed = replace(self.check(signed, index), index=index)
        accept(agreed.text)
        late = bool(self._agreed) and index < max(one.index or 0 for one in self._agreed.values())
        self._agreed.setdefault(agreed.name, agreed)
        if late:  # its text came after those of later leaves; `between` goes by the log
            self._agreed = dict(sorted(self._agreed.items(), key=lambda one: one[1].index or 0))
        if agreed.text.replaces is not None:
            self._replaced.setdefault(agreed.text.replaces, index)
        return agreed

    def _add_order(self, package: bytes, index: int) -> Ordered:
        given = parse_order(package)
        name = given.order.agreement
        orders = self._orders.get(name, Orders())
        known = orders.find(index)
        if known is not None:  # a package may be handed in twice, but only whole
            self._check_order(given, index)
            return known
        ordered = replace(self.check_order(package, index), index=index)
        self._orders.setdefault(name, orders).add(ordered, index)
        return ordered

    # --- judging ----------------------------------------------------------------------------------

    def check(self, signed: SignedAgreement, at: int) -> Agreed:
        """Judge an agreement at a place in the log.

        Raises:
            InvalidInput, Refused: as `check_agreement`; `agreement_replaces`: it renews one with
                other parties, who have not agreed to its end, or one that is not in force there.
        """
        agreed = check_agreement(signed, self._roots(at), lambda name: self._threshold(name, at))
        renewed = agreed.text.replaces
        old = None if renewed is None else self._agreed.get(renewed)
        if old is not None:
            self._check_renewal(agreed, old, at)
        return agreed

    def _check_renewal(self, agreed: Agreed, old: Agreed, at: int) -> None:
        """A renewal that all have signed lies with each of them: it may be brought at any time. So
        it undoes no order, and none takes the place of another."""
        left_out = {p.agency for p in old.text.parties} - {p.agency for p in agreed.text.parties}
        if left_out:
            raise Refused(
                "agreement_replaces",
                f"it replaces {old.text.reference} without {', '.join(sorted(left_out))}",
                field="agreement.replaces",
                hint="every party of the old agreement signs the new one",
            )
        known = self._agreed.get(agreed.name)
        if known is not None and known.index is not None:
            return  # judged at its own place
        stands = self.standing(old, at)
        if not stands.in_force:
            raise Refused(
                "agreement_replaces",
                f"it replaces {old.text.reference}, which is {stands.condition}"
                + (f" by {', '.join(stands.by)}" if stands.by else ""),
                field="agreement.replaces",
                hint="what is suspended is resumed first; what has ended, or was renewed "
                "already, needs a new agreement that replaces nothing",
            )

    def check_order(self, package: bytes, at: int | None) -> Ordered:
        """Judge an order at a place in the log, as the next one on its agreement there; None: now,
        without the keys that were revoked by another way.

        Raises:
            InvalidInput: as `parse_order`, `signature_invalid`. Refused: `agreement_unknown`,
                `agreement_party`, `order_signer`, and as `standing.check_follows`.
        """
        ordered = parse_order(package)
        before = self._orders.get(ordered.order.agreement, Orders())
        self._check_order(ordered, at)
        check_follows(ordered, before, at)
        return ordered

    def _check_order(self, ordered: Ordered, at: int | None) -> None:
        """Everything but its place among the orders on its agreement."""
        order = ordered.order
        agreed = self._agreed.get(order.agreement)
        if agreed is None or agreed.index is None or (at is not None and agreed.index >= at):
            raise Refused(
                "agreement_unknown",
                f"no agreement here has the identity {order.agreement.hex()[:16]}",
                field="order.agreement",
            )
        if all(party.agency != order.agency for party in agreed.text.parties):
            raise Refused(
                "agreement_party", f"{order.agency} is no party to it", field="order.agency"
            )
        self._check_signers(ordered, at)
        if self._is_replaced(order.agreement, at):
            raise Refused(
                "order_idle",
                f"a renewal has replaced {agreed.text.reference}: an order on it changes nothing",
                field="order.agreement",
                hint="give the order on the renewal: saphan agreement list",
            )

    def _check_signers(self, ordered: Ordered, at: int | None) -> None:
        """One order key is enough to suspend and to resume; to terminate the roots must sign."""
        order, package = ordered.order, ordered.package
        first = package.signatures[0]
        key = self._order_key(first.item.key, order.agency, at)
        if key is not None and order.action != "terminate" and len(package.signatures) == 1:
            verify_one(first, key, ORDER_TYPE, package.order)
            return
        roots = self._root_keys(order.agency, at)
        have = count_signers(package.signatures, roots, package.order, ORDER_TYPE)
        need = self._threshold(order.agency, at)
        if have < need or have < len(package.signatures):
            raise Refused(
                "order_signer",
                f"{order.action} needs {need} root signatures of {order.agency}"
                + ("" if order.action == "terminate" else " or one of its order key"),
                field="order.signatures",
                hint="enrol an order key: saphan keys add order",
            )

    # --- questions --------------------------------------------------------------------------------

    def between(self, sender: str, recipient: str, size: int) -> Iterator[Agreed]:
        """Agreements with a rule for this corridor, logged below `size`, whatever their standing;
        in the order of the log."""
        for agreed in self._agreed.values():
            fits = agreed.index is not None and agreed.index < size
            if fits and (sender, recipient) in agreed.rules:
                yield agreed

    def of(self, agency: str) -> Iterator[Agreed]:
        """Every agreement to which `agency` is a party."""
        for agreed in self._agreed.values():
            if any(party.agency == agency for party in agreed.text.parties):
                yield agreed

    def find(self, name: bytes) -> Agreed | None:
        """The agreement whose text has this identity."""
        return self._agreed.get(name)

    def orders(self, agreed: Agreed) -> tuple[Ordered, ...]:
        """The logged orders on an agreement, oldest first."""
        return tuple(self._orders.get(agreed.name, Orders()).all)

    def packages(self, agency: str, start: int, stop: int) -> dict[int, bytes]:
        """Agreements of a party, and the orders on them, by directory leaf in [start, stop)."""
        found: dict[int, bytes] = {}
        for agreed in self.of(agency):
            orders = self._orders.get(agreed.name, Orders()).within(start, stop)
            opened: tuple[Agreed | Ordered, ...] = (agreed, *orders)
            for one in opened:
                if one.index is not None and start <= one.index < stop:
                    found[one.index] = encode(one.package)
        return dict(sorted(found.items()))

    def standing(self, agreed: Agreed, at: int | None) -> Standing:
        """How an agreement stands at a directory size; None: now, bound orders included."""
        name, replaced = agreed.name, self._replaced.get(agreed.name)
        if replaced is None and name not in self._orders and not self._bound:
            return IN_FORCE  # nearly always: this is asked for every bulletin
        now = self._orders.get(name, Orders()).standing(at)
        if at is None:
            for one in self._bound_now(agreed):
                now = after(now, one)
        if not self._is_replaced(name, at):
            return now
        return now if now.condition is Condition.TERMINATED else Standing(Condition.REPLACED)

    def _bound_now(self, agreed: Agreed) -> Iterator[Ordered]:
        """Bound orders that the log has not caught up with; those on what this one replaces too,
        until their agency has ordered on this one: or a partner could undo a suspension that the
        broker has not heard of by bringing a renewal."""
        name, renewed = agreed.name, agreed.text.replaces
        orders = self._orders.get(name, Orders())
        yield from (one for one in self._bound.get(name, ()) if _is_news(one, orders))
        if renewed is not None:
            old = self._orders.get(renewed, Orders())
            for one in self._bound.get(renewed, ()):
                if _is_news(one, old) and not orders.count(one.order.agency, None):
                    yield one

    def _is_replaced(self, name: bytes, at: int | None) -> bool:
        replaced = self._replaced.get(name)
        return replaced is not None and (at is None or replaced < at)

    # --- by another way ---------------------------------------------------------------------------

    def bind(self, package: bytes, at: int | None) -> Ordered:
        """Heed an order that the log does not show yet, from now on; as `check_order`, and as the
        next one after those that were bound before it."""
        ordered = parse_order(package)
        name = ordered.order.agreement
        self._check_order(ordered, at)
        check_follows(ordered, self._heeded(name, at), None)
        self._bound.setdefault(name, []).append(ordered)
        return ordered

    def heeded(self, agreed: Agreed) -> tuple[Ordered, ...]:
        """The logged orders on an agreement, then those that are bound and not logged yet."""
        return tuple(self._heeded(agreed.name, None).all)

    def _heeded(self, name: bytes, at: int | None) -> Orders:
        found, logged = Orders(), self._orders.get(name, Orders())
        for one in logged.all:
            if one.index is not None and (at is None or one.index < at):
                found.add(one, one.index)
        for place, one in enumerate(self._bound.get(name, ())):
            if _is_news(one, found) and all(one.package != known.package for known in found.all):
                found.add(one, LATER + place)
        return found


def _is_news(bound: Ordered, logged: Orders) -> bool:
    """Whether the log has not caught up with a bound order yet.

    A termination is for good, whatever the log shows under its number: or a thief of the order key,
    who may suspend and resume, could undo what the roots have said.
    """
    order = bound.order
    if order.action == "terminate":
        return True
    return order.number > logged.count(order.agency, None)
