"""The directory: replay of the directory log; there is no other source of keys (design section 5).

One object answers for every point of the past (`roster`), and broker, node and auditor use the same
one: keys by the agencies' operations, agreements with the orders on them, registered schemas.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Types
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import LeafType

from saphan_protocol.agreement import Agreed, agreement_commitment
from saphan_protocol.agreement_order import Ordered, order_commitment
from saphan_protocol.agreements import Accept, Agreements, anything
from saphan_protocol.hold_order import HoldOrdered, hold_commitment
from saphan_protocol.holding import Holds
from saphan_protocol.operation import check_operation, parse_agreement_package
from saphan_protocol.registrations import Registered, Registrations
from saphan_protocol.roster import KeyInfo as KeyInfo
from saphan_protocol.roster import Roster
from saphan_protocol.standing import Standing

OURS: Final = "saphan/"
"""Namespace of the schemas that come with the program."""
_COMMITMENTS = frozenset(
    bytes((kind,)) for kind in (LeafType.AGREEMENT, LeafType.ORDER, LeafType.HOLD)
)


def operation_leaf(signed: bytes) -> bytes:
    """Directory leaf that holds a SignedOperation."""
    return bytes((LeafType.OPERATION,)) + signed


def agreement_leaf(salt: bytes, text: bytes) -> bytes:
    """Directory leaf that commits to an agreement, with nothing in clear."""
    return bytes((LeafType.AGREEMENT,)) + agreement_commitment(salt, text)


def order_leaf(salt: bytes, order: bytes) -> bytes:
    """Directory leaf that commits to an order on an agreement, with nothing in clear."""
    return bytes((LeafType.ORDER,)) + order_commitment(salt, order)


def hold_leaf(salt: bytes, order: bytes) -> bytes:
    """Directory leaf that commits to a hold order, with nothing in clear."""
    return bytes((LeafType.HOLD,)) + hold_commitment(salt, order)


def types_leaf(types: Types) -> bytes:
    """Directory leaf that registers Saphan's own schemas."""
    return bytes((LeafType.TYPES,)) + encode(types)


def schema_leaf(signed: bytes) -> bytes:
    """Directory leaf that holds a SignedRegistration of an agency's own schema."""
    return bytes((LeafType.SCHEMA,)) + signed


def is_commitment(leaf: bytes) -> bool:
    """Whether a leaf commits to an agreement, an order on one or a hold order, whose text travels
    beside it."""
    return leaf[:1] in _COMMITMENTS


