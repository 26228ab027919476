"""Bulletins of marked kinds leave when two officers have signed them, and not before."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from saphan.node.prepared import Waiting
from saphan.node.restored import Restored, mark_restored
from saphan.node.service import NodeService
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, Unavailable
from saphan_schemas.records import Marking
from support import officers
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, eventually, opened, states, wish
from support.desks import ready_bridge
from support.officers import Person

SECRET_KINDS = [{"tlp_from": "amber", "by": ["chan", "bounmy"]}]
OPEN = Marking("green", ("H1",))


@dataclass
class World:
    """la.ospp's officers bounmy and chan; what la.ospp marks amber needs both of them."""

    bridge: Bridge
    la: NodeService
    bounmy: Person
    chan: Person


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@asynccontextmanager
async def world(bridge: Bridge) -> AsyncIterator[World]:
    async with bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        await agreed(la)
        bounmy = await officers.first(bridge, la, OFFICERS[LA])
        chan = await officers.enrolled(bridge, la, "chan")
        await officers.settings(bridge, la, four_eyes=SECRET_KINDS)
        yield World(bridge, la, bounmy, chan)


async def test_it_leaves_when_a_second_officer_has_signed_the_same(bridge: Bridge) -> None:
    """Timeline: written; listed; opened; signed second; accepted abroad under both signatures."""
    async with world(bridge) as here, bridge.node(KH) as kh:
        written = here.bounmy.prepare(wish())
        waiting = await here.la.send_signed(written)
        draft = written.draft.header_id
        assert waiting == await here.la.send_signed(written)  # the author asks again
        assert here.la.bulletins.sent(0, 10) == []
        (row,) = await here.chan.listed()
        assert (row["id"], row["author"], row["may_sign"]) == (draft.hex(), "bounmy", True)
        (own,) = await here.bounmy.listed()
        assert own["may_sign"] is False
        exact = await here.chan.open(draft)
        assert exact.inner_bytes == written.inner
        second = encode(here.chan.signer.second(exact))
        bulletin = await here.la.second.sign(draft, second)
        assert await here.la.second.sign(draft, second) == bulletin  # it never heard the answer
        assert await here.la.send_signed(written) == bulletin
        assert await here.chan.listed() == []
        await eventually(lambda: states(here.la, bulletin) == ["accepted"])
        content, _ = kh.readings.system(bulletin)
        assert [one["handle"] for one in content["authors"]] == ["bounmy", "chan"]
        kinds = [(one["officer"], one["kind"]) for one in here.la.showings.rows(0, 50)]
        assert ("chan", "draft") in kinds
        assert ("chan", "read") in kinds


async def test_what_is_not_kept_as_signed_has_not_left(bridge: Bridge) -> None:
    """A crash at any line leaves it waiting, or sent: never both, so that its author does not take
    back what is on its way, and write it again."""
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        await here.la.send_signed(written)
        draft = written.draft.header_id
        with here.la.db.transaction() as tx:
            tx.execute(
                "CREATE TRIGGER torn BEFORE UPDATE ON countersigning"
                " BEGIN SELECT RAISE(ABORT, 'torn'); END"
            )
        with pytest.raises(OperatorError):
            await here.chan.sign(draft)
        assert here.la.bulletins.sent(0, 10) == []
        with here.la.db.transaction() as tx:
            tx.execute("DROP TRIGGER torn")
        assert await here.la.send_signed(written) == Waiting(draft)
        bulletin = await here.chan.sign(draft)
        for late in (here.bounmy.refuse(draft), here.chan.refuse(draft)):
            with pytest.raises(InvalidInput, match="countersign_unknown"):
                await late
        bridge.node_clock.ahead += written.draft.header.expires
        assert await here.la.send_signed(written) == bulletin


async def test_those_whom_it_concerns_are_told_once(bridge: Bridge) -> None:
    """An author who asks again, at every sync of their desk, is no news to anybody."""
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        with here.la.events.listen() as listener:
            for _ in range(3):
                await here.la.send_signed(written)
            bulletin = await here.chan.sign(written.draft.header_id)
            told = [one for one in listener.drain() if one["type"] == "countersign"]
        assert [(one["state"], one["officers"]) for one in told] == [
            ("waiting", ["bounmy", "chan"]),
            ("signed", ["bounmy"]),
        ]
        assert bulletin.hex() not in str(told)


