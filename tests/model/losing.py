"""The store comes back without what was signed, and the operator opens a successor (succession)."""

from __future__ import annotations

from collections.abc import Iterator

from model.world import FAULT, STEP, Move, Process, Sizes, World


def losing_moves(world: World, sizes: Sizes) -> Iterator[Move]:
    """A promoted replica or an old copy, once; then the successor, as soon as it is needed."""
    if not sizes.losses or world.origin > 1:
        return
    started = (Process(),) * len(world.processes)
    behind = world.log[: len(world.file)] != world.file
    if behind:
        yield Move(STEP, "the operator opens a successor", _succeeds(world, sizes))
        return
    for left in range(len(world.log)):
        log = world.log[:left]
        lost = log[: len(world.file)] != world.file
        yield Move(
            FAULT,
            f"the store comes back with {left} of {len(world.log)} entries",
            world._replace(log=log, note=min(world.note, left), lost=lost, processes=started),
        )


def _succeeds(world: World, sizes: Sizes) -> World:
    """Its leaf 0 names the largest head of all that report one: signer's file, store, nodes."""
    known = (world.file, world.log[: world.note], world.sender.view, world.recipient.view)
    named = max(known, key=len)
    if "largest_head" in sizes.without:
        named = world.log[: world.note]
    return world._replace(
        processes=(Process(),) * len(world.processes),
        log=(),
        note=0,
        file=(),
        signed=(),
        origin=2,
        named=named,
    )
