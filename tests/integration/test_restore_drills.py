"""Restore drills (docs/drills/restore.md): a node is lost, and comes back from its backups.

Nodes and broker are processes. Each test's name is a row of the page.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_schemas.errors import SaphanError
from support.bridge import KH, LA, bridged, eventually, opened
from support.drills import Drill

BOTH = ("data", "keys")


@pytest.fixture
async def drill(tmp_path: Path) -> AsyncIterator[Drill]:
    async with bridged(tmp_path) as bridge:
        async with bridge.broker_running():
            await bridge.enrol()
        made = Drill(bridge)
        try:
            yield made
        finally:
            await made.stop_all()


async def test_yesterdays_backup_of_a_recipient_while_the_log_went_on(drill: Drill) -> None:
    """Three bulletins before the backup, three after it, one while the node is gone; one of each
    side is read. Nothing is shown twice, nothing signed twice, everything is there again."""
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        before = await drill.send(LA, KH, 3)
        await drill.states(LA, before, "accepted")
        await drill.states(KH, before, "accepted")
        await drill.read(KH, before[0])
        shown = await drill.inbox(KH)
        await drill.backup(KH, *BOTH)
        after = await drill.send(LA, KH, 3)
        own = await drill.send(KH, LA, 2)
        await drill.states(LA, after, "accepted")
        await drill.states(KH, own, "accepted")
        await drill.read(KH, after[0])
        await eventually(lambda: len(drill.log("SELECT 1 FROM entry WHERE event = 'read'")) == 2)
        old_witness = (drill.place / KH / "node/witness.key").read_bytes()
        await drill.lose(KH)
        late = await drill.send(LA, KH, 1)
        restored = await drill.restore(KH, *BOTH)
        assert (restored["bulletins"], restored["readable"]) == (3, 3)
        await drill.start(KH)
        await drill.listened(KH)
        await drill.states(LA, late, "accepted")
        inbox = await drill.inbox(KH)
        assert inbox[:3] == shown
        assert [one for _, one in inbox] == [*before, *after, *late]
        # Content, of before and after; the log knows already that somebody has read.
        for one in (*before, *after, *late):
            await drill.read(KH, one)
        await eventually(lambda: len(drill.log("SELECT 1 FROM entry WHERE event = 'read'")) == 7)
        assert drill.said_once()
        assert drill.store(KH, "SELECT 1 FROM statements WHERE state = 'refused'") == []
        # Of what it sent after the backup its node knows no text, and it stops for nothing.
        assert (await drill.ask(KH, "/v1/bulletins"))["bulletins"] == []
        assert [one for _, one in await drill.inbox(LA)] == own
        await _witnesses_anew(drill, old_witness)


async def _witnesses_anew(drill: Drill, old_witness: bytes) -> None:
    """Without a key, with the old one, with a new one: only the last cosigns."""
    state = drill.place / KH / "node/data/witness.json"
    assert await drill.alarms(KH) == {"witness_key_needed"}
    await drill.kill(KH)
    (drill.place / KH / "node/witness.key").write_bytes(old_witness)
    (drill.place / KH / "node/witness.key").chmod(0o600)
    await drill.start(KH)
    more = await drill.send(LA, KH, 1)
    await drill.states(LA, more, "accepted")
    assert await drill.alarms(KH) == {"witness_key_needed"}
    assert not state.exists()
    (drill.place / KH / "node/witness.key").unlink()
    drill.bring_root(KH)
    passphrase = drill.place / "root.txt"
    passphrase.write_text("open sesame of a test\n")
    passphrase.chmod(0o600)
    made = await drill.saphan(
        *("keys", "add", "witness", "--dir", drill.place / KH, "--passphrase-file", passphrase)
    )
    await drill.saphan("keys", "submit", made["operation"], "--dir", drill.place / KH)
    await drill.kill(KH)
    await drill.start(KH)
    await eventually(state.exists)
    assert await drill.alarms(KH) == set()
    report = await drill.saphan("node", "doctor", "--dir", drill.place / KH)
    found = {(one["check"], one["level"]) for one in report["findings"]}
    assert {("running", "ok"), ("line", "ok"), ("clock", "ok"), ("mailbox", "ok")} <= found


async def test_a_backup_of_a_sender_whose_outbox_was_full(drill: Drill) -> None:
    """Two bulletins wait while there is no broker. The node is lost before it is back: they are
    sent. It is lost once more after they were answered: they are not sent twice."""
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        before = await drill.send(LA, KH, 1)
        await drill.states(LA, before, "accepted")
    report = drill.place / "report.txt"
    report.write_text("what the laboratory found\n" * 2000, encoding="utf-8")
    waiting = await drill.send(LA, KH, 2, report)
    await drill.backup(LA, *BOTH)
    text = report.read_bytes()
    await drill.lose(LA)
    await drill.kill(KH)
    await drill.restore(LA, *BOTH)
    async with drill.broker():
        await drill.start(KH)
        await drill.start(LA)
        await drill.states(LA, [*before, *waiting], "accepted")
        later = await drill.send(LA, KH, 1)
        await drill.states(LA, later, "accepted")
        await drill.lose(LA)
        await drill.restore(LA, *BOTH)
        await drill.start(LA)
        await drill.listened(LA)
        await drill.states(LA, [*before, *waiting], "accepted")
        again = await drill.send(LA, KH, 1)
        await drill.states(LA, again, "accepted")
        assert [one for _, one in await drill.inbox(KH)] == [*before, *waiting, *later, *again]
        for one in waiting:
            assert await drill.attachment(KH, one) == text
        sent = [row["id"] for row in (await drill.ask(LA, "/v1/bulletins"))["bulletins"]]
        assert sent == [*before, *waiting, *again]
        assert drill.said_once()
        assert drill.store(LA, "SELECT 1 FROM consignments WHERE state != 'logged'") == []


async def test_keys_only(drill: Drill) -> None:
    """The store is gone: what the broker holds comes again and opens; own bulletins and who read
    them do not. What was on its way arrives."""
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        received = await drill.send(LA, KH, 3)
        own = await drill.send(KH, LA, 2)
        await drill.states(KH, received, "accepted")
        await drill.states(KH, own, "accepted")
        await drill.read(KH, received[0])
        await eventually(lambda: len(drill.log("SELECT 1 FROM entry WHERE event = 'read'")) == 1)
        await drill.backup(KH, "keys")
        await drill.lose(KH)
        late = await drill.send(LA, KH, 1)
        restored = await drill.restore(KH, "keys")
        assert restored["node_key"]
        assert restored["bulletins"] == 0
        await drill.start(KH)
        await drill.listened(KH)
        await drill.states(LA, late, "accepted")
        assert [one for _, one in await drill.inbox(KH)] == [*received, *late]
        for one in (*received, *late):
            assert (await drill.read(KH, one))["content"]
        await eventually(lambda: len(drill.log("SELECT 1 FROM entry WHERE event = 'read'")) == 4)
        assert drill.said_once()
        assert (await drill.ask(KH, "/v1/bulletins"))["bulletins"] == []
        receipts = drill.store(KH, "SELECT count(*) FROM entries WHERE sender = 'kh.gpo'")
        assert receipts == [(6,)]  # of both: submitted, handover, accepted


async def test_data_only(drill: Drill) -> None:
    """The keys are gone: receipts and proofs are there, no content is; what was on its way to the
    lost mailbox stays closed; with new keys the office goes on."""
    bridge = drill.bridge
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        received = await drill.send(LA, KH, 2)
        await drill.states(KH, received, "accepted")
        await drill.backup(KH, "data")
        await drill.lose(KH)
        on_its_way = await drill.send(LA, KH, 1)
        await drill.states(LA, on_its_way, "submitted")
        await drill.kill(LA)
    restored = await drill.restore(KH, "data")
    assert (restored["bulletins"], restored["readable"]) == (2, 0)
    assert (restored["node_key"], restored["mailbox_keys"]) == (False, 0)
    drill.bring_root(KH)
    passphrase = drill.place / "root.txt"
    passphrase.write_text("open sesame of a test\n")
    passphrase.chmod(0o600)
    given = ("--dir", drill.place / KH, "--passphrase-file", passphrase)
    operations = [
        (await drill.saphan("keys", "add", role, *given))["operation"]
        for role in ("node", "witness")
    ]
    replaced = await drill.saphan("keys", "rotate", "mailbox", "--replace", "--yes", *given)
    operations.append(replaced["operation"])
    signed = [await asyncio.to_thread(Path(path).read_bytes) for path in operations]
    async with bridge.broker_running() as broker, bridge.node(LA) as la:
        await opened(la)
        for operation in signed:
            await broker.admit_operation(operation)
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        await drill.listened(KH)
        assert [one for _, one in await drill.inbox(KH)] == received
        timeline = (await drill.ask(KH, f"/v1/bulletins/{received[0]}"))["timeline"]
        assert [event["event"] for event in timeline] == ["submitted", "handover", "accepted"]
        with pytest.raises(SaphanError) as closed:
            await drill.read(KH, received[0])
        assert closed.value.code == "archive_key_gone"
        fresh = await drill.send(LA, KH, 1)
        await drill.states(LA, fresh, "accepted")
        assert (await drill.read(KH, fresh[0]))["content"]
        # Sealed to a mailbox key that nobody has: its sender's node has sealed it to a new one.
        await drill.states(LA, on_its_way, "accepted")
        assert drill.said_once()


async def test_a_restored_node_says_nothing_while_the_broker_is_away(drill: Drill) -> None:
    """It cannot know what it has missed: it shows no content, and takes bulletins for later."""
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        received = await drill.send(LA, KH, 1)
        await drill.states(KH, received, "accepted")
        await drill.backup(KH, *BOTH)
    await drill.lose(KH)
    await drill.restore(KH, *BOTH)
    await drill.start(KH)
    with pytest.raises(SaphanError) as early:
        await drill.read(KH, received[0])
    assert early.value.code == "catching_up"
    assert "catching_up" in await drill.alarms(KH)
    own = await drill.send(KH, LA, 1)
    await drill.kill(LA)
    await drill.kill(KH)
    found = await drill.saphan("node", "doctor", "--dir", drill.place / KH, status=5)
    assert ("restored", "warn") in {(one["check"], one["level"]) for one in found["findings"]}
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        await drill.states(KH, own, "accepted")
        assert (await drill.read(KH, received[0]))["content"]


async def test_a_backup_taken_twice_opens_with_its_own_shares_only(drill: Drill) -> None:
    """Yesterday's data with today's keys: each was opened by the custodians for itself."""
    async with drill.broker():
        await drill.start(LA)
        await drill.start(KH)
        first = await drill.send(LA, KH, 1)
        await drill.states(KH, first, "accepted")
        await drill.backup(KH, *BOTH)
        second = await drill.send(LA, KH, 1)
        await drill.states(KH, second, "accepted")
        await drill.backup(KH, "keys", name="c")
        await drill.lose(KH)
        shutil.copy(drill.place / f"{KH}.c.keys", drill.place / f"{KH}.b.keys")
        restored = await drill.restore(KH, *BOTH)
        assert restored["readable"] == 1
        assert restored["made"]["keys"] > restored["made"]["data"]
        await drill.start(KH)
        await drill.listened(KH)
        await eventually(lambda: len(drill.store(KH, "SELECT 1 FROM bulletins")) == 2)
        for one in (*first, *second):
            assert (await drill.read(KH, one))["content"]
