"""What a node asks in its session: turned into work for the sequencer, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from saphan_protocol.batch import index_batches, item_root
from saphan_protocol.delivery import HELD
from saphan_protocol.delivery import State as Delivery
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.registrations import parse_schema_package
from saphan_protocol.told import Kept
from saphan_schemas.errors import InvalidInput, Refused, SaphanError, Unavailable
from saphan_schemas.frames import Answer, FetchStanzas, Register, Result, Stanzas, Submit
from saphan_schemas.frames import State as StateFrame
from saphan_schemas.profile import open_bundle
from saphan_schemas.records import Role, SignatureItem, statement_type

from saphan_broker.at_rest import open_stanza_row
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
    Stated,
    Submitted,
    Work,
)
from saphan_broker.sequencing.work import Submit as ToSequencer
from saphan_broker.state import State
from saphan_broker.store.base import SignatureKey

Batch = Submit | StateFrame

HANDED_OVER = frozenset(
    state.value
    for state in (*HELD, Delivery.UNOPENED, Delivery.ACCEPTED, Delivery.READ, Delivery.REJECTED)
)
"""States that only a logged handover leads to."""


async def check_signatures(state: State, peer: str, frame: Batch) -> frozenset[SignatureKey]:
    """Verify the frame's new batch signatures in the pool; gives those that do not hold.

    Whether their keys may sign is judged at admission, for each item; a key that may not is left
    alone here, so that nobody's arithmetic is spent on it.
    """
    bad: set[SignatureKey] = set()
    for batch in frame.signatures[: len(frame.items)]:
        if state.verified.holds(batch):
            continue
        try:
            key = state.directory.key(batch.key, Role.NODE)
        except Refused:
            continue
        if key.agency != peer:
            continue
        if not await state.verifier.holds(state.directory.verifying(batch.key), batch):
            bad.add((batch.key, batch.size, batch.root))
    return frozenset(bad)


def enqueue(
    submit: ToSequencer,
    peer: str,
    frame: Batch,
    bad: frozenset[SignatureKey],
    missing: Mapping[int, SaphanError],
    kept: Kept,
) -> list[Work | Rejected]:
    """Queue every item of a frame; an item that cannot be queued refuses none of its neighbours.

    Args:
        missing: for the items whose attachments are not here: why.
        kept: batch signatures of this session; what does not hold is not kept.
    """
    fresh = index_batches(frame.signatures[: len(frame.items)])
    batches = kept.take(one for ref, one in fresh.items() if ref not in bad)
    queued: list[Work | Rejected] = []
    for place, given in enumerate(frame.items):
        if isinstance(frame, Submit):
            item: Item = Submitted(peer, given, batches, missing.get(place))  # type: ignore[arg-type]
        else:
            item = Stated(peer, given, batches)  # type: ignore[arg-type]
        try:
            if bad:
                _check_not_bad(item, bad)
            queued.append(submit(item))
        except SaphanError as error:
            queued.append(Rejected(error))
    return queued


def _check_not_bad(item: Item, bad: frozenset[SignatureKey]) -> None:
    if isinstance(item, Submitted):
        signed, kind, body = item.submission.item, CONSIGNMENT_TYPE, item.submission.consignment
    elif isinstance(item, Stated):
        signed, kind, body = item.item.item, statement_type(item.item.event), item.item.statement
    else:
        return
    if _batch_of(signed, kind, body) in bad:
        raise InvalidInput(
            "signature_invalid",
            "the batch's signature does not verify",
            field="signatures",
            hint="sign again with the enrolled node key",
        )


def _batch_of(item: SignatureItem, kind: str, body: bytes) -> SignatureKey:
    return item.key, item.size, item_root(item, kind, body)


async def answer(request: int, queued: Sequence[Work | Rejected]) -> Answer:
    """Wait until every item is logged under a durable signed head, or refused."""
    outcomes = [work if isinstance(work, Rejected) else await work.outcome for work in queued]
    return Answer(request, tuple(_result(outcome) for outcome in outcomes))


def _result(outcome: Outcome) -> Result:
    if isinstance(outcome, Logged):
        return Result(None, "", None, 0, outcome.indices)
    error = outcome.error
    retry = error.retry_after_ms if isinstance(error, Unavailable) else 0
    return Result(error.code, error.message, error.hint, retry, outcome.indices)


async def register(
    state: State, submit: ToSequencer, peer: str, frame: Register
) -> list[Work | Rejected]:
    """Queue a directory operation, an agreement, an order on one, an own schema, or a hold."""
    try:
        match (frame.operation, frame.agreement, frame.order, frame.schema, frame.hold):
            case (bytes() as operation, None, None, None, None):
                return [submit(Operation(operation, peer))]
            case (None, bytes() as agreement, None, None, None):
                return [submit(Package(agreement, peer))]
            case (None, None, bytes() as order, None, None):
                return [submit(Order(order, peer))]
            case (None, None, None, bytes() as schema, None):
                await _check_schema(state, schema)
                return [submit(OwnSchema(schema, peer))]
            case (None, None, None, None, bytes() as hold):
                return [submit(Hold(hold, peer))]
            case _:
                raise InvalidInput(
                    "malformed",
                    "register takes one operation, agreement, order, schema or hold order",
                    field="register",
                )
    except SaphanError as error:
        return [Rejected(error)]


async def _check_schema(state: State, package: bytes) -> None:
    """The bundle is within the profile: what every node must be able to use is refused here, before
    all of them fetch it. One that was made to be slow keeps its own session waiting, not the log;
    and only an agency's roots can make anybody look at one.

    Raises:
        InvalidInput: as `parse_schema_package` and `open_bundle`; Refused: as `check_schema`.
    """
    record, given = parse_schema_package(package)
    if state.directory.own_schemas.find(record.name) is not None:
        return  # sent again, or refused by the log
    state.directory.check_schema(given.registration)
    look = partial(open_bundle, record.name, given.bundle)
    await asyncio.get_running_loop().run_in_executor(state.verifying, look)


async def fetch_stanzas(state: State, agency: str, frame: FetchStanzas) -> Stanzas:
    """Stanzas whose release is logged under the published head; None for all others."""
    keys = [(bulletin, agency) for bulletin in frame.bulletins]
    deliveries = await state.store.deliveries(keys)
    published = state.evidence.published
    signed = 0 if published is None else published.size
    released = [
        key for key, row in deliveries.items() if row.state in HANDED_OVER and row.last < signed
    ]
    rows = await state.store.stanzas(released)
    return Stanzas(
        frame.request,
        tuple(open_stanza_row(state.keys, rows[key]) if key in rows else None for key in keys),
    )
