"""la.ospp's server is stolen, and its key revoked; the broker, who is in it, logs that late. Before
it he logs what the thief sends to kh.gpo: by the order of the log it came in time.
"""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from saphan.node.service import NodeService
from saphan_protocol.audit.report import AuditStep
from saphan_schemas.records import Event, Role
from support.agency import Agency, Made
from support.audits import THERE, at, found
from support.bridge import KH, LA, Bridge, agreed, eventually, states
from support.brokers import World
from support.ceremony import NOW, Ceremony, revoke
from support.command import saphan_here
from support.corrupt import hands_over_anything, registers_nothing
from support.hostile import Hostile
from support.logbook import Logbook
from support.roster import operate
from support.session import Line


async def forged_first(bridge: Bridge) -> tuple[Hostile, Made, bytes]:
    """The thief, what he sends, logged; and the revocation, which nobody has logged yet."""
    thief = Hostile(bridge, LA, KH)
    made = await forged(bridge, thief)
    gone = [revoke(Role.NODE, thief.agency.node.key_id)]
    return thief, made, await asyncio.to_thread(operate, bridge, LA, gone)


async def forged(bridge: Bridge, thief: Hostile) -> Made:
    """One bulletin by the thief, logged."""
    made = thief.bulletin()
    line = Line(thief.agency, bridge.pins, bridge.clock, True)
    await line.connect(bridge.url)
    items, batch = thief.submissions([made])
    assert (await line.submit(items, batch))[0].code is None
    await line.close()
    return made


async def test_the_recipient_asks_for_it_after_the_revocation(world: World) -> None:
    """The stanza is what the thief's words hang on: it is not given out any more."""
    sender, recipient = world.agencies[LA], world.agencies[KH]
    thief, line = await world.line(LA), await world.line(KH)
    made = sender.bulletin([KH], world.clock())
    items, batch = sender.submissions([made], [recipient])
    assert (await thief.submit(items, batch))[0].code is None
    chain = Ceremony(sender)
    chain.enrol()
    late = chain.operate([revoke(Role.NODE, sender.node.key_id)])
    assert (await line.register(late)).code is None
    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch = recipient.statements(Event.HANDOVER, about, THERE, world.clock())
    assert (await line.state(said, batch))[0].code == "consignment_revoked"
    assert await line.stanzas(made.bulletin_id) == (None,)


@pytest.mark.parametrize("broker", ("honest", "corrupt"))
async def test_the_recipients_node_was_away_meanwhile(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    """It hears of the bulletin and of the revocation at once, and asks for no stanza; so it makes
    no difference what the broker would have said."""
    if broker == "corrupt":
        hands_over_anything(monkeypatch)
    async with bridge.broker_running() as running:
        async with bridge.node(KH) as kh:
            await agreed(kh)
        _, made, late = await forged_first(bridge)
        await running.admit_operation(late)
        async with bridge.node(KH) as kh:
            await eventually(lambda: withheld(kh, made) == ("submitted", "consignment_revoked"))
            assert kh.bulletins.inbox(0, 9) == []
        entries = await running.store.entries(0, running.state.evidence.tree.size)
        assert [entry.event for entry in entries] == ["submitted"]


async def test_the_revocation_comes_by_hand_and_not_by_the_log(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker hides it for good. la.ospp's people bring the file, and what the thief sends is
    handed over to nobody who has it: neither what came before nor what comes after."""
    registers_nothing(monkeypatch)
    hands_over_anything(monkeypatch)
    async with bridge.broker_running():
        async with bridge.node_with_api(KH) as kh:
            await agreed(kh)
            thief, made, late = await forged_first(bridge)
            await eventually(lambda: states(kh, made.bulletin_id) == ["accepted"])  # too late
            file = bridge.place / "revocation.saphan"
            await asyncio.to_thread(file.write_bytes, late)
            words = ("revoke", "import", file, "--dir", bridge.place / KH)
            await asyncio.to_thread(partial(saphan_here, *words))
            second = await forged(bridge, thief)
            await eventually(lambda: withheld(kh, second) == ("submitted", "consignment_revoked"))
        third = await forged(bridge, thief)
        async with bridge.node(KH) as kh:
            await eventually(lambda: withheld(kh, third) == ("submitted", "consignment_revoked"))
            assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [made.bulletin_id.hex()]


def test_the_auditor_reads_it_years_later() -> None:
    """That the broker handed it over is in the log, and against the rules by its own anchors."""
    agencies = Agency(LA, NOW), Agency(KH, NOW)
    book = Logbook(agencies)
    made, _ = book.submit(LA, KH)
    chain = Ceremony(agencies[0])
    chain.enrol()
    book.register(chain.operate([revoke(Role.NODE, agencies[0].node.key_id)]))
    given = book.state(Event.HANDOVER, made, THERE)
    assert found(book.audit()) == at(given, AuditStep.DELIVERY, "consignment_revoked")


def withheld(node: NodeService, made: Made) -> tuple[str, str | None] | None:
    """How a delivery stands at the recipient, and why it goes no further."""
    row = node.db.row("SELECT state, code FROM deliveries WHERE bulletin = ?", (made.bulletin_id,))
    return None if row is None else (row[0], row[1])
