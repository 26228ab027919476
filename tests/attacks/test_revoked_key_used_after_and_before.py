"""A key is stolen and revoked. The thief goes on; or its owner denies what it signed before."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from saphan.keyring import revoke_key
from saphan.local_api import LocalNode
from saphan_broker.sequencing.work import Logged, Rejected, Stated, Submitted
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.batch import index_batches
from saphan_schemas.records import Event, Role
from support.agency import Agency
from support.api_tokens import Pen
from support.audits import BACK, at, found
from support.bridge import KH, LA, OFFICERS, SECRET, Bridge, agreed, eventually, states, wish
from support.brokers import World
from support.ceremony import NOW, Ceremony, revoke
from support.corrupt import admits_anything
from support.hostile import Hostile
from support.logbook import Logbook
from support.roster import alarmed, operate
from support.session import Line


async def test_the_thief_logs_in(world: World) -> None:
    agency, line = world.agencies[LA], await world.line(KH)
    assert (await line.register(revocation(agency, agency.node.key_id))).code is None
    thief = await world.line(LA)
    assert thief.closing is not None
    assert thief.closing.code == "key_revoked"


async def test_the_thief_has_a_session_open(world: World) -> None:
    """It ends with the revocation, which the agency sends by its partner's node."""
    agency, line = world.agencies[LA], await world.line(KH)
    thief = await world.line(LA)
    assert (await line.register(revocation(agency, agency.node.key_id))).code is None
    assert (await thief.closed()).code == "key_revoked"


async def test_the_thiefs_frame_came_before_the_revocation_was_logged(world: World) -> None:
    """It waits in the queue, its signatures checked; each item is judged where it is logged."""
    agency, partner, line = world.agencies[LA], world.agencies[KH], await world.line(KH)
    made = partner.bulletin([LA], world.clock())
    items, batch = partner.submissions([made], [agency])
    assert (await line.submit(items, batch))[0].code is None
    assert (await line.register(revocation(agency, agency.node.key_id))).code is None
    size = world.broker.state.evidence.tree.size
    forged = agency.bulletin([KH], world.clock())
    (submission,), sent = agency.submissions([forged], [partner])
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (statement,), said = agency.statements(Event.HANDOVER, about, BACK, world.clock())
    for item in (
        Submitted(LA, submission, index_batches([sent])),
        Stated(LA, statement, index_batches([said])),
    ):
        outcome = await world.broker.role.submit(item).outcome
        assert isinstance(outcome, Rejected)
        assert outcome.error.code == "key_revoked"
    entries = await world.broker.store.entries(size, world.broker.state.evidence.tree.size)
    assert entries == []


async def test_the_thief_and_the_broker_are_one(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He logs what the stolen node signs after its revocation; the recipient's node judges again,
    by the anchor before it."""
    admits_anything(monkeypatch)
    async with bridge.broker_running() as broker, bridge.node(KH) as kh:
        await agreed(kh)
        thief = Hostile(bridge, LA, KH)
        gone = revoke(Role.NODE, thief.agency.node.key_id)
        await broker.admit_operation(await asyncio.to_thread(operate, bridge, LA, [gone]))
        (submission,), batch = thief.submissions([thief.bulletin()])
        work = broker.role.submit(Submitted(LA, submission, index_batches([batch])))
        assert isinstance(await work.outcome, Logged)
        await eventually(partial(alarmed, kh, "admission_differs"))
        assert kh.db.rows("SELECT state, code FROM deliveries") == [("submitted", "key_revoked")]


async def test_a_stolen_officers_key_signs_at_a_hostile_node(bridge: Bridge) -> None:
    """The broker cannot see who wrote it. The recipient's node can, and dates inside prove
    nothing: it judges by the place of the bulletin in the log."""
    async with bridge.broker_running() as broker, bridge.node(KH) as kh:
        await agreed(kh)
        thief = Hostile(bridge, LA, KH)
        gone = revoke(Role.OFFICER, thief.agency.officer.key_id)
        early = thief.bulletin()
        await broker.admit_operation(await asyncio.to_thread(operate, bridge, LA, [gone]))
        line = Line(thief.agency, bridge.pins, bridge.clock, True)
        await line.connect(bridge.url)
        items, batch = thief.submissions([early])  # signed before, by whatever clock
        assert (await line.submit(items, batch))[0].code is None
        await eventually(lambda: states(kh, early.bulletin_id) == ["rejected"])
        ((code,),) = kh.db.rows("SELECT code FROM deliveries")
        assert code == "author_revoked"
        assert kh.bulletins.inbox(0, 9) == []
        await line.close()


async def test_what_an_officer_signed_before_is_taken_after(bridge: Bridge) -> None:
    """It was admitted while the key was good; its recipient comes after the revocation."""
    async with bridge.broker_running() as broker:
        async with bridge.node_with_api(LA) as la:
            await agreed(la)
            body = await Pen(bridge, LA, OFFICERS[LA]).signed(wish())
            local = LocalNode(bridge.place / LA / "node")
            sent = await asyncio.to_thread(local.post, "/v1/bulletins/signed", body)
            bulletin = bytes.fromhex(sent["id"])
            await eventually(lambda: states(la, bulletin) == ["submitted"])
        office = bridge.offices[LA]
        key = bridge.officer(LA).key_id
        made = await asyncio.to_thread(lambda: revoke_key(office, key, SECRET, now=bridge.clock()))
        await broker.admit_operation(made.operation.read_bytes())
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(kh, bulletin) == ["accepted"])


def test_its_owner_denies_what_it_signed_before() -> None:
    """Its node's key is revoked after a bulletin was accepted: the log proves that it was not
    then, and the auditor takes every signature for what it is."""
    agencies = Agency(LA, NOW), Agency(KH, NOW)
    book = Logbook(agencies)
    book.deliver(LA, KH)
    book.register(revocation(agencies[0], agencies[0].node.key_id))
    assert book.audit().finding is None
    late = book.submit(LA, KH)[1]
    assert found(book.audit()) == at(late, AuditStep.SUBMISSION, "key_revoked")


def revocation(agency: Agency, key: bytes) -> bytes:
    """The agency's second operation."""
    chain = Ceremony(agency)
    chain.enrol()
    return chain.operate([revoke(Role.NODE, key)])
