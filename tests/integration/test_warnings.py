"""Before a deadline, at half and at nine tenths of the time, who waits or owes is warned, once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from saphan.cli.render import status_lines
from saphan.node.api.views import View
from saphan.node.callers import Officer, System
from saphan.node.service import NodeService
from saphan.node.telling import warnings
from saphan.node.telling.notices import NEWEST
from saphan.node.telling.warnings import WATCHED, Warnings, deadline_of, due_at
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS, MINUTE_MS
from support.agency import Agency
from support.bridge import KH, LA, OFFICERS, Bridge, bridged, eventually, states
from support.notices import HOUR_MS, Office, sent

Said = tuple[str, str, int]
"""Recipient, deadline, hundredths of the time."""


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        yield Office(bridge)


@pytest.fixture(autouse=True)
def resting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test looks when it says so; one runs with the looks of a node by itself."""

    async def rest(*_: object) -> None:
        await asyncio.Event().wait()

    if "by_itself" not in request.function.__name__:
        monkeypatch.setattr(Warnings, "run", rest)


def said(node: NodeService, bulletin: bytes) -> list[Said]:
    """What stands in the status."""
    rows = node.bulletins.status(bulletin)["warnings"]
    return [(row["recipient"], row["deadline"], row["share"]) for row in rows]


def after(bridge: Bridge, hours: float) -> None:
    bridge.clock.ahead += int(hours * HOUR_MS)
    bridge.node_clock.ahead += int(hours * HOUR_MS)


async def test_what_nobody_takes_is_warned_of_at_half_and_nine_tenths(office: Office) -> None:
    """Timeline: to be answered in 10 hours and to expire in 20; its recipient's node is down."""
    async with office.bridge.node(LA) as la:
        bulletin = await sent(office, la)
        assert la.warnings.look() == []
        after(office.bridge, 4.9)
        assert la.warnings.look() == []
        after(office.bridge, 0.2)
        (event,) = la.warnings.look()
        header = la.bulletins.status(bulletin)["header"]
        state = states(la, bulletin)[0]
        assert event == {
            "type": "warning",
            "id": bulletin.hex(),
            "sender": LA,
            "recipient": KH,
            "deadline": "answer_by",
            "at": header["answer_by"],
            "share": 50,
            "state": state,
        }
    async with office.bridge.node(LA) as la:  # what was said is not said again
        assert la.warnings.look() == []
        after(office.bridge, 4)
        assert [one["share"] for one in la.warnings.look()] == [90]
        after(office.bridge, 2)
        assert [one["deadline"] for one in la.warnings.look()] == ["expires"]
        after(office.bridge, 8)
        assert [one["share"] for one in la.warnings.look()] == [90]
        assert said(la, bulletin) == [
            (KH, "answer_by", 50),
            (KH, "answer_by", 90),
            (KH, "expires", 50),
            (KH, "expires", 90),
        ]
        text = "\n".join(status_lines(la.bulletins.status(bulletin)))
        assert f"90 % of the time until it expires is over, and {KH} has not taken it" in text
        assert f"90 % of the time to answer is over, and {KH} has not answered" in text


async def test_what_was_answered_is_warned_of_by_nobody(office: Office) -> None:
    async with office.bridge.node(LA) as la:
        bulletin = await sent(office, la)
        assert la.warnings.look() == []  # its rows are made
        async with office.bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            after(office.bridge, 19)
            assert (la.warnings.look(), kh.warnings.look()) == ([], [])
        assert la.db.row("SELECT count(*) FROM warnings") == (0,)


async def test_a_node_that_was_down_says_by_itself_the_later_one_and_nothing_too_late(
    office: Office,
) -> None:
    """Timeline: down at once; back when 19 of 20 hours are over, and 10 of 10 to answer."""
    async with office.bridge.node(LA) as la:
        bulletin = await sent(office, la)
    after(office.bridge, 19)
    async with office.bridge.node(LA) as la:
        await eventually(lambda: said(la, bulletin))
        assert said(la, bulletin) == [(KH, "expires", 90)]


async def test_who_owes_the_answer_is_warned_and_the_command_is_told(office: Office) -> None:
    """Timeline: the recipient has lost its mailbox key: it cannot take what is there."""
    office.set()
    lost = office.bridge.mailbox(KH)
    kept = lost.read_bytes()
    lost.unlink()
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        bulletin = await sent(office, la)
        await eventually(lambda: states(kh, bulletin) == ["submitted"])
        assert kh.warnings.look() == []
        header = kh.bulletins.status(bulletin)["header"]
        await office.after(kh, 9 * HOUR_MS + MINUTE_MS)
        kh.events.publish(kh.warnings.look())
        await office.after(kh, 0)  # the notices look
        (line,) = await eventually(office.lines)
        assert line == {
            "id": bulletin.hex(),
            "step": 0,
            "urgency": "routine",
            "deadline": header["answer_by"],
            "officers": [OFFICERS[KH]],
            "warning": {"deadline": "answer_by", "share": 90},
        }
        assert said(kh, bulletin) == [(KH, "answer_by", 90)]
        assert kh.bulletins.status(bulletin)["notices"] == []
        await eventually(lambda: kh.db.row("SELECT 1 FROM notices WHERE state = 'told'"))
    lost.write_bytes(kept)
    lost.chmod(0o600)
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        told = [one["warning"]["deadline"] for one in office.lines() if "warning" in one]
        assert told.count("answer_by") == 1  # what was taken may be up for review


