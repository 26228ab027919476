"""More use cases: attachments, reading, four eyes, the end of a hold, an agency's own type."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from saphan.node.api.schemas import register_schema
from saphan.node.prepared import Prepared, Waiting
from saphan_protocol.hold_order import parse_hold
from support import officers
from support.attaching import pdf, shown, upload
from support.bridge import KH, LA, OFFICERS, wish
from support.hold_files import hold_file
from support.own_bridge import packaged
from support.own_types import bundle

from matrix.stories import HOLD, Held, Sent, Story, accepted, both, events, hold, is_held, ordered
from matrix.world import World

BYTES = 10_000


# --- attachments ---------------------------------------------------------------------------------


async def with_file(world: World, number: int) -> Sent:
    return Sent(number)


async def send_with_file(world: World, sent: Sent) -> None:
    """A node that starts anew has no uploads: whoever asks again brings the file again."""
    attached = await asyncio.to_thread(upload, world.la, pdf(BYTES, sent.number))
    sent.bulletin = await world.la.send(wish(attachments=(attached,)), sent.asked)
    world.ledger.acknowledged(sent.bulletin.hex(), LA, [KH])


ATTACH = Story(with_file, send_with_file, accepted)


async def delivered_with_file(world: World, number: int) -> Sent:
    sent = Sent(number)
    await send_with_file(world, sent)
    await world.until(lambda: accepted(world, sent))
    return sent


async def read(world: World, sent: Sent) -> None:
    """A case system reads it, and what it is given is what was attached."""
    given = await shown(world.kh, sent.bulletin, 1)
    assert given == pdf(BYTES, sent.number)


READ = Story(delivered_with_file, read, lambda world, sent: both(world, sent.bulletin, "read"))


# --- four eyes -----------------------------------------------------------------------------------

SECRET_KINDS = [{"tlp_from": "amber", "by": ["chan", "bounmy"]}]


@dataclass
class Draft:
    """What one officer has written and signed, and who signs it second."""

    written: Prepared
    chan: officers.Person
    bulletin: bytes = b""


_chan: dict[World, officers.Person] = {}


async def written(world: World, _number: int) -> Draft:
    bounmy = await officers.first(world.bridge, world.la, OFFICERS[LA])
    if world not in _chan:
        _chan[world] = await officers.enrolled(world.bridge, world.la, "chan")
        await officers.settings(world.bridge, world.la, four_eyes=SECRET_KINDS)
    return Draft(bounmy.prepare(wish()), _chan[world])


async def sign_second(world: World, draft: Draft) -> None:
    """The author brings it, again if need be; the colleague opens and signs it."""
    draft.chan.node = world.la
    outcome = await world.la.send_signed(draft.written)
    if isinstance(outcome, Waiting):
        outcome = await draft.chan.sign(outcome.draft)
    assert isinstance(outcome, bytes), outcome
    draft.bulletin = outcome
    world.ledger.acknowledged(outcome.hex(), LA, [KH])


def both_signed(world: World, draft: Draft) -> bool:
    return accepted(world, Sent(0, draft.bulletin))


FOUR_EYES = Story(written, sign_second, both_signed)


# --- the end of a hold ---------------------------------------------------------------------------


async def held(world: World, number: int) -> Held:
    """A hold in force, and the order that ends it."""
    begun = await ordered(world, number)
    await hold(world, begun)
    await world.until(lambda: is_held(world, begun))
    name = parse_hold(begun.file.package).commitment
    world.orders += 1
    order = world.orders
    ids = (begun.bulletin,)
    end = await asyncio.to_thread(
        lambda: hold_file(world.bridge, KH, number=order, release=name, ids=ids, told=False)
    )
    return Held(begun.bulletin, end)


def is_released(world: World, held: Held) -> bool:
    return "released" in events(world.kh, held.bulletin)


RELEASE_HOLD = Story(held, HOLD.act, is_released)


# --- an agency's own type ------------------------------------------------------------------------


@dataclass
class OwnType:
    name: str
    package: bytes


async def own_type(world: World, number: int) -> OwnType:
    name = f"kh.gpo/report_{number}/1"
    make = lambda: packaged(world.bridge, bundle(name), name, KH)  # noqa: E731
    return OwnType(name, await asyncio.to_thread(make))


async def register_type(world: World, own: OwnType) -> None:
    await register_schema(world.kh, own.package)


def usable(world: World, own: OwnType) -> bool:
    """Its agency can write in it, and both have heard of it."""
    heard = all(
        own.name in {one.record.name for one in node.own.registered()}
        for node in (world.la, world.kh)
    )
    return heard and own.name in world.kh.own.types


OWN_TYPE = Story(own_type, register_type, usable)

MORE: dict[str, Story] = {
    "read": READ,
    "attach": ATTACH,
    "four eyes": FOUR_EYES,
    "release a hold": RELEASE_HOLD,
    "own type": OWN_TYPE,
}
