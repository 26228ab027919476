"""Somebody says what a type of another agency means: under its name, or under one that exists.

He holds a root of his own and a session, or the broker and the keys of its logs; or, for the last,
a threshold of the agency's own roots: even they do not change what was said in a type before.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from saphan.node.api.schemas import register_schema
from saphan_protocol.directory import schema_leaf, types_leaf
from saphan_protocol.keys import SigningKey
from saphan_protocol.registrations import sign_registration
from saphan_schemas.bodies import digest_of
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import SchemaPackage, SchemaRegistration, TypeName, Types
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Role
from support.agency import seed
from support.bridge import KH, LA, Bridge, agreed, eventually, opened
from support.brokers import World
from support.corrupt import takes_any_schema
from support.own_bridge import packaged
from support.own_types import BODY, bundle, package, registration
from support.roster import alarmed

NAME = "kh.gpo/field_report/1"
HIS_ROOT = SigningKey(Role.ROOT, seed("a root of his own", 64))


async def test_one_agency_registers_in_the_namespace_of_another(world: World) -> None:
    """By its own roots, once in its own name and once in the other's."""
    la = world.agencies[LA]
    line = await world.line(LA)
    named = await line.register(schema=package(la, NAME, bundle(NAME)))
    assert named.code == "schema_namespace"
    signed = registration(la, NAME, bundle(NAME), whose=KH)
    forged = await line.register(schema=encode(SchemaPackage(signed, bundle(NAME))))
    assert forged.code == "schema_roots"
    assert world.broker.state.directory.own_schemas.find(NAME) is None


async def test_a_registered_type_gets_another_meaning(world: World) -> None:
    """The rightful roots sign: a bulletin of last year must not read otherwise today."""
    kh, laxer = world.agencies[KH], bundle(NAME, BODY | {"required": ["patrols"]})
    line = await world.line(KH)
    assert (await line.register(schema=package(kh, NAME, bundle(NAME)))).code is None
    again = await line.register(schema=package(kh, NAME, laxer))
    assert again.code == "schema_registered"


async def test_a_stolen_root_speaks_in_the_agencys_name(bridge: Bridge) -> None:
    """He registers over another node; the agency's own node sounds the alarm until its people say
    that it is theirs."""
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await opened(la)
        await opened(kh)
        package = await asyncio.to_thread(packaged, bridge, bundle(NAME), NAME, KH)
        assert (await la.line.register(schema=package)).code is None
        await eventually(lambda: alarmed(kh, "schema_foreign"))
        assert not alarmed(la, "schema_foreign")
        await register_schema(kh, package)  # it was a root holder of theirs after all
        assert not alarmed(kh, "schema_foreign")


def by_a_root_of_his_own(bridge: Bridge) -> bytes:
    record = SchemaRegistration(KH, NAME, digest_of(bundle(NAME)), bridge.clock())
    return schema_leaf(sign_registration(record, [HIS_ROOT], [os.urandom(32)]))


def unsigned(bridge: Bridge) -> bytes:
    """As the program enters Saphan's own."""
    return types_leaf(Types((TypeName(NAME, digest_of(bundle(NAME))),)))


@pytest.mark.parametrize(
    ("make", "code"), [(by_a_root_of_his_own, "schema_roots"), (unsigned, "schema_namespace")]
)
async def test_the_broker_logs_a_type_for_an_agency(
    bridge: Bridge, make: Callable[[Bridge], bytes], code: str
) -> None:
    """Every node stops believing this log at that leaf, and knows no such type."""
    async with bridge.broker_running() as broker, bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await opened(la)
        await opened(kh)
        takes_any_schema(broker)
        # Past the sequencer, which may begin anew meanwhile: the leaf is logged all the same.
        with suppress(OperatorError):
            await broker.committer.commit_directory(make(bridge), bundle(NAME))
        for node in (la, kh):
            await eventually(partial(alarmed, node, code))
            assert NAME not in node.own.types
