"""Recalls at a node that came back from a backup, or never had what was recalled."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from saphan.backup.restored_store import adopt_store
from saphan.node.recall import answering
from saphan.node.rows.recalled import keep_answer, open_recalls, recalled_here
from saphan.node.service import NodeService
from saphan_schemas.limits import DAY_MS
from support.bridge import KH, LA, Bridge, agreed, eventually, wish
from support.hold_files import hold_file
from support.recalls import stands
from support.threads import accepted, known, letter, related

Json = dict[str, Any]


class Saved:
    """A node's data, as it was once."""

    def __init__(self, bridge: Bridge, agency: str) -> None:
        self._folder, self._clock = bridge.place / agency, bridge.clock
        self._data, self._copy = self._folder / "node/data", bridge.place / "saved"
        shutil.copytree(self._data, self._copy)

    def restore(self) -> None:
        """The store of then, and the keys of now."""
        shutil.rmtree(self._data)
        shutil.copytree(self._copy, self._data)
        adopt_store(self._folder, self._clock())


def notice() -> Any:
    """A bulletin that names somebody."""
    return letter("subject_notice", (KH,), marking={"tlp": "amber"})


async def heard(node: NodeService) -> None:
    await eventually(lambda: not node.retention.restored.listening)


def suppressed(node: NodeService) -> int:
    (count,) = node.db.rows("SELECT count(*) FROM suppressed")[0]
    return int(count)


async def test_whoever_recalled_before_a_restore_has_recalled(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(KH) as kh:
            async with bridge.node(LA) as la:
                await agreed(la)
                original = await accepted(la, letter("training_notice", (KH,)))
                better = await accepted(
                    la,
                    letter(
                        "training_notice", (KH,), about_message_kind="correction",
                        about_relations=[related("corrects", original)],
                    ),
                )  # fmt: skip
                wrong = await accepted(la, notice())
                await la.subjects.indexing.finish(la.engine)
            saved = Saved(bridge, LA)
            async with bridge.node(LA) as la:
                await la.recalls.order(better, "error", "keeper")
                await la.recalls.order(wrong, "wrong_person", "keeper")
                await stands(la, better, "obeyed")
                await stands(la, wrong, "obeyed")
                hashes = suppressed(la)
                assert hashes > 0
            saved.restore()
            async with bridge.node(LA) as la:
                await heard(la)
                await stands(la, better, "obeyed")
                assert la.bulletins.status(better)["recalled"] == "error"
                assert la.bulletins.status(original)["replaced_by"] == []
                table = la.recalls.show(better)
                assert (table["recalled"], table["code"], table["by"]) == (True, "error", None)
                await eventually(lambda: suppressed(la) == hashes)
                assert suppressed(kh) == hashes
                await eventually(
                    lambda: la.db.rows("SELECT 1 FROM recall_orders WHERE open = 1") == []
                )


async def test_what_was_erased_for_a_recall_before_a_restore_stays_marked(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            async with bridge.node(KH) as kh:
                await agreed(la)
                wrong = await accepted(la, notice())
                await known(kh, wrong)
                await kh.subjects.indexing.finish(kh.engine)
            saved = Saved(bridge, KH)
            async with bridge.node(KH) as kh:
                await la.recalls.order(wrong, "wrong_person", "keeper")
                await stands(la, wrong, "obeyed")
                hashes = suppressed(kh)
            saved.restore()
            async with bridge.node(KH) as kh:
                await heard(kh)
                await eventually(lambda: recalled_here(kh.db, wrong))
                assert kh.db.rows("SELECT 1 FROM subjects") == []
                assert suppressed(kh) == hashes > 0


async def test_a_hold_that_declined_before_a_restore_still_ends_in_obeying(bridge: Bridge) -> None:
    """And while it is held, whom it named by mistake is marked already."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            async with bridge.node(KH) as kh:
                await agreed(la)
                wrong = await accepted(la, notice())
                order = hold_file(bridge, KH, ids=(wrong,), told=False)
                await kh.holds.take(order.package, order.terms, order.salt)
                await eventually(lambda: kh.holds.orders.is_logged(order.name))
                await kh.holds.look()
            saved = Saved(bridge, KH)
            async with bridge.node(KH) as kh:
                await la.recalls.order(wrong, "wrong_person", "keeper")
                await stands(la, wrong, "declined")
                again = await accepted(la, notice())
                await kh.subjects.indexing.finish(kh.engine)
                assert kh.bulletins.status(again)["suppressed"] is True
            saved.restore()
            async with bridge.node(KH) as kh:
                await heard(kh)
                await eventually(lambda: recalled_here(kh.db, wrong))
                await kh.recalls.look()
                await kh.recalls.look()
                release = hold_file(
                    bridge, KH, number=2, release=order.name, ids=(wrong,), told=False
                )
                await kh.holds.take(release.package, release.terms, release.salt)
                await stands(la, wrong, "obeyed")


async def test_whoever_has_nothing_of_it_says_so(bridge: Bridge) -> None:
    """Lost here and destroyed at the broker: the recall is answered, not met with silence."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            await known(kh, bulletin)
            with kh.db.transaction() as tx:
                tx.execute("DELETE FROM bodies")
                tx.execute("DELETE FROM bulletins WHERE id = ?", (bulletin,))
            await la.recalls.order(bulletin, "error", "keeper")
            await stands(la, bulletin, "obeyed")


async def test_the_hashes_go_after_their_time(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            with la.db.transaction() as tx:
                today = bridge.node_clock() // DAY_MS
                for days in (-1, 1):
                    token = bytes([days % 256]) * 16
                    tx.execute("INSERT INTO suppressed VALUES (?, 0, 0, ?)", (token, today + days))
            await la.recalls.look()
            assert suppressed(la) == 1


async def test_what_was_declined_hides_nothing_that_is_owed(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(KH) as kh:
            with kh.db.transaction() as tx:
                for number in range(6):
                    tx.execute(
                        "INSERT INTO recalled (bulletin, idx, time, code, stopped)"
                        " VALUES (?, ?, ?, 'error', 0)",
                        (bytes([number]) * 32, number, number),
                    )
                for number in range(4):
                    keep_answer(tx, bytes([number]) * 32, "declined", "law_requires", "keeper", 9)
                keep_answer(tx, bytes([4]) * 32, "declined", "legal_hold", answering.HOLD, 9)
            assert [one.bulletin[0] for one in open_recalls(kh.db, 2)] == [5, 4]


async def test_a_recall_does_not_wait_for_the_whole_index(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it named is looked at first, whatever else waits for the index, or cannot be read."""
    monkeypatch.setattr("saphan.node.subjects.indexing.IDLE_S", 3600.0)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            other, wrong = [await accepted(la, notice()) for _ in range(2)]
            await la.recalls.order(wrong, "wrong_person", "keeper")
            await stands(la, wrong, "obeyed")
            assert suppressed(la) == suppressed(kh) > 0
            query = "SELECT b.id FROM unindexed JOIN bulletins b USING (seq)"
            assert la.db.rows(query) == kh.db.rows(query) == [(other,)]