async def test_what_is_not_of_a_marked_kind_leaves_at_once(bridge: Bridge) -> None:
    async with world(bridge) as here:
        bulletin = await here.bounmy.send(wish(marking=OPEN))
        assert here.la.bulletins.status(bulletin)["author"] == "bounmy"
        assert await here.chan.listed() == []


async def test_what_no_agreement_allows_does_not_wait(bridge: Bridge) -> None:
    """The author hears of it, not the colleague who would have signed."""
    red = wish(marking=Marking("red", ("H1",)))
    red.about["handling"]["onward"] = "none"
    async with world(bridge) as here:
        for wrong, code in (
            (red, "agreement_marking"),
            (wish("vn.vks"), "agreement_missing"),
            (wish(expires=bridge.node_clock() + 1), "expired"),
        ):
            written = here.bounmy.prepare(wrong)
            bridge.node_clock.ahead += 2
            with pytest.raises((InvalidInput, Refused)) as caught:
                await here.la.send_signed(written)
            assert caught.value.code == code
        assert await here.chan.listed() == []


async def test_a_machine_sends_nothing_of_a_marked_kind(bridge: Bridge) -> None:
    async with world(bridge) as here:
        with pytest.raises(Refused, match="countersign_needed"):
            await here.la.send(wish())
        assert await here.la.send(wish(marking=OPEN))


async def test_one_officer_is_not_two(bridge: Bridge) -> None:
    """Neither by the same key, nor by another one of their own; nor by a foreign one."""
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        with pytest.raises(Refused, match="countersign_self"):
            await here.bounmy.sign(draft)
        other_key = await officers.enrolled(bridge, here.la, "bounmy")
        assert other_key.key.key_id != here.bounmy.key.key_id
        with pytest.raises(Refused, match="countersign_self"):
            await other_key.sign(draft)
        exact = await here.bounmy.open(draft)
        foreign = sign_one(
            await asyncio.to_thread(bridge.officer, KH), "saphan/inner/1", exact.inner_bytes,
            bytes(32),
        )  # fmt: skip
        with pytest.raises(Refused, match="key_foreign"):
            await here.la.second.sign(draft, encode(foreign))
        assert here.la.bulletins.sent(0, 10) == []


async def test_who_may_sign_second(bridge: Bridge) -> None:
    """Named by the kind, cleared, of a section that sends it; for others nothing waits."""
    async with world(bridge) as here:
        lim = await officers.enrolled(bridge, here.la, "lim")
        draft = await here.bounmy.write(wish())
        assert await lim.listed() == []
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await lim.open(draft)
        exact = await here.bounmy.open(draft)
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await here.la.second.sign(draft, encode(lim.signer.second(exact)))

        everybody = {"*": {"clearance": "red"}}
        for handle in ("bounmy", "chan"):
            low = everybody | {handle: {"clearance": "green"}}
            await officers.settings(bridge, here.la, four_eyes=SECRET_KINDS, officers=low)
            who = {"bounmy": here.bounmy, "chan": here.chan}[handle]
            assert await who.listed() == []
            with pytest.raises(InvalidInput, match="countersign_unknown"):
                await who.open(draft)
            expected = "countersign_unknown" if handle == "chan" else "above_clearance"
            with pytest.raises((InvalidInput, Refused), match=expected):
                await here.chan.sign(draft)
        await officers.settings(bridge, here.la, officers=everybody)
        assert await lim.sign(draft)  # no kind names anybody any more


async def test_what_is_not_opened_is_not_signed(bridge: Bridge) -> None:
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        exact = await here.bounmy.open(draft)
        with pytest.raises(Refused, match="countersign_unread"):
            await here.la.second.sign(draft, encode(here.chan.signer.second(exact)))


async def test_a_signature_over_something_else_is_refused(bridge: Bridge) -> None:
    async with world(bridge) as here:
        first, other = [await here.bounmy.write(wish()) for _ in range(2)]
        wrong = here.chan.signer.second(await here.chan.open(other))
        with pytest.raises(InvalidInput, match="signature_invalid"):
            await here.chan.sign(first, wrong)
        assert len(await here.chan.listed()) == 2


