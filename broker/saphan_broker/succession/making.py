"""A planned successor made: the same steps in the same order, gone on from wherever it was cut off.

Order: the old store set aside; the keys named anew; the new store; the directory's leaves, and its
head; leaf 0, the anchor, and their head; the chain; pins and invitation; the plan away. Whatever is
signed follows from the plan alone, and the signer's files see to it that nothing else is: a second
run signs the same roots again or refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from saphan_protocol.evidence import successor_leaf
from saphan_protocol.invitation import Invitation
from saphan_protocol.pins import Pins, format_pins, numbered
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import MIB
from saphan_schemas.records import HeadRef
from saphan_schemas.succession_frames import Step

from saphan_broker.blobs.place import attachments_at
from saphan_broker.clock import Clock
from saphan_broker.inviting import INVITATION_NAME, write_invitation
from saphan_broker.keys import load_log_keys, pins_of, write_pins
from saphan_broker.logs.log_book import LogBook
from saphan_broker.moving.house import House
from saphan_broker.opening import attachments_place
from saphan_broker.seeds import DayKeys
from saphan_broker.sequencing.committing import Committer
from saphan_broker.sequencing.registering import Registrar
from saphan_broker.serving_keys import PINS_NAME
from saphan_broker.state import State
from saphan_broker.store.base import LOGS, Commit, LogHead, Store
from saphan_broker.succession.keys_renamed import bring_forward, rename_log
from saphan_broker.succession.plan import (
    KnownLeaf,
    Plan,
    finish,
    is_set_aside,
    mark_set_aside,
    planned_leaves,
)
from saphan_broker.succession.setting_aside import set_aside
from saphan_broker.succession_chain import extend_chain

LEAVES_AT_ONCE: Final = 256
BYTES_AT_ONCE: Final = 4 * MIB


@dataclass(frozen=True, slots=True)
class Made:
    """A successor as it stands, ready to be run.

    Args:
        heads: first heads of the new log, and of the directory.
        place: where the old store lies; None on a server, whose store stays where it is.
    """

    plan: Plan
    heads: tuple[HeadRef, ...]
    pins: Pins
    place: Path | None


async def make(house: House, keys: Path, plan: Plan, clock: Clock) -> Made:
    """Make what was planned; idempotent.

    Raises:
        OperatorError: `file_unwritable`, `disk_full`, `key_file_*`, `signer_fork`, ...
    """
    place = await asyncio.to_thread(_clear, house, keys, plan)
    before = {"directory": plan.directory_before, "evidence": plan.lost.origin}
    after = {"directory": plan.directory, "evidence": plan.evidence}
    signers = {
        log: await asyncio.to_thread(rename_log, keys, log, before[log], after[log]) for log in LOGS
    }
    if plan.directory == plan.directory_before:
        await asyncio.to_thread(bring_forward, keys, "directory", plan.known)
    pins = pins_of({log: await asyncio.to_thread(load_log_keys, keys, log) for log in LOGS})
    for signer in signers.values():
        signer.allow_unheard("a lost log's successor begins")
    day_keys = await asyncio.to_thread(DayKeys.open, keys)
    new = House(house.data, house.choice.of(pins))
    async with new.alone(create=True) as store:
        await _fill(store, keys, plan)

        async def reopen() -> Store:
            raise RuntimeError("a store that is being filled is not opened twice")

        async with new.objects() as objects:
            where = attachments_place(new.data, new.choice)
            blobs = attachments_at(where, objects, clock, shared=new.choice.shared)
            state = State(store, reopen, pins, day_keys, signers, blobs=blobs, clock=clock)
            try:
                await state.load()
                heads = await _sign(state, plan)
                await asyncio.to_thread(extend_chain, keys, await _step(state.evidence, plan))
            finally:
                state.verifying.shutdown(wait=True)
                blobs.close()
    await asyncio.to_thread(_announce, house.data, keys, plan, pins)
    return Made(plan, heads, pins, place)


def _clear(house: House, keys: Path, plan: Plan) -> Path | None:
    """The old store is out of the way when this returns; then the new one may be begun."""
    if house.on_server:
        return None
    blobs = house.choice.blobs is None
    if is_set_aside(keys):
        return house.data / "ended" / plan.ended
    place = set_aside(house.data, plan.ended, format_pins(old_pins(keys, plan)), blobs=blobs)
    mark_set_aside(keys)
    return place


def old_pins(keys: Path, plan: Plan) -> Pins:
    """The pins of the logs that end, whatever the key files are named by now."""
    now = pins_of({log: load_log_keys(keys, log) for log in LOGS})

    def named(pin: LogPin, origin: str) -> LogPin:
        return numbered(pin, int(origin.rpartition("/")[2]))

    return Pins(
        name=now.name,
        directory=named(now.directory, plan.directory_before),
        evidence=named(now.evidence, plan.lost.origin),
    )


# --- the store -----------------------------------------------------------------------------------


async def _fill(store: Store, keys: Path, plan: Plan) -> None:
    """The directory's leaves, as far as they are not there yet."""
    registry = LogBook("directory", plan.directory, lambda: store)
    await registry.load()
    for leaves in _batches(keys, registry.tree.size):
        await _append(store, registry, leaves)
    if registry.tree.size < plan.known.size or not await registry.holds(
        plan.known.size, plan.known.root
    ):
        raise _foreign(plan.directory)


