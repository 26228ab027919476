"""The parties of the model: what is durable at each, what a crash takes away, and the lines.

Sessions are TCP: in order, and what is lost is lost from the end. So a line is a short queue of its
process, which loses its newest items; nodes send what has no answer again, to any process, so that
an item may lie in two lines and be taken from either: repeated, and reordered.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from model.life import Log

FOLLOWS, LEADS, FORMER = "follows", "leads", "former"
"""What a process is: serving and forwarding; sequencing under the newest epoch of the lease;
sequencing as it believes, while another one has the lease. One that is down is one that has just
started and is not heard yet: there is no state for it."""
IDLE, JUDGED, COMMITTED, SIGNED = "idle", "judged", "committed", "signed"
"""How far it is with one item: design 4.2's order of effects."""


class Process(NamedTuple):
    """One broker process; a crash leaves nothing of it."""

    role: str = FOLLOWS
    phase: str = IDLE
    item: str = ""
    base: Log = ()
    """The log as it judged it, and with its own item once that is committed."""
    line: tuple[str, ...] = ()


class Node(NamedTuple):
    """A node: all of it is durable, each change is one transaction.

    Args:
        made: what it has signed, in order.
        done: what it was told is logged and has not seen in the log yet; with `!` what was refused.
        view: entries that it has verified and stored.
        old: the same of the log before, if that was lost; None if there was none.
        shown: how often its officer was told of the bulletin.
    """

    made: Log = ()
    done: tuple[str, ...] = ()
    view: Log = ()
    old: Log | None = None
    shown: int = 0
    opened: bool = False
    """Only without `store_before_showing`: shown, and not stored yet."""


class World(NamedTuple):
    """A state.

    Args:
        log: what is committed in the store; note: how much of it has a durable signed note.
        file: what the signer's own file names as signed last.
        signed: the longest that was ever signed (of this origin): nobody in the model reads it.
        origin: 2 after a succession; lost: the store has lost what was signed in the first log.
        named: what leaf 0 of the successor says that the first log held.
        wrong: what a step did that no step may do.
    """

    sender: Node
    recipient: Node
    processes: tuple[Process, ...]
    log: Log = ()
    note: int = 0
    file: Log = ()
    signed: Log = ()
    clock: int = 0
    origin: int = 1
    lost: bool = False
    named: Log = ()
    wrong: str = ""


class Sizes(NamedTuple):
    """How large a world is searched, what may happen in it, and which defences are out."""

    name: str
    processes: int = 1
    line: int = 1
    attempts: int = 1
    recall: bool = False
    answers: bool = False
    """Whether the recipient rejects and reads, too."""
    asked: bool = False
    """Whether the header has an `answer_by`."""
    taken_back: bool = False
    """Whether the recipient answers a recall, and erases."""
    holds: bool = False
    """Whether the recipient's agency lays a hold on the broker's copy once there is an outcome."""
    early_holds: bool = False
    """Whether it may do so from the beginning."""
    timeless: bool = False
    """Whether the clock stands: nothing expires, nothing is due."""
    losses: bool = False
    """Whether the store may come back without its newest entries."""
    without: frozenset[str] = frozenset()


STEP, TIME, CHOICE, FAULT = "step", "time", "choice", "fault"
"""Who makes a move: a program that works, the clock, a person, or bad luck."""


class Move(NamedTuple):
    """One atomic change, and what it is called in a trace."""

    kind: str
    says: str
    world: World


FIRST: Final = "consign1"


def begin(sizes: Sizes) -> World:
    """The sender's node has kept a bulletin, and its officer was told so."""
    return World(Node(made=(FIRST,)), Node(), (Process(),) * sizes.processes)


def ordered(world: World) -> World:
    """Processes have no names: worlds that differ by their order are one."""
    if len(world.processes) == 1:
        return world
    return world._replace(processes=tuple(sorted(world.processes)))
