"""Use cases as they are run again and again: what is done, and how one sees that it is over.

`act` is what somebody asks for, who asks again when told to; `done` looks at both nodes only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from saphan.keyring import revoke_key
from saphan.mailbox_rotation import rotate_mailbox
from saphan.node.repeats import Asked, Repeat
from saphan.node.service import NodeService
from saphan_broker.sequencing.work import NewHead, Rejected
from saphan_schemas.errors import Refused, Unavailable
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role
from support.attaching import pdf, upload
from support.bridge import KH, LA, SECRET, states, wish
from support.hold_files import hold_file
from support.threads import letter

from matrix.effects import quiet
from matrix.world import World

MINUTE_MS = 60_000
HEAD_AGAIN_S = 0.1
Prepare = Callable[[World, int], Awaitable[Any]]
Act = Callable[[World, Any], Awaitable[Any]]
Done = Callable[[World, Any], bool]


@dataclass(frozen=True)
class Story:
    """One use case.

    Args:
        prepare: what must be there first; nothing fails yet; gets the number of the run.
        act: what is asked for, with what `prepare` gave; asked again after an error.
        done: whether it is over at both nodes, with what `prepare` gave.
    """

    prepare: Prepare
    act: Act
    done: Done


def events(node: NodeService, bulletin: bytes) -> list[str]:
    """What a node's store has of a bulletin, in the order of the log."""
    query = "SELECT event FROM entries WHERE bulletin = ? ORDER BY idx"
    return [event for (event,) in node.db.rows(query, (bulletin,))]


def both(world: World, bulletin: bytes, *wanted: str) -> bool:
    return all(set(wanted) <= set(events(node, bulletin)) for node in (world.la, world.kh))


# --- a delivery ----------------------------------------------------------------------------------


@dataclass
class Sent:
    """One request of a case system, under its own number: repeated, it has its first answer."""

    number: int
    bulletin: bytes = b""
    expires: int | None = None
    passed: bool = False

    @property
    def asked(self) -> Asked:
        return Asked(repeat=Repeat("matrix", f"request {self.number}", bytes(32)))


async def numbered(_world: World, number: int) -> Sent:
    return Sent(number)


async def send(world: World, sent: Sent) -> None:
    more: dict[str, Any] = {} if sent.expires is None else {"expires": sent.expires}
    sent.bulletin = await world.la.send(wish(**more), sent.asked)
    world.ledger.acknowledged(sent.bulletin.hex(), LA, [KH])


def accepted(world: World, sent: Sent) -> bool:
    return (
        bool(sent.bulletin)
        and both(world, sent.bulletin, "accepted")
        and states(world.la, sent.bulletin) == ["accepted"]
    )


async def delivered(world: World, number: int) -> Sent:
    """A bulletin that has arrived before anything fails."""
    sent = Sent(number)
    await send(world, sent)
    await world.until(lambda: accepted(world, sent))
    return sent


DELIVER = Story(numbered, send, accepted)


async def send_spoiled(world: World, sent: Sent) -> None:
    """Its first stanza does not open; the sender's node makes another one by itself."""
    if not sent.bulletin:
        world.effects.spoiled = 1
    await send(world, sent)


ANEW = Story(numbered, send_spoiled, accepted)


# --- what may follow -----------------------------------------------------------------------------


async def prepared_letter(world: World, number: int) -> Sent:
    sent = Sent(number)
    sent.bulletin = await world.la.send(letter("training_notice", (KH,)), sent.asked)
    world.ledger.acknowledged(sent.bulletin.hex(), LA, [KH])
    await world.until(lambda: accepted(world, sent))
    return sent


async def recall(world: World, sent: Sent) -> None:
    await world.la.recalls.order(sent.bulletin, "error", "keeper")


RECALL = Story(
    prepared_letter,
    recall,
    lambda world, sent: both(world, sent.bulletin, "recalled", "obeyed", "erased"),
)


@dataclass
class Held:
    """A hold order on one bulletin."""

    bulletin: bytes
    file: Any


async def ordered(world: World, number: int) -> Held:
    sent = await delivered(world, number)
    world.orders += 1
    order = world.orders
    make = lambda: hold_file(world.bridge, KH, number=order, ids=(sent.bulletin,), told=False)  # noqa: E731
    return Held(sent.bulletin, await asyncio.to_thread(make))


async def hold(world: World, held: Held) -> None:
    file = held.file
    await world.kh.holds.take(file.package, file.terms, file.salt)


def is_held(world: World, held: Held) -> bool:
    return "held" in events(world.kh, held.bulletin)


HOLD = Story(ordered, hold, is_held)


async def undelivered(world: World, number: int) -> Sent:
    """In the log, and nobody takes it: its recipient's node is down."""
    if KH in world.running:
        await world.stop(KH)
    sent = Sent(number, expires=world.bridge.clock() + MINUTE_MS)
    await send(world, sent)
    await world.until(lambda: states(world.la, sent.bulletin) == ["submitted"])
    return sent


async def time_passes(world: World, sent: Sent) -> None:
    if not sent.passed:
        world.pass_time(2 * MINUTE_MS)
    sent.passed = True


EXPIRE = Story(
    undelivered,
    time_passes,
    lambda world, sent: states(world.la, sent.bulletin) == ["expired"],
)


# --- the directory -------------------------------------------------------------------------------


@dataclass
class Operation:
    """A signed operation or package, once it is made, and whether a node has heard of it.

    Args:
        make: blocking; the words of `Line.register`.
    """

    make: Callable[[], dict[str, bytes]]
    heard: Callable[[NodeService], bool]
    made: dict[str, bytes] | None = None
    follows: bool = False
    """The log lacks one that comes before it."""


