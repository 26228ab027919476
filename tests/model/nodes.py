"""What the two nodes do: send again what has no answer, believe what is under a signed head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_protocol.delivery import HELD, State

from model.life import Log, has, stand, word
from model.world import (
    CHOICE,
    FAULT,
    STEP,
    Move,
    Node,
    Process,
    Sizes,
    World,
)

SIDES: Final = ("sender", "recipient")


def node_moves(world: World, sizes: Sizes) -> Iterator[Move]:
    """Everything that the nodes, their officers and their lines may do next."""
    for side in SIDES:
        node: Node = getattr(world, side)
        if (node.old is None) is not (world.origin == 1):
            yield from _adopts(world, side, node)
            continue
        yield from _sends(world, sizes, side, node)
        yield from _stores(world, sizes, side, node)
    yield from _senders_officer(world, sizes)
    yield from _recipients_people(world, sizes)


def over(node: Node) -> bool:
    """Whether this node holds a proof of the outcome."""
    return stand(node.old or ()).over or stand(node.view).over


def refused(node: Node) -> bool:
    """Whether the broker has refused the bulletin itself: its sender is told."""
    return any(item.startswith("!consign") for item in node.done)


# --- to the broker --------------------------------------------------------------------------------


def _sends(world: World, sizes: Sizes, side: str, node: Node) -> Iterator[Move]:
    for item in node.made:
        if not _waits(node, item, sizes.without):
            continue
        for place, process in enumerate(world.processes):
            if len(process.line) >= sizes.line or item in process.line:
                continue
            after = _with_process(world, place, process._replace(line=(*process.line, item)))
            if "resend" in sizes.without and word(item) != "consign":
                after = _with_node(after, side, node._replace(done=_add(node.done, f"?{item}")))
            yield Move(STEP, f"the {side} sends {item}", after)


def _waits(node: Node, item: str, without: frozenset[str]) -> bool:
    """Kept, not known to be logged, and its turn: a statement follows what it is about."""
    if has(node.view, item) or any(item == told.lstrip("!?") for told in node.done):
        return False
    at, said = stand(node.view), word(item)
    if said == "consign":
        # After a succession the latest one, unless the outcome is proven under the old origin.
        latest = [one for one in node.made if word(one) == "consign"][-1]
        return item == latest and not stand(node.old or ()).over
    if said == "handover":
        # One that came too late under the old origin is not said again: that outcome precedes.
        late = stand(node.old or ()).state in (State.RECALLED, State.EXPIRED)
        if late and "precedence" not in without:
            return False
        return at.state is State.SUBMITTED and has(node.view, item.replace("handover", "consign"))
    if said == "unopened":
        # Of its own consignment only: after a succession a later one may have come instead.
        handover = item.replace("unopened", "handover")
        return at.state in HELD and has(node.view, handover)
    if said in ("accepted", "rejected"):
        return at.state in HELD
    if said == "read":
        return at.state is State.ACCEPTED
    if said == "recalled":
        if any(word(entry) == "handover" for entry in node.old or ()):
            # A request does not become an outcome by coming first.
            return any(word(entry) == "handover" for entry in node.view)
        return at.state is not None or any(told.startswith("consign") for told in node.done)
    if said in ("obeyed", "declined"):
        return at.after.recalled
    return at.state is not None


def _adopts(world: World, side: str, node: Node) -> Iterator[Move]:
    """A successor that names less than this node has verified is refused: it stands still."""
    if world.named[: len(node.view)] == node.view:
        new = node._replace(old=node.view, view=(), done=())
        yield Move(STEP, f"the {side} adopts the successor", _with_node(world, side, new))


# --- from the broker ------------------------------------------------------------------------------


def _stores(world: World, sizes: Sizes, side: str, node: Node) -> Iterator[Move]:
    """The next entry of the feed, under a signed head: one transaction with what it leads to."""
    shown = len(world.log) if "signed_feed" in sizes.without else world.note
    seen = len(node.view)
    if seen >= shown or world.log[:seen] != node.view:
        return
    entry = world.log[seen]
    view = (*node.view, entry)
    done = tuple(told for told in node.done if told != entry.rstrip("+"))
    after = node._replace(view=view, done=done)
    says = f"the {side} verifies and stores entry {seen}, {entry}"
    if side == "sender":
        yield Move(STEP, says, world._replace(sender=_consigns_anew(after, entry, sizes)))
        return
    yield from _received(world, sizes, after, entry, says)


def _consigns_anew(node: Node, entry: str, sizes: Sizes) -> Node:
    if word(entry) != "unopened" or stand(node.view).state is not State.UNOPENED:
        return node
    number = int(entry.removeprefix("unopened"))
    anew = f"consign{number + 1}"
    if number >= sizes.attempts or anew in node.made:
        return node
    return node._replace(made=(*node.made, anew))


def _received(world: World, sizes: Sizes, node: Node, entry: str, says: str) -> Iterator[Move]:
    said = word(entry)
    if said == "consign":
        after = _hands_over(node, entry)
        yield Move(STEP, says, world._replace(recipient=after))
        if "release" in sizes.without:
            yield from _opens(world, sizes, after, entry.removeprefix("consign"), says)
        return
    if said == "handover":
        yield from _opens(world, sizes, node, entry.rstrip("+").removeprefix("handover"), says)
        return
    yield Move(STEP, says, world._replace(recipient=node))


def _hands_over(node: Node, entry: str) -> Node:
    """What is over under the old origin is over; what was said before is said again as it was."""
    handover = entry.replace("consign", "handover")
    if stand(node.old or ()).over or handover in node.made:
        return node
    if stand(node.view).state is not State.SUBMITTED:
        return node
    return node._replace(made=(*node.made, handover))


def _opens(world: World, sizes: Sizes, node: Node, number: str, says: str) -> Iterator[Move]:
    """The stanza has come: the node's verdict, once."""
    logged = f"handover{number}" in (entry.rstrip("+") for entry in world.log[: world.note])
    wrong = world.wrong if logged else "a stanza was given without a logged handover"
    world = world._replace(wrong=wrong)
    verdicts = (f"unopened{number}", "accepted", "rejected")
    if any(verdict in node.made for verdict in verdicts) and "remember" not in sizes.without:
        yield Move(STEP, says, world._replace(recipient=node))
        return
    opened = node._replace(made=_add(node.made, "accepted"), shown=node.shown + 1, opened=False)
    if "store_before_showing" in sizes.without:
        before: Node = world.recipient
        if not before.opened:
            told = before._replace(shown=before.shown + 1, opened=True)
            yield Move(STEP, f"{says}: shows it", world._replace(recipient=told))
            return
        opened = opened._replace(shown=before.shown)
    yield Move(STEP, f"{says}: opens and shows it", world._replace(recipient=opened))
    if sizes.answers:
        worse = node._replace(made=_add(node.made, "rejected"))
        yield Move(CHOICE, f"{says}: rejects it", world._replace(recipient=worse))
    if int(number) < sizes.attempts:
        worse = node._replace(made=_add(node.made, f"unopened{number}"))
        yield Move(CHOICE, f"{says}: cannot open it", world._replace(recipient=worse))


