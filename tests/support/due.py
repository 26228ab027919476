"""A broker whose bulletins come due, on time that a test moves and a witness confirms."""

from __future__ import annotations

from typing import Any

from saphan_broker.retention.sweep import RetentionSweep
from saphan_broker.store.base import DeliveryRow
from saphan_schemas.codec import decode
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event, Statement, statement_record, statement_type

from support.agency import Made
from support.asked import A, B, said, time_goes_on, witnessed_now
from support.brokers import World
from support.session import Line

DUE_DAYS = 20


def sweep(world: World) -> RetentionSweep:
    """The running broker's."""
    return world.broker.retention.sweep


async def carried(world: World, out: Line, into: Line, days: int = DUE_DAYS, **fields: Any) -> Made:
    """A bulletin from A to B that B has accepted, due in so many days."""
    made = await consigned(world, out, days, **fields)
    for event in (Event.HANDOVER, Event.ACCEPTED):
        assert await said(world, into, made, event) is None
    return made


async def consigned(world: World, out: Line, days: int = DUE_DAYS, **fields: Any) -> Made:
    """A bulletin from A to B that nobody has fetched yet, due in so many days."""
    retain_until = world.clock() // DAY_MS + days
    made = world.agencies[A].bulletin([B], world.clock(), retain_until=retain_until, **fields)
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await out.submit(items, batch)
    assert result.code is None, result
    return made


async def witnessed_after(world: World, out: Line, days: int) -> Line:
    """So many days later, confirmed by A's witness; gives A's line."""
    out = await time_goes_on(world, out, days * DAY_MS)
    await witnessed_now(world, out)
    return out


async def stated(
    world: World,
    line: Line,
    made: Made,
    event: Event,
    code: str | None = None,
    corridor: tuple[str, str] = (A, B),
    **more: Any,
) -> str | None:
    """The code with which the statement of the line's agency is refused; None: it is logged."""
    about = [(made.bulletin_id, made.ciphertext_digest)]
    now = world.clock()
    items, batch = line.agency.statements(event, about, corridor, now, code, **more)
    (result,) = await line.state(items, batch)
    return result.code


def entries(line: Line, made: Made, event: Event) -> list[tuple[int, Statement]]:
    """Entries about the bulletin that the line has, with their indices, in order."""
    shown = [
        (index, decode(statement_record(event), given.statement, 4096, "statement"))
        for index, (entry, given) in sorted(line.entries.items())
        if entry.type == statement_type(event)
    ]
    return [(index, one) for index, one in shown if one.bulletin == made.bulletin_id]


async def row_of(world: World, made: Made, recipient: str = B) -> DeliveryRow:
    """Where it stands at the broker."""
    key = (made.bulletin_id, recipient)
    return (await world.broker.store.deliveries([key]))[key]


async def kept(world: World, made: Made, recipient: str = B) -> tuple[bool, bool]:
    """Whether the broker still has ciphertext and stanza."""
    store = world.broker.store
    body = (await store.bodies([made.bulletin_id]))[made.bulletin_id]
    stanzas = await store.stanzas([(made.bulletin_id, recipient)])
    return bool(body.ciphertext), bool(stanzas)
