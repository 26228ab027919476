"""A receiver that stops reading costs the broker little memory and the others nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE
from saphan_protocol.batch import sign_batch
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.codec import encode
from saphan_schemas.frames import Submission
from saphan_schemas.limits import MIB
from saphan_schemas.records import BatchSignature, Blob, Bulletin, Consignment, StanzaRef
from support.agency import Agency, Made
from support.broker_process import broker_process
from support.brokers import World
from support.session import Line

A, B, C = "la.ospp", "kh.gpo", "th.oncb"
WAITING = 10_000
PER_BATCH = 100
GROWTH = 20 * MIB


def resident_bytes(process: int) -> int:
    """Resident memory of a process."""
    for row in Path(f"/proc/{process}/status").read_text().splitlines():
        if row.startswith("VmRSS:"):
            return int(row.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def many(
    sender: Agency, to: Agency, sealed: Made, stanza: bytes, now: int
) -> tuple[Sequence[Submission], BatchSignature]:
    """A batch of different bulletins with one ciphertext: to a broker that is all the same."""
    blob = Blob(len(sealed.ciphertext), sha256(sealed.ciphertext).digest())
    ref = StanzaRef(to.name, to.mailbox.key_id, sha256(stanza).digest())
    headers = [encode(sender.header([to.name], now)) for _ in range(PER_BATCH)]
    bodies = []
    for header in headers:
        record = Bulletin(identity(HEADER_TYPE, header), blob, ())
        bulletin = identity(BULLETIN_TYPE, encode(record))
        bodies.append(encode(Consignment(bulletin, sender.node.key_id, None, (ref,))))
    signing = [(CONSIGNMENT_TYPE, body, sender.random()) for body in bodies]
    batch, items = sign_batch(sender.node, signing)
    return [
        Submission(header, body, item, (sender.random(),), (stanza,), sealed.ciphertext)
        for header, body, item in zip(headers, bodies, items, strict=True)
    ], batch


async def send(world: World, line: Line, to: str, count: int) -> int:
    """Submit `count` bulletins; gives the index of the last one."""
    sender, recipient = world.agencies[A], world.agencies[to]
    sealed = sender.bulletin([to], world.clock())
    (given,), _ = sender.submissions([sealed], [recipient])
    waiting, last = [], -1
    for _ in range(count // PER_BATCH):
        items, batch = many(sender, recipient, sealed, given.stanzas[0], world.clock())
        waiting.append(await line.send_submit(items, batch))
        if len(waiting) > 4:
            last = (await waiting.pop(0))[-1].indices[0]
    for answer in waiting:
        results = await answer
        assert all(result.code is None for result in results)
        last = results[-1].indices[0]
    return last


async def test_stalled_receiver_costs_little_while_others_are_served(tmp_path: Path) -> None:
    """Timeline: b logs in and reads nothing; 10,000 bulletins come for it; c gets its own."""
    world = World(tmp_path, A, B, C)
    await world.init()
    async with world.running():
        await world.enrol()
    async with broker_process(world.data, world.keys) as broker:
        lines = {name: Line(world.agencies[name], world.pins, world.clock, True) for name in (A, C)}
        for line in lines.values():
            await line.connect(broker.url)
        await lines[C].entry(await send(world, lines[A], C, 2_000))  # caches and buffers are filled
        before = resident_bytes(broker.process.pid)
        stalled = Line(world.agencies[B], world.pins, world.clock, False)
        await stalled.connect(broker.url)
        assert stalled._reading is not None
        stalled._reading.cancel()
        await asyncio.wait([stalled._reading])
        await send(world, lines[A], B, WAITING)
        await lines[C].entry(await send(world, lines[A], C, PER_BATCH))
        assert resident_bytes(broker.process.pid) - before < GROWTH
        for line in (*lines.values(), stalled):
            await line.close()