# --- people ---------------------------------------------------------------------------------------


def _senders_officer(world: World, sizes: Sizes) -> Iterator[Move]:
    node = world.sender
    if sizes.recall and "recalled" not in node.made and not refused(node):
        after = node._replace(made=(*node.made, "recalled"))
        yield Move(CHOICE, "the sender's officer recalls it", world._replace(sender=after))


def _recipients_people(world: World, sizes: Sizes) -> Iterator[Move]:
    node, at = world.recipient, stand(world.recipient.view)
    if node.opened:
        lost = world._replace(recipient=node._replace(opened=False))
        yield Move(FAULT, "the recipient crashes before it has stored that", lost)
    wishes: list[str] = []
    if sizes.answers and "accepted" in node.made:
        wishes.append("read")
    if sizes.taken_back and at.after.recalled and "handover1" in node.made:
        if "obeyed" not in node.made and "declined" not in node.made:
            wishes.append("declined")
        wishes += ["obeyed"]
        if "obeyed" in node.made:
            wishes.append("erased")
    if sizes.holds and (at.over or (sizes.early_holds and at.state is not None)):
        wishes.append("held")
        if "held" in node.view:
            wishes.append("released")
    for wish in wishes:
        if wish not in node.made:
            after = node._replace(made=(*node.made, wish))
            yield Move(CHOICE, f"at the recipient: {wish}", world._replace(recipient=after))


# --- changes --------------------------------------------------------------------------------------


def answered(world: World, item: str, told: str) -> World:
    """The item's own node hears of it; what it has seen in the log it knows already."""
    side = "sender" if item in world.sender.made else "recipient"
    node: Node = getattr(world, side)
    if has(node.view, item):
        return world
    return _with_node(world, side, node._replace(done=_add(node.done, told)))


def _with_node(world: World, side: str, node: Node) -> World:
    return world._replace(sender=node) if side == "sender" else world._replace(recipient=node)


def _with_process(world: World, place: int, process: Process) -> World:
    processes = world.processes
    return world._replace(processes=(*processes[:place], process, *processes[place + 1 :]))


def _add(items: Log, item: str) -> Log:
    return items if item in items else (*items, item)
