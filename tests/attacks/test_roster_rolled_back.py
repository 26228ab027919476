"""An agency's roster is set back to what it was before a key was revoked.

By somebody who brings an old operation again, and by the broker who goes back to an old copy.
"""

from __future__ import annotations

import asyncio
import shutil

import pytest
from saphan.keyring import revoke_key
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import Refused
from saphan_schemas.records import Role
from support.agency import seed
from support.bridge import KH, LA, SECRET, Bridge, agreed, eventually
from support.brokers import World
from support.ceremony import Ceremony, add, revoke
from support.corrupt import forgets_what_nodes_know


async def test_an_old_operation_is_brought_again(world: World) -> None:
    """It added the key that was revoked since; its signatures are all genuine."""
    stolen = SigningKey(Role.NODE, seed("a stolen node", 64))
    chain = Ceremony(world.agencies[LA])
    first = chain.enrol()
    added = chain.operate([add(Role.NODE, stolen.public)], new=[stolen])
    revoked = chain.operate([revoke(Role.NODE, stolen.key_id)])
    line = await world.line(LA)
    assert (await line.register(added)).code is None
    assert (await line.register(revoked)).code is None
    assert (await line.register(added)).code == "operation_chain"
    with pytest.raises(Refused) as refused:
        await world.broker.admit_operation(first)
    assert refused.value.code == "agency_exists"
    with pytest.raises(Refused) as still:
        world.broker.state.directory.key(stolen.key_id, Role.NODE)
    assert still.value.code == "key_revoked"


async def test_a_revoked_key_is_enrolled_once_more(world: World) -> None:
    """By a fresh operation that the roots were talked into: a key has one life."""
    stolen = SigningKey(Role.NODE, seed("a stolen node", 64))
    chain = Ceremony(world.agencies[LA])
    chain.enrol()
    line = await world.line(LA)
    for operation in (
        chain.operate([add(Role.NODE, stolen.public)], new=[stolen]),
        chain.operate([revoke(Role.NODE, stolen.key_id)]),
    ):
        assert (await line.register(operation)).code is None
    again = chain.operate([add(Role.NODE, stolen.public)], new=[stolen])
    assert (await line.register(again)).code == "key_duplicate"


@pytest.mark.parametrize("broker", ("honest", "corrupt"))
async def test_the_broker_goes_back_to_a_copy(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    """Store, keys and signers' files, all from before the revocation. The honest program refuses
    to go on; when the corrupt one signs on, the node stops and keeps what it knows."""
    await asyncio.to_thread(copy, bridge)
    office = bridge.offices[KH]
    (officer,) = [key for key in office.replay().all_keys(KH) if key.role is Role.OFFICER]
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        made = await asyncio.to_thread(
            lambda: revoke_key(office, officer.key_id, SECRET, now=bridge.clock())
        )
        await bridge.broker.admit_operation(made.operation.read_bytes())
        await eventually(lambda: la.logs.directory.keys(KH, Role.OFFICER) == [])
    await asyncio.to_thread(put_back, bridge)
    if broker == "corrupt":
        forgets_what_nodes_know(monkeypatch)
    async with bridge.broker_running(), bridge.node(LA) as la:
        code = "store_behind_node" if broker == "honest" else "log_rolled_back"
        await eventually(lambda: code in {alarm.code for alarm in la.alarms.standing()})
        assert la.logs.directory.keys(KH, Role.OFFICER) == []


def copy(bridge: Bridge) -> None:
    for name in ("data", "keys"):
        shutil.copytree(bridge.place / name, bridge.place / "old" / name)


def put_back(bridge: Bridge) -> None:
    for name in ("data", "keys"):
        shutil.rmtree(bridge.place / name)
        shutil.move(bridge.place / "old" / name, bridge.place / name)