@pytest.mark.parametrize("answered", [True, False])
async def test_whom_the_command_did_not_reach_is_not_told_when_it_is_over(
    office: Office, answered: bool
) -> None:
    """Timeline: the sender's command fails; the answer comes, or its time passes; then it would be
    tried again."""
    office.folder = office.bridge.place / LA / "node"
    office.set()
    office.ends_with(1)
    async with office.bridge.node(LA) as la:
        await sent(office, la)
        assert la.warnings.look() == []
        await office.after(la, 6 * HOUR_MS)
        la.events.publish(la.warnings.look())
        (line,) = await eventually(office.lines)
        assert line["warning"] == {"deadline": "answer_by", "share": 50}
        if answered:
            async with office.bridge.node(KH):
                await eventually(
                    lambda: la.db.row("SELECT 1 FROM deliveries WHERE state = 'accepted'")
                )
        await eventually(lambda: la.db.row("SELECT 1 FROM notices WHERE tries = 1"))
        await office.after(la, 2 * MINUTE_MS if answered else 5 * HOUR_MS)
        await eventually(lambda: la.db.row("SELECT 1 FROM notices WHERE state = 'read'"))
        assert len(office.lines()) == 1


async def test_who_names_a_command_later_is_not_told_of_what_was_before(office: Office) -> None:
    office.folder = office.bridge.place / LA / "node"
    async with office.bridge.node(LA) as la:
        await sent(office, la)
        assert la.warnings.look() == []
        after(office.bridge, 6)
        la.events.publish(la.warnings.look())
        await eventually(lambda: la.db.row("SELECT count(*) FROM notices") == (0,))
        office.set()
        await office.after(la, 0)
        la.events.publish([{"type": "settings"}])
        await eventually(lambda: la.db.row("SELECT 1 FROM facts WHERE name = ?", (NEWEST,)))
        assert office.lines() == []


async def test_what_was_answered_long_ago_does_not_put_off_what_was_not(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a page of rows whose bulletins have their outcome comes before the one that has
    none: one look goes through all of them."""
    monkeypatch.setattr(warnings, "PAGE", 2)
    async with office.bridge.node(LA) as la:
        for _ in range(3):
            await sent(office, la)
        await eventually(lambda: la.db.row("SELECT count(*) FROM deliveries") == (3,))
        assert la.warnings.look() == []
        with la.db.transaction() as tx:
            tx.execute("UPDATE deliveries SET state = 'accepted'")
        bulletin = await sent(office, la)
        assert la.warnings.look() == []
        after(office.bridge, 9.5)
        assert [one["id"] for one in la.warnings.look()] == [bulletin.hex()]


def test_what_is_to_be_destroyed_first_expires_then() -> None:
    header = Agency(LA, 0).header([KH], 0, expires=9 * DAY_MS, retain_until=3)
    at = deadline_of(header, "expires")
    assert at == 3 * DAY_MS
    assert due_at(header, at, 50) == header.created + (at - header.created) // 2
    later = Agency(LA, 0).header([KH], 0, expires=9 * DAY_MS, retain_until=300)
    assert deadline_of(later, "expires") == 9 * DAY_MS


async def test_a_crash_between_leaves_no_warning_twice(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: the record does not reach the disk: nothing was said; next time it is, once."""
    async with office.bridge.node(LA) as la:
        bulletin = await sent(office, la)
        assert la.warnings.look() == []
        after(office.bridge, 6)
        with monkeypatch.context() as broken:
            full = OperatorError("disk_full", "there is no room left", hint="free space")

            def refuse() -> Any:
                raise full

            broken.setattr(la.db, "transaction", refuse)
            with pytest.raises(OperatorError, match="disk_full"):
                la.warnings.look()
        assert said(la, bulletin) == []
        monkeypatch.setattr(la.warnings._restored, "listening", True)  # as out of a backup
        assert la.warnings.look() == []
        monkeypatch.setattr(la.warnings._restored, "listening", False)
        assert len(la.warnings.look()) == 1
        assert la.warnings.look() == []
        after(office.bridge, 3.5)
        kept = la.db.transaction

        @contextmanager
        def silent() -> Iterator[sqlite3.Connection]:
            with kept() as tx:
                yield tx
            raise full  # the disk took it without saying so: the status has it

        with monkeypatch.context() as broken:
            broken.setattr(la.db, "transaction", silent)
            with pytest.raises(OperatorError, match="disk_full"):
                la.warnings.look()
        assert (said(la, bulletin)[-1], la.warnings.look()) == ((KH, "answer_by", 90), [])


async def test_an_older_store_warns_of_what_was_under_way(office: Office) -> None:
    async with office.bridge.node(LA) as la:
        bulletin = await sent(office, la)
        with la.db.transaction() as tx:  # as an upgrade finds it
            tx.execute("DELETE FROM warnings")
            tx.execute("DELETE FROM facts WHERE name = ?", (WATCHED,))
        after(office.bridge, 6)
        assert [one["id"] for one in la.warnings.look()] == [bulletin.hex()]


async def test_a_node_warns_by_itself_and_tells_whoever_is_shown_the_bulletin(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "LOOK_S", 0.02)
    hidden = Officer(handle="nobody", key=bytes(32))
    async with office.bridge.node(LA) as la:
        with la.events.listen() as listener:
            bulletin = await sent(office, la)
            after(office.bridge, 6)
            async with asyncio.timeout(20):
                while (event := await listener.next(20)) is None or event["type"] != "warning":
                    pass
        assert (event["id"], event["share"]) == (bulletin.hex(), 50)
        assert View(la, System(name="cases", rights=frozenset())).told(event) == event
        assert View(la, hidden).told(event) is None
        assert len(said(la, bulletin)) == 1
