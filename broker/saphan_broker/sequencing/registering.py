"""What enters the directory log: operations, agreements, orders, holds, schemas."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from saphan_protocol.agreement import check_pins
from saphan_protocol.agreement_order import parse_order
from saphan_protocol.directory import (
    agreement_leaf,
    hold_leaf,
    operation_leaf,
    order_leaf,
    schema_leaf,
    types_leaf,
)
from saphan_protocol.hold_order import parse_hold
from saphan_protocol.identity import identity
from saphan_protocol.operation import OPERATION_TYPE, parse_agreement_package
from saphan_protocol.quota import NOTHING, Brought, bring
from saphan_protocol.registrations import parse_schema_package
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode, decode_content
from saphan_schemas.directory_records import Operation as OperationRecord
from saphan_schemas.directory_records import SignedOperation, Types
from saphan_schemas.errors import InvalidInput, Refused, Unavailable
from saphan_schemas.growth import check_growth
from saphan_schemas.limits import LIMITS

from saphan_broker.sequencing.committing import Committer
from saphan_broker.sequencing.work import (
    Hold,
    Item,
    Logged,
    Operation,
    Order,
    Outcome,
    OwnSchema,
    Package,
    Rejected,
    Work,
)
from saphan_broker.state import State

T = TypeVar("T")


class Registrar:
    """Judges directory items one at a time: each is judged by everything before it."""

    def __init__(self, state: State, committer: Committer) -> None:
        self._state = state
        self._committer = committer
        self._brought: dict[tuple[str, type], Brought] = {}
        """By agency and kind of entry: an order key alone could fill the directory for everyone."""

    async def register(self, work: Work) -> None:
        """Log one operation, agreement, order or schema, or refuse it."""
        size = self._state.directory.size
        try:
            brought = self._room(work.item)
        except Unavailable as error:  # only this one: others are failures of the whole group
            self._state.counters.refused[error.code] += 1
            work.resolve(Rejected(error))
            return
        outcome = await self._judged(work.item)
        # Schemas that are refused count too: comparing two that were made to be slow takes a while.
        if self._state.directory.size > size or isinstance(work.item, OwnSchema):
            self._brought.update(brought)
        if isinstance(outcome, Logged):
            self._state.counters.registered += 1
        work.resolve(outcome)

    def _room(self, item: Item) -> dict[tuple[str, type], Brought]:
        """How much the agency will have brought with it; the operator's own acts are not counted.

        Raises:
            Unavailable: `quota_directory`.
        """
        if item.peer is None:
            return {}
        key = (item.peer, type(item))
        return {key: bring(self._brought.get(key, NOTHING), self._state.clock())}

    async def _judged(self, item: Item) -> Outcome:
        try:
            if isinstance(item, Operation):
                return await self._operation(item)
            if isinstance(item, Package):
                return await self._package(item)
            if isinstance(item, Order):
                return await self._order(item)
            if isinstance(item, Hold):
                return await self._hold(item)
            if isinstance(item, OwnSchema):
                return await self._schema(item)
            raise RuntimeError(f"{type(item).__name__} is no directory item")
        except (InvalidInput, Refused) as error:
            self._state.counters.refused[error.code] += 1
            return Rejected(error)

    async def register_types(self) -> None:
        """Register the schemas of this program that the directory does not know (`types`)."""
        directory = self._state.directory
        missing = []
        for known in known_types():
            try:
                directory.schema_digest(known.name)
            except Refused:
                missing.append(known)
        if missing:
            await self._committer.commit_directory(types_leaf(Types(tuple(missing))), None)

    async def _operation(self, item: Operation) -> Outcome:
        directory = self._state.directory
        signed = decode(SignedOperation, item.signed, LIMITS.operation_bytes - 1, "operation")
        record = decode(
            OperationRecord, signed.operation, LIMITS.operation_bytes, "operation.operation"
        )
        # Later ones anybody may bring: the roots' signatures count. A thief of a node cannot keep
        # its agency's revocation from the log, nor can who cuts its line.
        if item.peer is not None and record.version == 1:
            raise Refused(
                "operation_peer",
                f"no session can bring the first operation of {record.agency}",
                field="operation.agency",
                hint="an agency's first operation enters by the operator: saphan-broker admit FILE",
            )
        version, newest, _threshold = directory.version(record.agency)
        if (record.version, identity(OPERATION_TYPE, signed.operation)) == (version, newest):
            return Logged(())  # sent again after a lost answer
        await self._off_loop(lambda: directory.check_operation(item.signed))
        index = await self._committer.commit_directory(operation_leaf(item.signed), None)
        return Logged((index,))

    async def _package(self, item: Package) -> Outcome:
        directory, pins = self._state.directory, self._state.pins
        if (again := await self._brought_again(item)) is not None:
            return again
        agreed = await self._off_loop(lambda: directory.check_package(item.package))
        if all(party.agency != item.peer for party in agreed.text.parties):
            raise Refused(
                "agreement_party", f"{item.peer} is no party to it", field="agreement.parties"
            )
        check_pins(agreed.text, *pins.lasting)
        # By its text: under fresh salts one party could fill the directory with one agreement.
        known = directory.agreed.find(agreed.name)
        if known is not None and known.index is not None:
            return Logged((known.index,))
        if agreed.text.replaces is not None and directory.agreed.find(agreed.text.replaces) is None:
            raise Refused(
                "agreement_unknown",
                "it replaces an agreement that is not registered here",
                field="agreement.replaces",
                hint="renew from the finished agreement: saphan agreement renew FILE",
            )
        signed = parse_agreement_package(item.package)
        leaf = agreement_leaf(signed.salt, signed.agreement)
        return Logged((await self._committer.commit_directory(leaf, item.package),))

    async def _order(self, item: Order) -> Outcome:
        directory = self._state.directory
        if (again := await self._brought_again(item)) is not None:
            return again
        given = parse_order(item.package)
        agreed = directory.agreed.find(given.order.agreement)
        if agreed is None or all(party.agency != item.peer for party in agreed.text.parties):
            # Of an agreement among others a session hears no more than that it is none of its own.
            raise Refused(
                "agreement_unknown",
                f"{item.peer} is party to no agreement of this identity",
                field="order.agreement",
            )
        for known in directory.agreed.orders(agreed):
            if known.package.order == given.package.order and known.index is not None:
                return Logged((known.index,))  # sent again, or by the other side
        await self._off_loop(lambda: directory.check_order(item.package))
        leaf = order_leaf(given.package.salt, given.package.order)
        return Logged((await self._committer.commit_directory(leaf, item.package),))

    async def _hold(self, item: Hold) -> Outcome:
        """Only its own agency brings it: nobody else is to know of it."""
        directory, given = self._state.directory, parse_hold(item.package)
        if given.order.agency != item.peer:
            raise Refused(
                "hold_peer",
                f"{item.peer} cannot bring a hold order of {given.order.agency}",
                field="hold.agency",
            )
        if (again := await self._brought_again(item)) is not None:
            return again
        for known in directory.holds.of(item.peer):
            if known.package.order == given.package.order and known.index is not None:
                return Logged((known.index,))  # sent again after a lost answer
        await self._off_loop(lambda: directory.check_hold_order(item.package))
        leaf = hold_leaf(given.package.salt, given.package.order)
        return Logged((await self._committer.commit_directory(leaf, item.package),))

    async def _brought_again(self, item: Package | Order | Hold) -> Outcome | None:
        """The text of a leaf that is in the log, exactly as it was committed to: it was lost with
        the log before this one. Judged by the keys of its own place, which may have changed since.

        Whoever brings it has the salt: it is a party, or was given it by one.
        """
        directory = self._state.directory
        index = directory.leaf_of(item.package)
        if index is None or index in await self._state.store.packages(index, index + 1):
            return None
        directory.add_package(item.package)
        await self._committer.keep_beside(index, item.package)
        return Logged((index,))

    async def _schema(self, item: OwnSchema) -> Outcome:
        """Whoever brings it: the roots' signatures count. The bundle is kept beside the leaf."""
        directory = self._state.directory
        record, package = parse_schema_package(item.package)
        known = directory.own_schemas.find(record.name)
        if known is not None and known.record == record:
            # Sent again after a lost answer, or by who has the bundle that a lost store had.
            await self._committer.keep_beside(known.index, package.bundle)
            return Logged((known.index,))
        await self._off_loop(lambda: directory.check_schema(package.registration))
        await self._check_growth(record.name, package.bundle)
        leaf = schema_leaf(package.registration)
        return Logged((await self._committer.commit_directory(leaf, package.bundle),))

    async def _check_growth(self, name: str, bundle: bytes) -> None:
        """A growth of the version before it. Both are within the profile: the session has looked
        before it queued this one.

        Raises:
            InvalidInput: as `check_growth`; Refused: `schema_missing`.
        """
        family, _, version = name.rpartition("/")
        known = self._state.directory.own_schemas.find(f"{family}/{int(version) - 1}")
        if known is None:
            return
        kept = await self._state.bundles.read(self._state.store, known.index)
        if kept is None:
            raise Refused(
                "schema_missing",
                f"the broker has lost {known.record.name}, which {name} is compared with",
                hint="tell the broker's operator",
            )
        pair = (decode_content(one, LIMITS.schema_bytes) for one in (kept, bundle))
        await self._off_loop(lambda: check_growth(*pair))

    async def _off_loop(self, work: Callable[[], T]) -> T:
        """Signature checks in the pool; the directory only changes in this same task."""
        return await asyncio.get_running_loop().run_in_executor(self._state.verifying, work)
