"""What the broker does: several processes, one lease, a store and a signer apart."""

from __future__ import annotations

from collections.abc import Iterator

from saphan_protocol.delivery import State
from saphan_schemas.errors import Refused

from model.life import (
    ASKED,
    DUE,
    EXPIRED,
    destroyable,
    has,
    judge,
    said_now,
    stand,
    word,
)
from model.nodes import answered
from model.world import (
    COMMITTED,
    FAULT,
    FOLLOWS,
    FORMER,
    IDLE,
    JUDGED,
    LEADS,
    SIGNED,
    STEP,
    TIME,
    Move,
    Process,
    Sizes,
    World,
)

Moves = Iterator[Move]


def broker_moves(world: World, sizes: Sizes) -> Moves:
    """Everything that processes, lines, the store and the clock may do next."""
    for place, process in enumerate(world.processes):
        if process != _NEW:
            yield Move(FAULT, f"a process that {process.role} crashes", _put(world, place, _NEW))
        if process.line:
            less = process._replace(line=process.line[:-1])
            yield Move(FAULT, f"a line breaks: {process.line[-1]}", _put(world, place, less))
        if process.role == FOLLOWS:
            yield from _takes_over(world, sizes, place, process)
        elif process.phase == IDLE:
            yield from _takes_item(world, sizes, place, process)
            yield from _time_speaks(world, sizes, place, process)
        elif process.phase == JUDGED:
            yield from _commits(world, sizes, place, process)
        elif process.phase == COMMITTED:
            yield from _signs(world, sizes, place, process)
        else:  # signed
            yield from _answers(world, place, process)
    if world.clock < DUE and not sizes.timeless:
        later = EXPIRED if world.clock < EXPIRED and not sizes.asked else world.clock + 1
        yield Move(TIME, f"time passes ({later})", world._replace(clock=later))


_NEW = Process()


def _put(world: World, place: int, process: Process) -> World:
    processes = world.processes
    return world._replace(processes=(*processes[:place], process, *processes[place + 1 :]))


def _rests(process: Process) -> Process:
    """It has lost its turn: it reads everything again before it sequences."""
    return Process(FOLLOWS, line=process.line)


# --- the lease ------------------------------------------------------------------------------------


def _takes_over(world: World, sizes: Sizes, place: int, process: Process) -> Moves:
    """A new epoch; the store is read, and what is committed and not signed is signed first."""
    signed = world.file
    if world.log[: len(signed)] != signed and "start_check" not in sizes.without:
        return  # store_behind_signer, store_differs: a person must open a successor
    leading = any(one.role == LEADS for one in world.processes)
    world = world._replace(
        processes=tuple(
            one._replace(role=FORMER) if one.role == LEADS else one for one in world.processes
        )
    )
    settled = world.note == len(world.log)
    new = Process(LEADS, IDLE if settled else COMMITTED, "", world.log, process.line)
    if settled:
        new = new._replace(base=())
    says = "a process takes over the lease"
    if leading:
        yield Move(FAULT, f"{says}, while its holder stands still", _put(world, place, new))
    else:
        yield Move(STEP, says, _put(world, place, new))


# --- judging --------------------------------------------------------------------------------------


def _takes_item(world: World, sizes: Sizes, place: int, process: Process) -> Moves:
    """The first item of its own line; whoever has the lease gets what the others forward, too."""
    if process.role == FORMER:
        yield Move(STEP, "a former holder steps down", _put(world, place, _rests(process)))
    for other, source in enumerate(world.processes):
        if source.line and (other == place or (process.role == LEADS and source.role == FOLLOWS)):
            item = source.line[0]
            taken = _put(world, other, source._replace(line=source.line[1:]))
            now = taken.processes[place]
            yield from _judges(taken, sizes, place, now, item)


def _judges(world: World, sizes: Sizes, place: int, process: Process, item: str) -> Moves:
    if has(world.log, item) and "first_answer" not in sizes.without:
        index = [entry.rstrip("+") for entry in world.log].index(item)
        if index < world.note:
            yield Move(STEP, f"{item} gets its first answer", answered(world, item, item))
            yield Move(FAULT, f"{item} gets its first answer, which is lost", world)
        else:  # `_check_signed`: somebody has taken over
            yield Move(STEP, "a process finds the head moved", _put(world, place, _rests(process)))
        return
    if not _allowed(world, sizes, item):
        if process.role == FORMER and "refusals_logged" not in sizes.without:
            # A refusal is an entry of the log, too: what is fenced cannot even refuse.
            after = _put(world, place, _rests(process))
            yield Move(STEP, "a former holder is fenced with its refusal", after)
            return
        yield Move(STEP, f"{item} is refused", answered(world, item, f"!{item}"))
        yield Move(FAULT, f"{item} is refused, and the answer is lost", world)
        return
    late = word(item) == "handover" and sizes.asked and world.clock >= ASKED
    yield _prepared(world, place, process, f"{item}+" if late else item)


