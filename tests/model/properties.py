"""What must hold in every state, and what must stay possible from every state."""

from __future__ import annotations

from model.life import DUE, Log, outcomes, stand
from model.nodes import over, refused
from model.world import Node, World


def broken(world: World) -> str:
    """What is wrong with a state; empty if nothing is."""
    if world.wrong:
        return world.wrong
    if len(outcomes(world.log)) > 1:
        return f"two outcomes: {' and '.join(outcomes(world.log))}"
    if stand(world.log).fault:
        return f"the log breaks the table: {stand(world.log).fault}"
    if world.recipient.shown > 1:
        return "shown twice"
    if "destroyed" in world.log:
        before = world.log[: world.log.index("destroyed")]
        if before.count("held") > before.count("released") or world.clock < DUE:
            return "destroyed while it is held, or too early"
    if not _ends_agree(world):
        return f"the sender proves {ended(world.sender)}, the recipient {ended(world.recipient)}"
    for side, node in (("sender", world.sender), ("recipient", world.recipient)):
        fault = _node(world, node)
        if fault:
            return f"the {side}: {fault}"
    return ""


def _ends_agree(world: World) -> bool:
    """Both ends prove one outcome. One gap is known (docs/model.md): what only the recipient had
    seen in the lost log may be followed, in the successor, by the end of a delivery that seemed
    not to be handed over; who holds both logs sees which came first."""
    sent, got = ended(world.sender), ended(world.recipient)
    if not sent or not got or sent == got:
        return True
    proven_before = stand(_of_the_lost_log(world, world.recipient)).over
    return (
        proven_before
        and not stand(_of_the_lost_log(world, world.sender)).over
        and sent in ("recalled", "expired")
    )


def _of_the_lost_log(world: World, node: Node) -> Log:
    if world.origin == 1:
        return ()
    return node.view if node.old is None else node.old


def _node(world: World, node: Node) -> str:
    if (node.old is None) != (world.origin == 1):
        return ""  # it still speaks of the log before
    if node.view != world.signed[: len(node.view)]:
        return "it has stored what no signed head covers"
    if world.lost and world.origin == 1:
        return ""  # known to be lost: nothing is signed any more until somebody acts
    if node.view != world.log[: len(node.view)]:
        return "it was shown a history that the log has not"
    logged = {entry.rstrip("+") for entry in world.log}
    for item in node.done:
        if item[0] not in "!?" and item not in logged:
            return f"{item} was acknowledged, and is lost"
        if item[0] == "!" and item[1:] in logged:
            return f"{item[1:]} is logged, and its sender was told that it is refused"
    return ""


def told(world: World) -> bool:
    """The sender's officer has an answer: a proven outcome, or that the broker refuses it."""
    return over(world.sender) or refused(world.sender)


def both_told(world: World) -> bool:
    """And whoever has been handed the bulletin knows how it ended, too."""
    return told(world) and (not world.recipient.view or over(world.recipient))


def gone(world: World) -> bool:
    """The broker has destroyed its copy, or never had one."""
    return "destroyed" in world.log or refused(world.sender)


def ended(node: Node) -> str:
    """How the delivery ended, as this node can prove it: the log before precedes."""
    found = outcomes(node.old or ()) or outcomes(node.view)
    return found[0] if found else ""
