"""The broker forgets the end of its log: it goes back to a copy, or shows a stranger less of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from functools import partial

import pytest
from saphan.node.service import NodeService
from saphan_protocol.audit.report import AuditStep
from support.agency import Agency
from support.audits import KH, LA, at, found
from support.bridge import Bridge, agreed, eventually, states, wish
from support.ceremony import NOW
from support.corrupt import forgets_what_nodes_know
from support.logbook import Log, Logbook

PLACES = ("data", "keys")


def copy(bridge: Bridge) -> None:
    for name in PLACES:
        shutil.copytree(bridge.place / name, bridge.place / "old" / name)


def put_back(bridge: Bridge) -> None:
    for name in PLACES:
        shutil.rmtree(bridge.place / name)
        shutil.move(bridge.place / "old" / name, bridge.place / name)


def alarmed(node: NodeService, code: str) -> bool:
    return code in {alarm.code for alarm in node.alarms.standing()}


@pytest.mark.parametrize("broker", ("honest", "corrupt"))
async def test_he_goes_back_to_before_a_receipt(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    """Store, keys and signers' files together. The honest program refuses to go on; under the
    corrupt one the nodes stop, and each keeps the receipts that it has."""
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
    await asyncio.to_thread(copy, bridge)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        await eventually(lambda: states(kh, bulletin) == ["accepted"])
    await asyncio.to_thread(put_back, bridge)
    if broker == "corrupt":
        forgets_what_nodes_know(monkeypatch)
    code = "store_behind_node" if broker == "honest" else "log_rolled_back"
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        for node in (la, kh):
            await eventually(partial(alarmed, node, code))
            timeline = node.bulletins.status(bulletin)["timeline"]
            assert [one["event"] for one in timeline] == ["submitted", "handover", "accepted"]


def a_leaf_less(log: Log) -> None:
    log.kept.pop()


def a_tile_less(log: Log) -> None:
    log.kept = log.kept[: len(log.kept) // 2]


@pytest.mark.parametrize("cut", (a_leaf_less, a_tile_less))
def test_he_cuts_the_tail_under_the_old_head(cut: Callable[[Log], None]) -> None:
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    book.deliver(LA, KH)
    book.sign()
    pack = book.pack()
    cut(book.evidence)
    assert found(book.audit(pack, sign=False)) == at(None, AuditStep.EVIDENCE_ROOT, "log_short")


def test_he_signs_a_shorter_log_for_the_auditor() -> None:
    """He has the key: his short log is good by itself. A pack of either agency goes beyond it."""
    book = Logbook((Agency(LA, NOW), Agency(KH, NOW)))
    book.deliver(LA, KH)
    theirs = book.pack(maker=KH)
    last = len(book.evidence.kept) - 1
    book.evidence.kept.pop()
    own = book.pack(list(range(last)))
    assert book.audit(own).finding is None
    assert found(book.audit(theirs)) == at(last, AuditStep.PACK_ORDER, "pack_beyond_head")