def _allowed(world: World, sizes: Sizes, item: str) -> bool:
    at = stand(world.log)
    if word(item) == "consign" and world.clock >= EXPIRED:
        return False
    if at.state is State.RECALLED and "recall_ends" in sizes.without:
        at = at._replace(state=State.SUBMITTED)
    if at.state is State.EXPIRED and "outcome_ends" in sizes.without:
        at = at._replace(state=State.HANDED_OVER)
    try:
        judge(at, item)
    except Refused:
        return False
    return True


def _time_speaks(world: World, sizes: Sizes, place: int, process: Process) -> Moves:
    said = said_now(world.log, world.clock, sizes.asked)
    if said:
        yield _prepared(world, place, process, said)
    if sizes.holds and _may_destroy(world, sizes):
        yield _prepared(world, place, process, "destroyed")


def _may_destroy(world: World, sizes: Sizes) -> bool:
    if "hold" in sizes.without:
        rest = tuple(entry for entry in world.log if entry not in ("held", "released"))
        return destroyable(rest, world.clock)
    return destroyable(world.log, world.clock)


def _prepared(world: World, place: int, process: Process, entry: str) -> Move:
    new = process._replace(phase=JUDGED, item=entry, base=world.log)
    return Move(STEP, f"a process that {process.role} judges {entry}", _put(world, place, new))


# --- the order of effects -------------------------------------------------------------------------


def _commits(world: World, sizes: Sizes, place: int, process: Process) -> Moves:
    """One compare-and-swap on the head, under the newest epoch; or nothing is written."""
    entry = process.item
    if "answer_last" in sizes.without:
        early = answered(world, entry.rstrip("+"), entry.rstrip("+"))
        if early != world:
            yield Move(STEP, f"{entry} is answered before it is committed", early)
    fenced = process.role == FORMER and "fence" not in sizes.without
    moved = process.base != world.log and "compare" not in sizes.without
    if fenced or moved:
        why = "is refused by the store: it is fenced" if fenced else "finds the head moved"
        yield Move(
            STEP, f"a process that {process.role} {why}", _put(world, place, _rests(process))
        )
        return
    log = (*process.base, entry)
    after = world._replace(log=log)
    done = process._replace(phase=COMMITTED, base=log)
    says = f"a process that {process.role} commits {entry} as entry {len(log) - 1}"
    yield Move(STEP, says, _put(after, place, done))
    unknown = f"{says}, and the store says that it failed"
    yield Move(FAULT, unknown, _put(after, place, _rests(process)))


def _signs(world: World, sizes: Sizes, place: int, process: Process) -> Moves:
    """The signer's own file first; it never signs two roots for one size."""
    root, last = process.base, world.file
    behind = len(root) < len(last) or (len(root) == len(last) and root != last)
    if behind and "signer_file" not in sizes.without:
        yield Move(STEP, "the signer refuses", _put(world, place, _rests(process)))
        return
    both = min(len(root), len(world.signed))
    wrong = world.wrong if root[:both] == world.signed[:both] else "two histories are signed"
    most = max(root, world.signed, key=len)
    after = world._replace(file=root, signed=most, wrong=wrong)
    says = f"the signer signs {len(root)} entries"
    yield Move(STEP, says, _put(after, place, process._replace(phase=SIGNED)))


def _answers(world: World, place: int, process: Process) -> Moves:
    """The note is durable, the head is published; then the answer, which may be lost."""
    if process.role == FORMER:
        yield Move(STEP, "a former holder steps down", _put(world, place, _rests(process)))
        return
    item = process.item.rstrip("+")
    idle = process._replace(phase=IDLE, item="", base=())
    after = _put(world._replace(note=max(world.note, len(process.base))), place, idle)
    says = f"{len(process.base)} entries are published"
    owned = item in world.sender.made or item in world.recipient.made
    if owned:
        yield Move(STEP, f"{says}, {item} is answered", answered(after, item, item))
        yield Move(FAULT, f"{says}, the answer is lost", after)
    else:
        yield Move(STEP, says, after)
