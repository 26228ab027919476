"""Somebody who holds one of an agency's three roots makes himself its only root.

The agency needs two of three. He has one old root and as many new ones as he likes.
"""

from __future__ import annotations

import pytest
from saphan_protocol.keys import SigningKey
from saphan_schemas.directory_records import Change
from saphan_schemas.records import Role
from support.agency import Agency, seed
from support.bridge import LA
from support.brokers import World
from support.ceremony import Ceremony, add, revoke

HIS = SigningKey(Role.ROOT, seed("the thief's root", 64))
SECOND = SigningKey(Role.ROOT, seed("la.ospp second root", 64))
THIRD = SigningKey(Role.ROOT, seed("la.ospp third root", 64))


async def two_of_three(world: World) -> Ceremony:
    """la.ospp's chain after its root became two of three."""
    agency = world.agencies[LA]
    chain = Ceremony(agency)
    chain.enrol()
    roots = [agency.root, SECOND, THIRD]
    changes = [add(Role.ROOT, key.public) for key in (SECOND, THIRD)]
    grown = chain.operate(changes, new=[SECOND, THIRD], roots=roots, threshold=2)
    line = await world.line(LA)
    assert (await line.register(grown)).code is None
    await line.close()
    return chain


def replaced(agency: Agency) -> list[Change]:
    """All old roots go, the thief's comes."""
    old = [revoke(Role.ROOT, key.key_id) for key in (agency.root, SECOND, THIRD)]
    return [add(Role.ROOT, HIS.public), *old]


@pytest.mark.parametrize(
    ("signers", "threshold"),
    (
        ("his own root alone", 1),
        ("one old root and his own", 1),
        ("one old root twice and his own", 1),
        ("two old roots without his own", 1),
    ),
)
async def test_one_holder_of_three_replaces_the_root(
    world: World, signers: str, threshold: int
) -> None:
    """The broker refuses it: what it lacks is the old threshold, or the new one's agreement."""
    chain = await two_of_three(world)
    agency = world.agencies[LA]
    roots = {
        "his own root alone": [HIS],
        "one old root and his own": [agency.root, HIS],
        "one old root twice and his own": [agency.root, agency.root, HIS],
        "two old roots without his own": [agency.root, SECOND],
    }[signers]
    forged = chain.operate(replaced(agency), new=[HIS], roots=roots, threshold=threshold)
    line = await world.line(LA)
    assert (await line.register(forged)).code == "operation_threshold"
    kept = world.broker.state.directory.keys(LA, Role.ROOT)
    assert {key.key_id for key in kept} == {agency.root.key_id, SECOND.key_id, THIRD.key_id}


async def test_one_holder_of_three_lowers_the_threshold(world: World) -> None:
    """In an operation about something else; from then on one of three would be enough."""
    chain = await two_of_three(world)
    agency = world.agencies[LA]
    gone = [revoke(Role.OFFICER, agency.officer.key_id)]
    lowered = chain.operate(gone, roots=[agency.root], threshold=1)
    line = await world.line(LA)
    assert (await line.register(lowered)).code == "operation_threshold"
    assert world.broker.state.directory.version(LA)[2] == 2


async def test_two_old_holders_and_the_new_one_may(world: World) -> None:
    """The same change, by those who may make it."""
    chain = await two_of_three(world)
    agency = world.agencies[LA]
    made = chain.operate(replaced(agency), new=[HIS], roots=[agency.root, THIRD, HIS])
    line = await world.line(LA)
    assert (await line.register(made)).code is None
    (root,) = world.broker.state.directory.keys(LA, Role.ROOT)
    assert root.key_id == HIS.key_id
