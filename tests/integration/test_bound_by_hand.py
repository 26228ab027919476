"""A revocation or an order that a partner brings by hand binds at once, and evidence by the log."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest
from saphan.agreements.orders import make_order, order_by_key
from saphan.cli.main import main
from saphan.keyring import add_key, revoke_key
from saphan.keys.keyfiles import read_key
from saphan.node.service import NodeService
from saphan.node.trust import bound
from saphan.node.watching import Watching
from saphan_protocol.agreements import Agreements
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role
from support import officers
from support.bridge import (
    CHEAP,
    KH,
    LA,
    OFFICERS,
    SECRET,
    Bridge,
    agreed,
    eventually,
    opened,
    states,
    wish,
)


@pytest.fixture
def withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is told nothing: it would do as if it had heard nothing."""

    async def nothing(self: Watching) -> None:
        return

    monkeypatch.setattr(Watching, "_offer", nothing)


async def enrolled(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)


async def revoked(bridge: Bridge, agency: str, key: bytes) -> bytes:
    """The file that the agency's root signs, before anybody else has seen it."""
    office = bridge.offices[agency]
    made = await asyncio.to_thread(lambda: revoke_key(office, key, SECRET, now=bridge.clock()))
    return await asyncio.to_thread(made.operation.read_bytes)


def mailbox_id(bridge: Bridge, agency: str) -> bytes:
    name = bridge.mailbox(agency).name.removesuffix(".key")
    keys = bridge.offices[agency].replay().keys(agency, Role.MAILBOX)
    return next(key.key_id for key in keys if key.key_id.hex().startswith(name))


def logged(node: NodeService) -> list[bool]:
    return [row["logged"] for row in node.watching.bound.listed()]


async def test_a_revocation_by_hand_binds_while_the_line_is_down(bridge: Bridge) -> None:
    await enrolled(bridge)
    key = mailbox_id(bridge, KH)
    async with bridge.node(LA) as la:
        before = await la.send(wish())
    package = await revoked(bridge, KH, key)
    async with bridge.node(LA) as la:
        taken = await la.watching.import_bound("operation", package)
        assert (taken["agency"], taken["revokes"], taken["logged"]) == (KH, [key.hex()], False)
        assert await la.watching.import_bound("operation", package) == taken
        with pytest.raises(Refused, match="revoked"):
            la.logs.directory.key(key, Role.MAILBOX)
        # The past is not touched: evidence of that time is judged by the log as it stood.
        assert la.logs.directory.key(key, Role.MAILBOX, la.logs.directory.size).key_id == key
    async with bridge.node(KH) as kh:  # brought to its own node, it is no foreign one
        await kh.watching.import_bound("operation", package)
        assert kh.db.rows("SELECT version, known FROM own_operations") == [(2, "submitted")]
    async with bridge.node(LA) as la:  # a restart does not forget it
        with pytest.raises(Refused, match="revoked"):
            la.logs.directory.key(key, Role.MAILBOX)
        assert logged(la) == [False]
        after = await la.send(wish())
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        # It is offered to the broker, so that everybody else hears of it too.
        await eventually(lambda: logged(la) == [True])
        await eventually(lambda: states(la, before) == states(la, after) == ["accepted"])
        opened_with = {row[0] for row in kh.db.rows("SELECT mailbox_key FROM deliveries")}
        assert key not in opened_with
        assert [row["broker"] for row in la.watching.bound.listed()] == [None]


async def test_an_agencys_own_revocation_binds_its_node_while_the_line_is_down(
    bridge: Bridge, capsys: pytest.CaptureFixture[str]
) -> None:
    """The laptop is stolen, and the broker does not answer: nobody waits for it."""
    await enrolled(bridge)
    office = bridge.offices[KH]
    (officer,) = office.replay().keys(KH, Role.OFFICER)
    package = await revoked(bridge, KH, officer.key_id)
    file = max((office.folder / "operations").iterdir())
    submit = ["keys", "submit", str(file), "--dir", str(office.folder)]
    async with bridge.node_with_api(KH) as kh:
        assert await asyncio.to_thread(main, submit) == 0
        assert "binds this node from now on" in capsys.readouterr().out
        assert kh.logs.directory.keys(KH, Role.OFFICER) == []
        enrols = ["keys", "submit", str(office.enrolment), "--dir", str(office.folder)]
        assert await asyncio.to_thread(main, enrols) == 4  # that waits for the line
        assert "line_down" in capsys.readouterr().err
        async with bridge.broker_running():
            await eventually(lambda: logged(kh) == [True])
            listed = kh.watching.operations.listed
            await eventually(lambda: [row["known"] for row in listed()] == 2 * ["submitted"])
    assert package == file.read_bytes()