def _first_leaf(plan: Plan) -> bytes:
    return successor_leaf(plan.lost.origin, plan.lost.size, plan.lost.root)


def _batches(keys: Path, start: int) -> Iterator[list[KnownLeaf]]:
    """The planned leaves from `start` on, so many at a time as one commit takes."""
    batch: list[KnownLeaf] = []
    weight = 0
    for index, one in enumerate(planned_leaves(keys)):
        if index < start:
            continue
        batch.append(one)
        weight += len(one.leaf) + len(one.package or b"")
        if len(batch) == LEAVES_AT_ONCE or weight > BYTES_AT_ONCE:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


async def _append(store: Store, book: LogBook, leaves: list[KnownLeaf]) -> None:
    start = book.tree.size
    tree, tiles, root = await book.grow(book.tree, [one.leaf for one in leaves])
    numbered_leaves = enumerate(leaves, start)
    await store.commit(
        Commit(
            log=book.log,
            expected=book.head,
            head=LogHead(tree.size, root),
            leaves=[one.leaf for one in leaves],
            tiles=tiles,
            time=book.time,
            packages={
                index: one.package for index, one in numbered_leaves if one.package is not None
            },
        )
    )
    book.adopt(tree, root, book.time)


# --- what is signed ------------------------------------------------------------------------------


async def _sign(state: State, plan: Plan) -> tuple[HeadRef, ...]:
    """The directory's head first: the anchor names it, and no store has evidence without one."""
    committer, store, leaf = Committer(state), state.store, _first_leaf(plan)
    if state.registry.unsigned:
        await committer.sign(state.registry)
    await Registrar(state, committer).register_types()
    if state.evidence.tree.size == 0:
        await _append(store, state.evidence, [KnownLeaf(leaf, None)])
    if await store.leaves("evidence", 0, 1) != [leaf]:
        raise _foreign(plan.evidence)
    if state.anchor is None:
        await committer.commit([])  # no item; the anchor is due
    if state.evidence.unsigned:
        await committer.sign(state.evidence)
    books = (state.evidence, state.registry)
    return tuple(book.published.ref for book in books if book.published is not None)


async def _step(evidence: LogBook, plan: Plan) -> Step:
    """The proof for nodes: leaf 0 under the new log's first head."""
    head = evidence.published
    if head is None:
        raise RuntimeError("the new log has no signed head")
    path = await evidence.source.prove(partial(head.inclusion, 0))
    return Step(plan.directory, plan.evidence, _first_leaf(plan), path, head.note)


def _announce(data: Path, keys: Path, plan: Plan, pins: Pins) -> None:
    """Pins and invitation with the new numbers, for agencies that come from here on."""
    write_pins(data / PINS_NAME, pins)
    invitation = Invitation(address=plan.address, pins=pins, tls=plan.tls)
    write_invitation(data / INVITATION_NAME, invitation)
    # A crash before this line: the same command goes on. After it, a broker runs again.
    finish(keys)


def _foreign(origin: str) -> OperatorError:
    return OperatorError(
        "store_differs",
        f"what lies in the data directory as {origin} is not what was planned",
        field="data",
        hint="keep data and keys as they are, and look what wrote there since the first try",
    )