async def register(world: World, operation: Operation) -> None:
    """Make it, once, and bring it; what was kept before and reported failed goes first."""
    if operation.made is None:
        operation.made = await asyncio.to_thread(operation.make)
    if operation.follows:
        before = (await asyncio.to_thread(world.bridge.offices[KH].history))[-2]
        await world.kh.line.register(before)
    result = await world.kh.line.register(**operation.made)
    operation.follows = result.code == "operation_chain"
    if result.code is not None:
        family = Unavailable if result.retry_after_ms else Refused
        raise family(result.code, result.code)


def everybody_heard(world: World, operation: Operation) -> bool:
    return all(operation.heard(node) for node in (world.la, world.kh))


def mailboxes(node: NodeService) -> int:
    return len(node.logs.directory.keys(KH, Role.MAILBOX))


async def more_weeks(world: World, _number: int) -> Operation:
    """A mailbox key of one more week."""
    office, now, have = world.bridge.offices[KH], world.bridge.clock(), mailboxes(world.la)

    def make() -> dict[str, bytes]:
        made = rotate_mailbox(office, 1, SECRET, now=now).made
        return {"operation": made.operation.read_bytes()}

    return Operation(make, lambda node: mailboxes(node) > have)


async def a_key_less(world: World, number: int) -> Operation:
    """The newest of its mailbox keys is revoked."""
    added = await more_weeks(world, number)
    before = {key.key_id for key in world.la.logs.directory.keys(KH, Role.MAILBOX)}
    await register(world, added)
    await world.until(lambda: everybody_heard(world, added))
    after = {key.key_id for key in world.la.logs.directory.keys(KH, Role.MAILBOX)}
    (new,) = after - before
    office, now = world.bridge.offices[KH], world.bridge.clock()

    def make() -> dict[str, bytes]:
        return {"operation": revoke_key(office, new, SECRET, now=now).operation.read_bytes()}

    def heard(node: NodeService) -> bool:
        info = node.logs.directory.find(new)
        return info is not None and info.revoked is not None

    return Operation(make, heard)


async def another_agreement(world: World, _number: int) -> Operation:
    """Both agencies sign their terms anew, in place of those that they have."""
    found = list(world.la.logs.directory.agreements(LA, KH))
    have, last = len(found), found[-1].name

    def make() -> dict[str, bytes]:
        return {"agreement": world.bridge.agreement(replaces=last)}

    def heard(node: NodeService) -> bool:
        return len(list(node.logs.directory.agreements(LA, KH))) > have

    return Operation(make, heard)


ROTATE = Story(more_weeks, register, everybody_heard)
REVOKE = Story(a_key_less, register, everybody_heard)
REGISTER = Story(another_agreement, register, everybody_heard)


# --- time ----------------------------------------------------------------------------------------


def witness_states(world: World) -> list[bytes]:
    """What both witnesses have signed last."""
    paths = [world.bridge.place / agency / "node" / "data" / "witness.json" for agency in (LA, KH)]
    return [path.read_bytes() if path.exists() else b"" for path in paths]


@dataclass
class Witnessing:
    """What both had signed, and what time was witnessed, before."""

    states: list[bytes]
    now: int
    asked: bool = False


async def witnessed(world: World, number: int) -> Witnessing:
    await delivered(world, number)
    await quiet(world.effects)
    return Witnessing(witness_states(world), world.bridge.broker.witnessed.now)


async def ask_witnesses(world: World, witnessing: Witnessing) -> None:
    """Some time has passed: as its sweep does, the broker shows a fresh head, again if that could
    not be signed, and asks for its time. An ask that died with it is made again, by its sweep."""
    if not witnessing.asked:
        world.pass_time(MINUTE_MS // 2)
    witnessing.asked = True
    broker = world.bridge.broker
    while isinstance(await broker.role.submit(NewHead()).outcome, Rejected):  # noqa: ASYNC110
        await asyncio.sleep(HEAD_AGAIN_S)
    broker.state.listeners.ask_everyone(broker.state.clock())
    await world.until(lambda: all_signed(world, witnessing))


def all_signed(world: World, witnessing: Witnessing) -> bool:
    pairs = zip(witness_states(world), witnessing.states, strict=True)
    later = world.bridge.broker.witnessed.now > witnessing.now
    return later and all(now != before for now, before in pairs)


COSIGN = Story(witnessed, ask_witnesses, all_signed)


async def due_tomorrow(world: World, number: int) -> Sent:
    """With a file: it goes as well."""
    tomorrow = world.bridge.clock() // DAY_MS + 1
    sent = Sent(number)
    file = await asyncio.to_thread(upload, world.la, pdf(1000, number))
    about = wish(attachments=(file,), retain_until=tomorrow)
    sent.bulletin = await world.la.send(about, sent.asked)
    world.ledger.acknowledged(sent.bulletin.hex(), LA, [KH])
    await world.until(lambda: accepted(world, sent))
    return sent


async def a_day_passes(world: World, sent: Sent) -> None:
    """Everybody was down over it; then whatever is due goes by itself."""
    if not sent.passed:
        await world.stop_all()
        world.pass_time(DAY_MS)
        sent.passed = True
    await world.start_missing()


def gone(world: World, sent: Sent) -> bool:
    return both(world, sent.bulletin, "destroyed", "erased")


DESTROY = Story(due_tomorrow, a_day_passes, gone)

STORIES = {
    "deliver": DELIVER,
    "anew": ANEW,
    "recall": RECALL,
    "hold": HOLD,
    "rotate": ROTATE,
    "revoke": REVOKE,
    "register": REGISTER,
    "cosign": COSIGN,
    "expire": EXPIRE,
    "destroy": DESTROY,
}