@pytest.mark.usefixtures("withheld")
async def test_what_a_withheld_revocation_names_is_consigned_anew(bridge: Bridge) -> None:
    """In the log, not handed over: the broker shows no revocation, the sender acts on it."""
    await enrolled(bridge)
    key = mailbox_id(bridge, KH)
    package = await revoked(bridge, KH, key)
    async with bridge.broker_running(), bridge.node(LA) as la:
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["submitted"])
        await la.watching.import_bound("operation", package)
        bodies = "SELECT 1 FROM consignments WHERE state = 'logged'"
        await eventually(lambda: len(la.db.rows(bodies)) == 2)
        assert logged(la) == [False]
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert kh.db.rows("SELECT mailbox_key FROM deliveries") != [(key,)]


@pytest.mark.usefixtures("withheld")
async def test_an_officer_revoked_by_hand_is_not_believed_whatever_the_log_shows(
    bridge: Bridge,
) -> None:
    """The laptop is stolen, the broker sits on the revocation; the partner was told by hand."""
    await enrolled(bridge)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await opened(la)
        thief = await officers.first(bridge, la, OFFICERS[LA])
        early = await thief.send(wish())
        await eventually(lambda: states(la, early) == ["accepted"])
        package = await revoked(bridge, LA, thief.key.key_id)
        await kh.watching.import_bound("operation", package)
        late = await thief.send(wish())
        await eventually(lambda: states(la, late) == ["rejected"])
        (rejected,) = [e for e in la.bulletins.status(late)["timeline"] if e["event"] == "rejected"]
        assert rejected["code"] == "author_revoked"
        assert "by hand" in rejected["detail"]
        # What came before is not undone, and machines of the same agency go on.
        assert states(la, early) == ["accepted"]
        other = await la.send(wish())
        await eventually(lambda: states(la, other) == ["accepted"])


async def order_key(bridge: Bridge, node: NodeService, agency: str) -> SigningKey:
    office = bridge.offices[agency]

    def make() -> tuple[bytes, SigningKey]:
        made = add_key(
            office, Role.ORDER, SECRET, now=bridge.clock(), passphrase=SECRET, cost=CHEAP
        )
        key = read_key(office.key_file(Role.ORDER, b""), Role.ORDER, SECRET)
        return made.operation.read_bytes(), key.signing()

    operation, key = await asyncio.to_thread(make)
    await opened(node)
    assert (await node.line.register(operation)).code is None
    return key


async def test_a_suspension_by_hand_stops_sending_at_once(bridge: Bridge) -> None:
    await enrolled(bridge)
    async with bridge.broker_running(), bridge.node(KH) as kh, bridge.node(LA) as la:
        key = await order_key(bridge, kh, KH)
        await eventually(lambda: la.logs.directory.keys(KH, Role.ORDER))
    async with bridge.node(LA) as la:
        (found,) = la.logs.directory.agreements_of(LA)
        order = make_order(found.name, KH, "suspend", 1, bridge.clock(), "leak of names")
        await la.watching.import_bound("order", order_by_key(order, key))
        with pytest.raises(Refused) as refused:
            await la.send(wish())
        assert refused.value.code == "agreement_suspended"
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await eventually(lambda: logged(la) == [True])
        await eventually(lambda: kh.logs.directory.standing(found).by == (KH,))


