"""A broker that has seen a bit of everything: what a store holds then is copied, kept, compared."""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan_schemas.frames import Result
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import BatchSignature, Event

from support.agency import Made
from support.brokers import World
from support.session import Line

A, B, C = "la.ospp", "kh.gpo", "th.oncb"
PARTIES = (A, B, C)


async def carry_everything(world: World) -> None:
    """Bulletins to one and to two, with attachments, handed over, answered, read, recalled and
    refused, consigned anew, not answered in time, disclosed."""
    sender, recipient, other = (world.agencies[name] for name in PARTIES)
    out, into, beside = [await world.line(name) for name in PARTIES]
    attached: list[tuple[bytes, ...]] = [(b"warrant" * 900, b"photo"), (), (), ()]
    made = [sender.bulletin([B], world.clock(), attachments=files) for files in attached]
    await out.bring(made[0].attachments)
    replay = sender.bulletin([B], world.clock(), nonce=made[0].header.nonce)
    items, batch = sender.submissions([*made, replay], [recipient])
    assert [one.code for one in await out.submit(items, batch)] == [None] * 4 + ["replay"]
    asked = world.clock() + 45_000
    both = sender.bulletin([B, C], world.clock(), answer_by=asked)
    await _submit(out, *sender.submissions([both], [recipient, other]))
    await _say(world, into, B, Event.HANDOVER, made[:3])
    await _say(world, into, B, Event.ACCEPTED, made[:1])
    await _say(world, into, B, Event.UNOPENED, made[1:2], "stanza_unopenable")
    await _submit(out, *sender.submissions(made[1:2], [recipient]))
    await _say(world, into, B, Event.READ, made[:1])
    await _say(world, out, B, Event.RECALLED, made[3:4], "error")
    await _say(world, beside, C, Event.HANDOVER, [both])
    world.clock.ahead += 50_000  # less than the sessions' clocks may differ
    back = recipient.bulletin([A], world.clock(), answer_by=world.clock() + DAY_MS)
    await _submit(into, *recipient.submissions([back], [sender]))
    directory, evidence = world.pins.directory.origin, world.pins.evidence.origin
    await into.until(lambda: directory in into.heads and into.heads[evidence].time * 1000 >= asked)
    for origin in (directory, evidence):
        await into.cosign(into.heads[origin])
    await _say(world, into, B, Event.ACCEPTED, made[2:3])  # answered after what came before it
    about = [(back.bulletin_id, back.ciphertext_digest)]
    taken, batch = sender.statements(Event.HANDOVER, about, (B, A), world.clock())
    _all_taken(await out.state(taken, batch))
    await world.broker._sweep.look()
    for line in (out, into):
        await _disclose(world, line, made[:1])
    for line in (out, into, beside):
        await line.close()


def carried(place: Path) -> World:
    """A broker in `place` that has carried everything and has been stopped."""
    world = World(place, *PARTIES)

    async def live() -> None:
        await world.init()
        async with world.running():
            await world.enrol()
            await carry_everything(world)

    asyncio.run(live())
    return world


async def answer_all(world: World) -> None:
    """B hands over and accepts everything that waits for it, and reads it."""
    size = world.broker.state.evidence.tree.size
    rows = await world.broker.store.entries(0, size)
    ids = {row.bulletin for row in rows if row.bulletin is not None and row.recipient == B}
    line = await world.line(B)
    for event, state in ((Event.HANDOVER, "submitted"), (Event.ACCEPTED, "handed_over")):
        found = await world.broker.store.deliveries([(id_, B) for id_ in ids])
        waiting = [id_ for (id_, _), row in found.items() if row.state == state]
        facts = await world.broker.store.bulletins(waiting)
        pairs = [(id_, facts[id_].ciphertext_digest) for id_ in waiting]
        said, batch = line.agency.statements(event, pairs, (A, B), world.clock())
        _all_taken(await line.state(said, batch))
    await line.close()


async def _submit(line: Line, items: object, batch: BatchSignature) -> None:
    _all_taken(await line.submit(items, batch))  # type: ignore[arg-type]


async def _say(
    world: World, line: Line, to: str, event: Event, about: list[Made], code: str | None = None
) -> None:
    pairs = [(one.bulletin_id, one.ciphertext_digest) for one in about]
    said, batch = line.agency.statements(event, pairs, (A, to), world.clock(), code)
    _all_taken(await line.state(said, batch))


async def _disclose(world: World, line: Line, about: list[Made]) -> None:
    pairs = [(one.bulletin_id, one.ciphertext_digest) for one in about]
    own = (line.agency.name, line.agency.name)
    said, batch = line.agency.statements(
        Event.EXPORTED, pairs, own, world.clock(), "disclosed", detail=b"\x0d" * 32
    )
    _all_taken(await line.state(said, batch))


def _all_taken(results: tuple[Result, ...]) -> None:
    assert {one.code for one in results} == {None}, results
