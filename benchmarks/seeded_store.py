"""Seeds a broker's own store with bulletins that are due, far faster than they could be sent.

python -m benchmarks.seeded_store FOLDER --due 1000000

Real are the world (agencies, agreement), the store and its engine, the entries, records and salts
sealed under day keys, leaves, tiles, corridors, heads and their signatures: everything goes by the
sequencer's own ledger and committer. Made up, because a store cannot tell: ciphertexts and stanzas
are random bytes of the right length, and so are the agencies' signatures. Every bulletin went to
one recipient, who has taken and accepted it: three entries. Times are of the seeding; the due-day
is that of the seeding, too, so that all is due at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_broker.broker import open_broker
from saphan_broker.clock import day_of
from saphan_broker.sequencing.facts import Wanted, load
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.preparing import Prepared
from saphan_broker.state import State
from saphan_broker.store.base import BulletinFacts, DeliveryRow, LogHead
from saphan_protocol.delivery import State as Delivery
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.codec import encode
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import (
    BatchSignature,
    Consignment,
    Event,
    LeafType,
    Role,
    SignatureItem,
    StanzaRef,
    Statement,
    statement_type,
)

from benchmarks.world import RECIPIENT, SENDER, SENDERS, World, make_world, small_senders

GROUP: Final = 2_048
"""Bulletins of one commit."""
CIPHERTEXT_BYTES: Final = 6_144
"""A bulletin of 4 KB of content, padded and sealed (benchmarks/bulletin.py)."""
HEADER_BYTES: Final = 320
STANZA_BYTES: Final = 1_168
BATCH: Final = 64
"""Items that share a signature, as a node sends them under load."""
PATH: Final = 6


@dataclass(frozen=True, slots=True)
class Sort:
    """What bulletins are made: days from now until they are due, bytes of their ciphertext."""

    days: int = 0
    ciphertext: int = CIPHERTEXT_BYTES


DUE: Final = Sort()


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made: bulletins, entries, seconds, and bytes on the disk."""

    bulletins: int
    entries: int
    seconds: float
    disk: int


async def seed(world: World, count: int, sort: Sort = DUE) -> Seeded:
    """Put so many bulletins into an existing world's store; nothing may run on it."""
    begun = time.monotonic()
    broker = await open_broker(world.data, world.keys)
    try:
        await broker.start(override="seeding of a measurement")
        made = 0
        while made < count:
            some = min(GROUP, count - made)
            await broker.committer.write(await _group(broker.state, made, some, sort))
            made += some
    finally:
        await broker.stop()
    return Seeded(count, 3 * count, time.monotonic() - begun, disk_used(world.data))


def disk_used(folder: Path) -> int:
    """Bytes that all files below a folder take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


async def _group(state: State, first: int, count: int, sort: Sort) -> Prepared:
    names = [SENDER, *small_senders(SENDERS)]
    wanted = Wanted(corridors={(name, RECIPIENT) for name in names})
    known = await load(state.store, wanted)
    book = state.evidence
    now = max(state.clock(), book.time)
    ledger = Ledger(known, book.tree.size, now, state.keys, state.quotas)
    for place, batch in zip(range(count), _batches(state), strict=False):
        _bulletin(ledger, names[(first + place) % len(names)], batch, sort)
    tree, tiles, root = await book.grow(book.tree, ledger.leaves)
    head = LogHead(book.tree.size, book.root)
    return Prepared(ledger, head, tree, root, tiles, [], state.anchored)


def _batches(state: State) -> Iterator[SignatureItem]:
    """Places in batches of random signatures under real keys' ids."""
    key = state.directory.keys(SENDER, Role.NODE)[0].key_id
    while True:
        path = tuple(os.urandom(32) for _ in range(PATH))
        for index in range(BATCH):
            yield SignatureItem(key, BATCH, index, path, os.urandom(32))


def _bulletin(ledger: Ledger, sender: str, item: SignatureItem, sort: Sort) -> None:
    """One bulletin from its admission to its acceptance."""
    bulletin, due = os.urandom(32), day_of(ledger.time) + sort.days
    facts = BulletinFacts(
        id=bulletin,
        sender=sender,
        nonce=os.urandom(16),
        header_identity=os.urandom(32),
        ciphertext_length=sort.ciphertext,
        ciphertext_digest=os.urandom(32),
        due_day=due,
        record_day=ledger.record_day,
        expires=ledger.time,
        attachments=(),
    )
    ledger.bulletin(facts, os.urandom(HEADER_BYTES), os.urandom(sort.ciphertext))
    ref = StanzaRef(RECIPIENT, os.urandom(32), os.urandom(32))
    body = encode(Consignment(bulletin, item.key, None, (ref,)))
    submitted = _enter(ledger, facts, LeafType.SUBMITTED, CONSIGNMENT_TYPE, body, item)
    ledger.stanza(bulletin, RECIPIENT, due, os.urandom(STANZA_BYTES))
    last = submitted
    for event in (Event.HANDOVER, Event.ACCEPTED):
        said = Statement(bulletin, facts.ciphertext_digest, RECIPIENT, ledger.time, None, None)
        kind = statement_type(event)
        last = _enter(ledger, facts, LeafType[event.name], kind, encode(said), item)
    ledger.delivery(
        DeliveryRow(
            bulletin=bulletin,
            recipient=RECIPIENT,
            sender=sender,
            state=Delivery.ACCEPTED.value,
            submitted=submitted,
            last=last,
            consignments=1,
            expires=due * DAY_MS,
            answer_by=None,
            due_day=due,
            deadline=None,
        )
    )
    if item.index == 0:
        ledger.signature(BatchSignature(item.key, BATCH, os.urandom(32), os.urandom(3_373)))


def _enter(
    ledger: Ledger,
    facts: BulletinFacts,
    leaf: LeafType,
    kind: str,
    body: bytes,
    item: SignatureItem,
) -> int:
    first = leaf is LeafType.SUBMITTED
    return ledger.enter(
        (facts.sender, RECIPIENT),
        leaf,
        kind,
        body,
        identity(kind, body),
        issuer=facts.sender if first else RECIPIENT,
        bulletin=facts.id,
        salt=os.urandom(32),
        item=item,
        due_day=facts.due_day if first else None,
    )


async def _main(folder: Path, due: int) -> None:
    made = await seed(await make_world(folder), due)
    sys.stdout.write(
        f"{made.bulletins:,} bulletins due, {made.entries:,} entries, seeded in "
        f"{made.seconds:,.0f} s; {made.disk / 1e9:.2f} GB on the disk\n"
    )


def main() -> int:
    """Make a world in a new folder and seed it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seeded_store")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--due", type=int, default=1_000_000)
    args = parser.parse_args()
    asyncio.run(_main(args.folder, args.due))
    return 0


if __name__ == "__main__":
    sys.exit(main())