class Directory(Roster):
    """Everything the directory log says so far. `apply` is atomic: it refuses or takes a leaf."""

    def __init__(self) -> None:
        super().__init__()
        self._types: dict[str, tuple[bytes, int]] = {}
        self.agreed = Agreements(
            self._root_at, self._threshold_at, self._order_key, self._root_keys
        )
        """Agreements and the orders on them, as far as their texts are held."""
        self.holds = Holds(self._threshold_at, self._order_key, self._root_keys)
        """Hold orders, as far as their packages are held."""
        self.own_schemas = Registrations(self._root_keys, self._threshold_at)
        """What agencies have registered in their own namespaces."""

    # --- replay -----------------------------------------------------------------------------------

    def apply(self, leaf: bytes, known_types: dict[str, bytes] | None = None) -> None:
        """Take the next leaf, at index `size`.

        Args:
            known_types: name to digest of the schemas this program has; another digest refuses.

        Raises:
            InvalidInput: the leaf is malformed; Refused: its signatures or order do not allow it.
        """
        kind, body = leaf[:1], leaf[1:]
        if kind == bytes((LeafType.OPERATION,)):
            self._take(*self._judge(check_operation(body)))
        elif kind == bytes((LeafType.HOLD,)) and len(body) == 32:
            self.holds.commit(body, self.size)
        elif kind in _COMMITMENTS and len(body) == 32:
            self.agreed.commit(LeafType(kind[0]), body, self.size)
        elif kind == bytes((LeafType.TYPES,)):
            self._register(decode(Types, body, LIMITS.leaf_bytes, "types"), known_types or {})
        elif kind == bytes((LeafType.SCHEMA,)):
            self.own_schemas.take(self.own_schemas.check(body, self.size))
        else:
            raise InvalidInput("leaf_malformed", "a directory leaf does not parse", field="leaf")
        self.size += 1

    def _register(self, types: Types, known: dict[str, bytes]) -> None:
        if len({entry.name for entry in types.types}) != len(types.types):
            raise InvalidInput("leaf_malformed", "a schema is registered twice", field="types")
        if any(not entry.name.startswith(OURS) for entry in types.types):
            # Unsigned: or whoever runs the broker could speak in an agency's namespace.
            raise InvalidInput(
                "schema_namespace", "only Saphan's own are entered so", field="types"
            )
        for entry in types.types:
            for digest in (known.get(entry.name), self._types.get(entry.name, (None, 0))[0]):
                if digest is not None and digest != entry.digest:
                    raise Refused(
                        "schema_digest",
                        f"{entry.name} is registered with another digest than this program has",
                        field="types",
                        hint="upgrade Saphan here, or ask the operator which version runs",
                    )
        for entry in types.types:
            self._types.setdefault(entry.name, (entry.digest, self.size))

    # --- agencies' own schemas --------------------------------------------------------------------

    def check_schema(self, signed: bytes) -> Registered:
        """Judge a registration as the next leaf, without taking it; raises as
        `Registrations.check`."""
        return self.own_schemas.check(signed, self.size)

    # --- agreements -------------------------------------------------------------------------------

    def check_package(self, package: bytes) -> Agreed:
        """Judge a finished agreement against the directory, without taking it.

        Raises:
            InvalidInput, Refused: as `agreement.check_agreement`.
        """
        return self.agreed.check(parse_agreement_package(package), self.size)

    def check_order(self, package: bytes) -> Ordered:
        """Judge an order as the next one on its agreement; raises as `Agreements.check_order`."""
        return self.agreed.check_order(package, self.size)

    def check_hold_order(self, package: bytes) -> HoldOrdered:
        """Judge a hold order as its agency's next one; raises as `Holds.check`."""
        return self.holds.check(package, self.size)

    def add_package(
        self, package: bytes, accept: Accept = anything
    ) -> Agreed | Ordered | HoldOrdered:
        """Make a logged agreement, order or hold order usable: the text whose commitment stands in
        the log; arguments and errors as `Agreements.add` and `Holds.add`."""
        signed = parse_agreement_package(package)  # all three have the same three members
        if self.holds.logged(hold_commitment(signed.salt, signed.agreement)):
            return self.holds.add(package)
        return self.agreed.add(package, accept)

    def leaf_of(self, package: bytes) -> int | None:
        """Index of the leaf that commits to an agreement, an order or a hold order.

        Raises:
            InvalidInput: codec codes.
        """
        signed = parse_agreement_package(package)  # all three have the same three members
        held = self.holds.leaf_of(hold_commitment(signed.salt, signed.agreement))
        return self.agreed.leaf_of(signed) if held is None else held

    def packages(self, agency: str, start: int, stop: int) -> dict[int, bytes]:
        """What stands beside the leaves in [start, stop) and is for this agency: its agreements,
        the orders on them, its own hold orders."""
        found = self.agreed.packages(agency, start, stop)
        return dict(sorted((found | self.holds.packages(agency, start, stop)).items()))

    def agreements(self, sender: str, recipient: str, at: int | None = None) -> Iterator[Agreed]:
        """Agreements with a rule for this corridor, logged below `at`, whatever their standing."""
        return self.agreed.between(sender, recipient, self.size if at is None else at)

    def agreements_of(self, agency: str) -> Iterator[Agreed]:
        """Every agreement to which `agency` is a party, whatever its standing."""
        return self.agreed.of(agency)

    def standing(self, agreed: Agreed, at: int | None = None) -> Standing:
        """Whether an agreement is in force at a directory size, dates apart; None: now."""
        return self.agreed.standing(agreed, at)

    # --- by another way than the log --------------------------------------------------------------

    def bind_order(self, package: bytes, at: int | None = None) -> Ordered:
        """Heed an order that the log does not show yet; raises as `Agreements.check_order`.

        Args:
            at: directory size when it was brought, if that was before; None: now.
        """
        return self.agreed.bind(package, at)

    # --- lookups ----------------------------------------------------------------------------------

    def schema_digest(self, name: str, at: int | None = None) -> bytes:
        """Digest of a registered schema, Saphan's or an agency's own.

        Raises:
            Refused: `schema_unregistered`.
        """
        size = self.size if at is None else at
        own = self.own_schemas.find(name)
        digest, index = self._types.get(name, (b"", size))
        if own is not None:
            digest, index = own.record.digest, own.index
        if index >= size:
            raise Refused("schema_unregistered", f"{name} is not registered in the directory")
        return digest
