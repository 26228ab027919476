"""Somebody enrols a root of his own under an agency's name: after the agency did, or before."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan_schemas.errors import Refused
from saphan_schemas.records import Role
from support.agency import Agency, agreement
from support.bridge import KH, LA
from support.brokers import World
from support.ceremony import Ceremony, add


def impostor(name: str, now: int) -> Agency:
    """An agency of the same name with keys of its own."""
    made, other = Agency(name, now), Agency("th.stranger", now)
    made.root, made.node, made.officer = other.root, other.node, other.officer
    made.mailbox, made.witness = other.mailbox, other.witness
    return made


async def test_a_second_root_comes_after_the_first(world: World) -> None:
    """The operator is talked into admitting a name that is enrolled; his broker does not do it."""
    thief = impostor(KH, world.clock())
    with pytest.raises(Refused) as refused:
        await world.broker.admit_operation(thief.enrolment())
    assert refused.value.code == "agency_exists"
    (root,) = world.broker.state.directory.keys(KH, Role.ROOT)
    assert root.key_id == world.agencies[KH].root.key_id


async def test_a_second_root_comes_as_the_agencys_next_operation(world: World) -> None:
    """It follows the agency's own first operation rightly, and only his root has signed it."""
    thief, genuine = Ceremony(impostor(KH, world.clock())), Ceremony(world.agencies[KH])
    genuine.enrol()
    thief.version, thief.last = genuine.version, genuine.last
    root = thief.agency.root
    claimed = thief.operate([add(Role.ROOT, root.public)], new=[root])
    line = await world.line(KH)
    assert (await line.register(claimed)).code == "operation_threshold"


async def test_a_false_root_was_faster(tmp_path: Path) -> None:
    """The operator admitted an impostor first. The genuine agency cannot enter, so it is noticed;
    and the agreement pins the genuine root: nobody may send a word to the impostor."""
    world = World(tmp_path, LA, KH)
    await world.init()
    async with world.running():
        thief = impostor(KH, world.clock())
        await world.broker.admit_operation(world.agencies[LA].enrolment())
        await world.broker.admit_operation(thief.enrolment())
        with pytest.raises(Refused) as refused:
            await world.broker.admit_operation(world.agencies[KH].enrolment())
        assert refused.value.code == "agency_exists"
        line = await world.line(LA)
        package = agreement(list(world.agencies.values()), *world.pins.lasting, world.clock())
        assert (await line.register(agreement=package)).code == "agreement_roots"
        sender = world.agencies[LA]
        made = sender.bulletin([KH], world.clock())
        items, batch = sender.submissions([made], [thief])
        (result,) = await line.submit(items, batch)
        assert result.code == "agreement_missing"
