"""The broker dates what it logs as it likes, to let a bulletin expire before anybody had it."""

from __future__ import annotations

import asyncio
import json

import pytest
from saphan.node.service import NodeService
from saphan.node.witness import Witness
from saphan_broker.witnessed import WitnessedTime
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.checkpoint import Head
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event
from support.agency import Agency
from support.audits import THERE, at, found
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.ceremony import NOW
from support.logbook import Logbook


def cosigned(bridge: Bridge, agency: str) -> int:
    """Size of the evidence head that the agency's witness has signed last; blocking."""
    path = bridge.place / agency / "node/data/witness.json"
    logs = json.loads(path.read_text())["logs"] if path.exists() else {}
    return max((log["size"] for origin, log in logs.items() if "evidence" in origin), default=0)


def alarms(node: NodeService) -> set[str]:
    return {alarm.code for alarm in node.alarms.standing()}


async def test_he_sets_his_clock_a_fortnight_ahead(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His program waits for no witness. A node that comes says that his clock is wrong, none
    cosigns what he dates so, and what he says expired is *logged* and never *witnessed*."""
    clock = property(lambda _: bridge.clock(), lambda *_: None)
    monkeypatch.setattr(WitnessedTime, "now", clock, raising=False)
    monkeypatch.setattr("saphan.node.wire.witnessing.PAUSE_S", 0)
    refused = cosignatures_refused(monkeypatch)
    async with bridge.broker_running() as broker, bridge.node(LA) as la:
        await agreed(la)
        bulletin = await la.send(wish(expires=bridge.clock() + DAY_MS))
        await eventually(lambda: states(la, bulletin) == ["submitted"])
        bridge.clock.ahead += 14 * DAY_MS
        await broker._sweep.look()
        await eventually(lambda: states(la, bulletin) == ["expired"])
        expired = la.bulletins.status(bulletin)["timeline"][-1]
        assert (expired["event"], expired["proof"]) == ("expired", "logged")
        await eventually(lambda: any(size > expired["index"] for size in refused))
        async with bridge.node(KH) as kh:
            await eventually(lambda: "clock_skew" in alarms(kh))
    for agency in (LA, KH):
        assert await asyncio.to_thread(cosigned, bridge, agency) <= expired["index"]


def cosignatures_refused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the heads that nodes were asked to cosign and did not, for their dates."""
    refused: list[int] = []
    honest = Witness.cosign

    def cosign(self: Witness, head: Head) -> object:
        try:
            return honest(self, head)
        except Refused:  # `head_stale` is all that it refuses so
            refused.append(head.size)
            raise

    monkeypatch.setattr(Witness, "cosign", cosign)
    return refused


@pytest.fixture
def book() -> Logbook:
    return Logbook((Agency(LA, NOW), Agency(KH, NOW)))


def test_he_dates_an_entry_before_the_one_that_precedes_it(book: Logbook) -> None:
    book.submit(LA, KH)
    book.time -= 1
    _, index = book.submit(LA, KH)
    assert found(book.audit()) == at(index, AuditStep.TIME, "time_falls")


def test_he_dates_an_entry_after_the_head_that_covers_it(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires + 2 * LIMITS.skew_ms
    index = book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    book.time = NOW
    assert found(book.audit()) == at(index, AuditStep.TIME, "time_beyond_head")


def test_he_holds_a_bulletin_back_until_it_is_over(book: Logbook) -> None:
    """It is refused at its own entry: nobody can be late by another's delay alone."""
    agency = book.agencies[LA]
    made = agency.bulletin([KH], book.time)
    book.time = made.header.expires + 2 * LIMITS.skew_ms
    _, index = book.submit(LA, KH, made)
    log, where, step, code = found(book.audit())
    assert (log, where, step) == ("evidence", index, AuditStep.SUBMISSION)
    assert code == "expired"
