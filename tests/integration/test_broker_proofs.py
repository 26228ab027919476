"""Paths that a node asks for: true under every head it was shown, from every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_protocol.merkle import leaf_hash, verify_consistency, verify_inclusion
from saphan_protocol.shared_paths import read_path
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import Proofs
from saphan_schemas.records import HeadRef
from support.brokers import World
from support.crews import Crew
from support.session import Line

A, B = "la.ospp", "kh.gpo"
FIRST, SECOND = 5, 40


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        yield crew


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def submit(world: World, line: Line, count: int) -> list[int]:
    """Bulletins from A to B, in one frame; their places."""
    sender = world.agencies[A]
    made = [sender.bulletin([B], world.clock()) for _ in range(count)]
    items, batch = sender.submissions(made, [world.agencies[B]])
    results = await line.submit(items, batch)
    indices = [index for result in results for index in result.indices]
    for index in indices:
        await line.entry(index)
    return indices


def evidence(world: World, line: Line) -> HeadRef:
    """The head of the evidence log that the line was shown last."""
    return line.heads[world.pins.evidence.origin].ref


async def two_heads(world: World, line: Line) -> tuple[HeadRef, HeadRef, list[int]]:
    first = await submit(world, line, FIRST)
    early = evidence(world, line)
    second = await submit(world, line, SECOND)
    return early, evidence(world, line), first + second


def check(
    found: Proofs, leaves: dict[int, bytes], head: HeadRef, indices: list[int], *old: HeadRef
) -> None:
    """Every path of the answer leads to the head."""
    assert found.code is None
    for index, places in zip(indices, found.inclusion, strict=True):
        path = read_path(found.hashes, places)
        verify_inclusion(index, head.size, leaves[index], path, head.root)
    for ref, places in zip(old, found.consistency, strict=True):
        path = read_path(found.hashes, places)
        verify_consistency(ref.size, head.size, ref.root, head.root, path)


async def leaf_hashes(world: World) -> dict[int, bytes]:
    size = world.broker.state.evidence.tree.size
    leaves = await world.broker.store.leaves("evidence", 0, size)
    return {index: leaf_hash(leaf) for index, leaf in enumerate(leaves)}


async def test_paths_lead_to_the_head_that_was_named_whoever_of_the_processes_is_asked(
    crew: Crew,
) -> None:
    holder, follower = crew.members
    here, there = await crew.line_at(holder, A), await crew.line_at(follower, A)
    early, late, indices = await two_heads(crew, here)
    leaves = await leaf_hashes(crew)
    asked = [*indices[: LIMITS.proof_items - 1], indices[-1]]
    for line in (here, there):
        found = await line.prove(late, asked, [early.size, late.size])
        check(found, leaves, late, asked, early, late)
        # Also under the earlier of two heads: a witness signs the head that it was shown.
        below = [index for index in indices if index < early.size]
        check(await line.prove(early, below), leaves, early, below)
        assert len(found.hashes) < sum(map(len, found.inclusion)) / 2


async def test_nothing_is_proven_under_a_head_that_never_was(world: World) -> None:
    line = await world.line(A)
    early, late, _ = await two_heads(world, line)
    other = HeadRef(late.origin, late.size, bytes(32))
    beyond = HeadRef(late.origin, late.size + 1, late.root)
    foreign = HeadRef("elsewhere.example/evidence/1", late.size, late.root)
    for head in (other, beyond, foreign):
        found = await line.prove(head, [0], [1])
        assert (found.code, found.hashes, found.inclusion) == ("head_unknown", (), ())
    for indices, sizes in (([early.size], []), ([], [early.size + 1])):
        assert (await line.prove(early, indices, sizes)).code == "proof_unknown"
    check(await line.prove(late, [0]), await leaf_hashes(world), late, [0])


async def test_the_directorys_paths_are_proven_too(world: World) -> None:
    line = await world.line(A)
    await line.until(lambda: world.pins.directory.origin in line.heads)
    head = line.heads[world.pins.directory.origin].ref
    found = await line.prove(head, [0], [1])
    path = read_path(found.hashes, found.inclusion[0])
    verify_inclusion(0, head.size, leaf_hash(line.leaves[0]), path, head.root)


async def test_a_question_for_too_many_paths_ends_the_session(world: World) -> None:
    line = await world.line(A)
    head = HeadRef(world.pins.evidence.origin, 1, bytes(32))
    with pytest.raises(asyncio.CancelledError):
        await line.prove(head, [0] * (LIMITS.proof_items + 1))
    assert (await line.closed()).code == "malformed"
