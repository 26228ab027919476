"""la.ospp submits a bulletin; the broker lets it disappear, before the log or after it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import replace
from saphan.node.service import NodeService
from saphan_protocol.audit.report import AuditStep
from saphan_schemas.frames import Answer, Feed, Ping
from support.agency import Agency
from support.audits import THERE, at, found
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.ceremony import NOW
from support.logbook import Logbook
from support.mauling_line import between


def waiting(node: NodeService, bulletin: bytes) -> bool:
    """Whether it still has to reach the broker."""
    return bool(
        node.db.row(
            "SELECT 1 FROM consignments WHERE bulletin = ? AND state = 'waiting'", (bulletin,)
        )
    )


async def test_he_logs_nothing_and_says_nothing(bridge: Bridge) -> None:
    """No answer is no success: it stays in the outbox, is sent again, and is taken once."""
    async with bridge.broker_running():
        async with between(bridge, LA) as (line, la):
            silent: list[object] = []

            def swallow(frame: Any) -> object:
                if not isinstance(frame, Answer | Feed):
                    return None
                silent.append(frame)
                return Ping(bridge.clock())

            line.change = swallow
            bulletin = await la.send(wish())
            await eventually(lambda: silent)
            assert waiting(la, bulletin) or states(la, bulletin) == ["submitted"]
        async with bridge.node(LA) as la, bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])
        rows = await bridge.broker.store.entries(0, bridge.broker.state.evidence.tree.size)
        events = Counter(row.event for row in rows if row.bulletin == bulletin)
        assert events == {"submitted": 1, "handover": 1, "accepted": 1}


async def test_he_logs_it_and_shows_it_to_its_sender_alone(bridge: Bridge) -> None:
    """kh.gpo sees a hole in its corridor with whatever comes next, and stops trusting the log."""
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        async with between(bridge, KH) as (line, kh):

            def hide(frame: Any) -> object:
                if not isinstance(frame, Feed) or not frame.entries:
                    return None
                return replace(frame, entries=())

            line.change = hide
            dropped = await la.send(wish())
            await line.done.wait()
            await eventually(lambda: states(la, dropped) == ["submitted"])
            assert states(kh, dropped) == []
            await la.send(wish())
            await eventually(lambda: kh.line.state.code == "corridor_gap")
            assert kh.line.state.state == "stopped"
            assert "corridor_gap" in {alarm.code for alarm in kh.alarms.standing()}
            assert kh.bulletins.inbox(0, 9) == []
        # Its sender holds the proof that it was submitted, and nobody's receipt.
        assert states(la, dropped) == ["submitted"]


def test_the_auditor_finds_the_hole_that_he_hides_from_everybody() -> None:
    """He opens everything but the dropped bulletin: there is a leaf for it, and a number."""
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    book.deliver(LA, KH)
    _, dropped = book.submit(LA, KH)
    book.deliver(LA, KH)
    everything = range(len(book.evidence.kept))
    shown = book.pack([index for index in everything if index != dropped])
    report = book.audit(shown)
    assert report.finding is None
    corridor = report.coverage.corridors[THERE]
    assert (corridor.last, corridor.opened) == (9, 8)  # counted, and said
    senders = book.pack([dropped], maker=LA)
    assert book.audit(shown, senders).coverage.deliveries["submitted"] == 1


def test_the_auditor_finds_the_number_that_has_no_leaf() -> None:
    """He took it out of the log before he signed: what follows has the wrong number."""
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    book.submit(LA, KH)
    book.corridors[THERE] = (2, len(book.evidence.kept) - 1)
    _, index = book.submit(LA, KH)
    assert found(book.audit()) == at(index, AuditStep.CORRIDOR, "corridor_gap")
