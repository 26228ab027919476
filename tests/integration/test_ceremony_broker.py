"""An agency of three root holders at a real broker: what counts is what enough have signed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from saphan.ceremony.concluding import conclude
from saphan.ceremony.draft import OperationDraft
from saphan.ceremony.root_change import change_roots
from saphan.keyring import revoke_key
from saphan.node.service import NodeService
from saphan.office import Office
from saphan.operations import settle
from saphan.own_types.registration_draft import (
    RegistrationDraft,
    draft_registration,
    finish_registration,
    format_registration_draft,
    parse_registration_draft,
)
from saphan_protocol.pins import format_pins
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import (
    SchemaPackage,
    SignedOperation,
    SignedRegistration,
)
from saphan_schemas.errors import Refused
from saphan_schemas.own_types import bundle_source
from saphan_schemas.records import Role
from support.bridge import KH, LA, VN, Bridge, bridged, eventually, opened
from support.root_holders import Holders, waiting
from support.sources import source


@dataclass
class Place:
    """vn.vks with three holders, admitted; its node runs."""

    bridge: Bridge
    holders: Holders
    office: Office
    node: NodeService

    async def register(self, signed: bytes) -> str | None:
        """The code with which the broker refuses an operation; None when it is logged."""
        return (await self.node.line.register(signed)).code

    def roots(self) -> set[bytes]:
        """Active roots as the node has them from the log."""
        return {key.key_id for key in self.node.logs.directory.keys(VN, Role.ROOT)}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with bridged(tmp_path, LA, KH) as bridge, bridge.broker_running() as broker:
        holders = Holders("ann", "bee", "cam", now=bridge.clock())
        office = await asyncio.to_thread(holders.enrolled, bridge.place / VN, 2, VN)
        office.pins_file.write_bytes(format_pins(bridge.pins))
        await broker.admit_operation(office.enrolment.read_bytes())
        async with bridge.node(VN) as node:
            await opened(node)
            yield Place(bridge, holders, office, node)


def forced(draft: OperationDraft) -> bytes:
    """What somebody hands in who does not wait for the others: all signatures there are."""
    added = draft.added_roots.keys()
    proofs = tuple(each for each in draft.signatures if each.item.key in added)
    keys = (*proofs, *draft.keys)
    return encode(SignedOperation(draft.body, draft.signatures, keys, draft.witnesses))


async def test_two_of_three_revoke_an_officer_and_one_alone_cannot(place: Place) -> None:
    (officer,) = place.office.replay().keys(VN, Role.OFFICER)
    now = place.bridge.clock()
    await asyncio.to_thread(lambda: revoke_key(place.office, officer.key_id, None, now=now))
    alone = place.holders.sign(waiting(place.office), "bee")
    assert await place.register(forced(alone)) == "operation_threshold"
    path = conclude(place.office, place.holders.sign(alone, "cam"))
    assert await place.register(path.read_bytes()) is None
    await eventually(lambda: place.node.logs.directory.keys(VN, Role.OFFICER) == [])


async def test_a_root_change_counts_from_its_place_in_the_log(place: Place) -> None:
    """Cam's root is lost; Dow's replaces it. Before, Dow counts for nothing; after, Cam does."""
    more = Holders("dow")
    lost = place.holders.half("cam").key_id
    now = place.bridge.clock()
    draft = await asyncio.to_thread(
        change_roots, place.office, [more.half("dow")], ["cam"], None, now
    )
    without_old = more.sign(place.holders.sign(draft, "ann"), "dow")
    assert await place.register(forced(without_old)) == "operation_threshold"
    made = settle(place.office, place.holders.sign(without_old, "bee"))
    assert await place.register(made.operation.read_bytes()) is None
    await eventually(lambda: lost not in place.roots())
    assert place.roots() == set(place.office.read_agency().root_ids)
    again = change_roots(place.office, [], ["ann"], 1, now)
    assert not again.present.keys() & {lost}
    settled = settle(place.office, more.sign(place.holders.sign(again, "bee"), "dow"))
    assert await place.register(settled.operation.read_bytes()) is None


def typed(place: Place) -> RegistrationDraft:
    """The draft of an own type, as the office writes it."""
    name, bundle = bundle_source(json.dumps(source(name=f"{VN}/field_report/1")).encode())
    agency = place.office.read_agency()
    return draft_registration(name, bundle, None, agency, place.bridge.clock())


def carried(place: Place, draft: RegistrationDraft, *names: str) -> RegistrationDraft:
    """Signed by these holders, each from the file of the one before."""
    for name in names:
        draft = parse_registration_draft(format_registration_draft(draft))
        draft = draft.sign(place.holders.keys[name].signing())
    return draft


def incomplete(draft: RegistrationDraft) -> bytes:
    """What somebody hands in who does not wait for the others."""
    signed = SignedRegistration(draft.body, draft.signatures)
    return encode(SchemaPackage(encode(signed), draft.bundle))


async def test_two_of_three_register_a_type_and_one_alone_cannot(place: Place) -> None:
    alone = carried(place, typed(place), "bee")
    assert (await place.node.line.register(schema=incomplete(alone))).code == "schema_threshold"
    package = finish_registration(carried(place, alone, "cam"), place.office.read_agency())
    assert (await place.node.line.register(schema=package)).code is None
    name = alone.record.name
    await eventually(lambda: place.node.logs.directory.own_schemas.find(name))


async def test_a_root_that_has_left_registers_no_type(place: Place) -> None:
    draft = carried(place, typed(place), "bee", "cam")
    now = place.bridge.clock()
    change = await asyncio.to_thread(change_roots, place.office, [], ["cam"], 2, now)
    made = settle(place.office, place.holders.sign(change, "ann", "bee"))
    assert await place.register(made.operation.read_bytes()) is None
    with pytest.raises(Refused, match="draft_differs"):
        finish_registration(draft, place.office.read_agency())
    assert (await place.node.line.register(schema=incomplete(draft))).code == "schema_roots"