async def test_a_refusal_ends_it_and_the_author_hears_why(bridge: Bridge) -> None:
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        await here.la.send_signed(written)
        draft = written.draft.header_id
        assert await here.chan.refuse(draft, "the amount is wrong") == "refused"
        with pytest.raises(Refused, match="the amount is wrong") as told:
            await here.la.send_signed(written)
        assert told.value.code == "countersign_refused"
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await here.chan.sign(draft)
        assert b"the amount is wrong" not in await asyncio.to_thread(_database, here.la)


async def test_an_author_takes_it_back(bridge: Bridge) -> None:
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        await here.la.send_signed(written)
        assert await here.bounmy.refuse(written.draft.header_id) == "withdrawn"
        with pytest.raises(Refused, match="countersign_withdrawn"):
            await here.la.send_signed(written)
        assert await here.chan.listed() == []


async def test_it_waits_no_longer_than_its_own_deadline(bridge: Bridge) -> None:
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish(expires=bridge.node_clock() + 3_600_000))
        await here.la.send_signed(written)
        bridge.node_clock.ahead += 3_600_001
        await here.la.watching.look()  # nobody asks; what it said goes all the same
        kept = "SELECT 1 FROM countersigning WHERE sealed IS NOT NULL"
        assert here.la.db.rows(kept) == []
        assert await here.chan.listed() == []
        with pytest.raises(Refused, match="countersign_expired"):
            await here.la.send_signed(written)


async def test_an_author_who_has_left_is_one_signature_too_few(bridge: Bridge) -> None:
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        exact = await here.chan.open(draft)
        await here.bounmy.leave()
        with pytest.raises(Refused, match="author_revoked"):
            await here.la.second.sign(draft, encode(here.chan.signer.second(exact)))
        assert here.la.bulletins.sent(0, 10) == []


async def test_it_waits_through_a_restart_and_says_nothing_at_rest(bridge: Bridge) -> None:
    async with world(bridge) as here:
        written = wish()
        draft = await here.bounmy.write(written)
        kept, title = await asyncio.to_thread(_database, here.la), written.about["title"]["en"]
        assert draft in kept
        assert title.encode() not in kept
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        chan = Person(bridge, la, "chan", here.chan.key)
        assert [row["id"] for row in await chan.listed()] == [draft.hex()]
        bulletin = await chan.sign(draft)
        assert la.bulletins.status(bulletin)["author"] == "bounmy"


async def test_a_restored_node_asks_no_second_officer_before_it_has_heard_who_left(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its backup, chan is an officer; of the log, no more: no entry of a corridor says so."""
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        exact = await here.chan.open(draft)
        data = here.la.config.data
        backup = data / "saved.db"
        await asyncio.to_thread(_copy, data / "node.db", backup)
        await here.chan.leave()
    await asyncio.to_thread(_restore, backup, data / "node.db")
    second = encode(here.chan.signer.second(exact))
    async with bridge.node(LA) as la:  # the broker is away
        chan = Person(bridge, la, "chan", here.chan.key)
        for attempt in (chan.open(draft), la.second.sign(draft, second)):
            with pytest.raises(Unavailable, match="catching_up"):
                await attempt
    known: list[bool] = []

    def heard(restored: Restored) -> None:
        known.append(_revoked(la, here.chan))
        truly(restored)

    truly = Restored.heard
    monkeypatch.setattr(Restored, "heard", heard)
    async with bridge.broker_running(), bridge.node(LA) as la:
        await eventually(lambda: not la.watching.restored.listening)
        assert known == [True]
        chan = Person(bridge, la, "chan", here.chan.key)
        with pytest.raises(Refused, match="key_revoked"):
            await chan.open(draft)
        with pytest.raises(Refused, match="key_revoked"):
            await la.second.sign(draft, second)


def _revoked(node: NodeService, officer: Person) -> bool:
    found = node.logs.directory.find(officer.key.key_id)
    return found is not None and found.revoked is not None


def _copy(database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _restore(copy: Path, database: Path) -> None:
    for path in database.parent.glob("node.db*"):
        path.unlink()
    copy.rename(database)
    with closing(sqlite3.connect(database)) as store, store:
        mark_restored(store, 0)


def _database(node: NodeService) -> bytes:
    folder = node.config.data
    return b"".join(path.read_bytes() for path in sorted(folder.glob("node.db*")))