async def test_an_order_whose_text_the_broker_withholds_is_opened_by_hand(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its leaf is in the log; the partner brings what it says: evidence from its place on."""
    await enrolled(bridge)
    async with bridge.broker_running(), bridge.node(KH) as kh, bridge.node(LA) as la:
        key = await order_key(bridge, kh, KH)
        await eventually(lambda: la.logs.directory.keys(KH, Role.ORDER))
        (found,) = la.logs.directory.agreements_of(LA)
        before = la.logs.directory.size
        monkeypatch.setattr(Agreements, "packages", lambda *_: {})
        order = make_order(found.name, KH, "suspend", 1, bridge.clock(), None)
        package = order_by_key(order, key)
        assert (await kh.line.register(order=package)).code is None
        await eventually(lambda: la.logs.directory.size > before)
        assert la.logs.directory.standing(found).in_force  # nobody can tell what was ordered
        taken = await la.watching.import_bound("order", package)
        assert taken["logged"] is True
        await kh.watching.import_bound("order", package)
    for restarted in (LA, KH):
        async with bridge.node(restarted) as node:
            directory = node.logs.directory
            assert not directory.standing(found).in_force
            assert not directory.standing(found, directory.size).in_force
            assert directory.standing(found, before).in_force
            assert logged(node) == [True]


async def test_a_termination_by_hand_holds_whatever_the_log_shows_under_its_number(
    bridge: Bridge,
) -> None:
    """The roots have ended it; a thief of the order key has the log say something else."""
    await enrolled(bridge)
    async with bridge.broker_running(), bridge.node(KH) as kh:
        key = await order_key(bridge, kh, KH)
        (found,) = kh.logs.directory.agreements_of(KH)
    file = bridge.offices[KH].root_key
    root = (await asyncio.to_thread(lambda: read_key(file, Role.ROOT, SECRET))).signing()
    ends = make_order(found.name, KH, "terminate", 1, bridge.clock(), None)
    async with bridge.node(LA) as la:
        await la.watching.import_bound("order", order_by_key(ends, root))
    async with bridge.broker_running():
        async with bridge.node(KH) as kh:
            await opened(kh)
            size = kh.logs.directory.size + 2
            for order in (
                make_order(found.name, KH, "suspend", 1, bridge.clock(), None),
                make_order(found.name, KH, "resume", 2, bridge.clock(), None),
            ):
                assert (await kh.line.register(order=order_by_key(order, key))).code is None
        async with bridge.node(LA) as la:
            await eventually(lambda: la.logs.directory.size >= size)
            assert la.logs.directory.standing(found).condition == "terminated"
            assert logged(la) == [False]
            assert la.watching.bound.offers() == []


async def test_what_nobody_of_the_agency_signed_binds_nobody(bridge: Bridge) -> None:
    await enrolled(bridge)
    key = mailbox_id(bridge, KH)
    package = await revoked(bridge, KH, key)
    async with bridge.node(LA) as la:
        broken = package[:-40] + os.urandom(40)
        for wrong, kind in ((broken, "operation"), (b"", "operation"), (package, "order")):
            with pytest.raises((InvalidInput, Refused)):
                await la.watching.import_bound(kind, wrong)  # type: ignore[arg-type]
        enrolment = await asyncio.to_thread(bridge.offices[KH].enrolment.read_bytes)
        with pytest.raises(Refused) as refused:
            await la.watching.import_bound("operation", enrolment)
        assert refused.value.code == "revokes_nothing"
        assert la.watching.bound.listed() == []
        assert la.logs.directory.key(key, Role.MAILBOX).key_id == key


async def test_a_revocation_by_hand_holds_when_the_log_goes_another_way(bridge: Bridge) -> None:
    """The roots have signed another operation meanwhile: the log never takes the first one."""
    await enrolled(bridge)
    key = mailbox_id(bridge, KH)
    office = bridge.offices[KH]
    package = await revoked(bridge, KH, key)
    async with bridge.node(LA) as la:
        await la.watching.import_bound("operation", package)
    await asyncio.to_thread(lambda: max((office.folder / "operations").iterdir()).unlink())
    async with bridge.broker_running():
        async with bridge.node(KH) as kh:
            await order_key(bridge, kh, KH)
        async with bridge.node(LA) as la:
            await eventually(lambda: la.logs.directory.version(KH)[0] == 2)
            assert logged(la) == [False]
            assert la.watching.bound.offers() == []
    async with bridge.node(LA) as la:
        with pytest.raises(Refused, match="revoked"):
            la.logs.directory.key(key, Role.MAILBOX)


@pytest.mark.usefixtures("withheld")
async def test_what_is_imported_is_bounded(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the log shows by now makes room; what it withholds is never forgotten for that."""
    await enrolled(bridge)
    monkeypatch.setattr(bound, "LIMITS", replace(LIMITS, bound_packages=2))
    keys = [key.key_id for key in bridge.offices[KH].replay().keys(KH, Role.MAILBOX)]
    packages = [await revoked(bridge, KH, key) for key in keys[:4]]
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        for package in packages[:2]:
            await la.watching.import_bound("operation", package)
        with pytest.raises(Refused) as refused:
            await la.watching.import_bound("operation", packages[2])
        assert refused.value.code == "bound_full"
        assert la.logs.directory.key(keys[2], Role.MAILBOX).key_id == keys[2]
        await la.watching.import_bound("operation", packages[0])  # the same again is no more
        await opened(kh)
        assert (await kh.line.register(packages[0])).code is None
        await eventually(lambda: logged(la) == [True, False])
        await la.watching.import_bound("operation", packages[2])
        shown = [row["revokes"] for row in la.watching.bound.listed()]
        assert shown == [[keys[1].hex()], [keys[2].hex()]]
