"""A bulletin that asks for an answer by a time, as a broker's tests need it."""

from __future__ import annotations

from saphan_broker.store.base import DeliveryRow
from saphan_schemas.codec import decode
from saphan_schemas.records import Event, Statement

from support.agency import Made
from support.brokers import World
from support.session import Line

A, B = "la.ospp", "kh.gpo"


async def submitted(world: World, out: Line, answer_by: int) -> Made:
    """A bulletin from A to B that asks for an answer by this time."""
    created = min(world.clock(), answer_by - 1)
    made = world.agencies[A].bulletin([B], created, answer_by=answer_by)
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await out.submit(items, batch)
    assert result.code is None, result
    return made


async def said(
    world: World, line: Line, made: Made, event: Event, code: str | None = None
) -> str | None:
    """The code with which the line's agency's statement is refused; None: it is logged."""
    about = [(made.bulletin_id, made.ciphertext_digest)]
    items, batch = line.agency.statements(event, about, (A, B), world.clock(), code)
    (result,) = await line.state(items, batch)
    return result.code


async def handed_over(world: World, answer_by: int) -> tuple[Made, Line]:
    """A bulletin that B has handed over, and A's line."""
    out, into = await world.line(A), await world.line(B)
    made = await submitted(world, out, answer_by)
    assert await said(world, into, made, Event.HANDOVER) is None
    await into.close()
    return made, out


async def time_goes_on(world: World, out: Line, ms: int) -> Line:
    """So much later A's line is open anew; nobody has witnessed the time yet."""
    await out.close()
    world.clock.ahead += ms
    return await world.line(A, resume=out)


async def witnessed_now(world: World, out: Line) -> None:
    """The line's node cosigns a head of the present time, and the broker has it."""
    origin, now = world.pins.evidence.origin, world.clock() // 1000
    await out.until(lambda: origin in out.heads and out.heads[origin].time >= now - 5)
    await out.cosign(out.heads[origin])
    await submitted(world, out, world.clock() + 1)  # answered after the cosignature


async def delivery(world: World, made: Made) -> DeliveryRow:
    """Where it stands at the broker."""
    key = (made.bulletin_id, B)
    return (await world.broker.store.deliveries([key]))[key]


def words(line: Line, made: Made, event: Event) -> list[Statement]:
    """The broker's own statements of this event about the bulletin, as the line has them."""
    shown = [
        decode(Statement, given.statement, 4096, "statement")
        for entry, given in line.entries.values()
        if entry.type == f"saphan/{event}/1" and given.item is None
    ]
    return [one for one in shown if one.bulletin == made.bulletin_id]
