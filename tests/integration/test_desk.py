"""The desk on another machine: a real node behind TLS, desks in folders of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from saphan.desk.desk import Desk
from saphan.desk.drafts import Draft, Drafts, Written
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox, Queued
from saphan.desk.start import start_desk
from saphan.desk.syncing import sync
from saphan.keys.keyfiles import is_sealed, new_key, read_key, write_plain
from saphan.keys.token_place import TokenAccess
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role
from support.bridge import CHEAP, LA, SECRET, Bridge, eventually, states, wish
from support.desk_letters import kept_here, letter
from support.desks import DeskBridge, at, desk_bridge, on_line, ready_bridge
from support.desks import everything as stolen


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


async def queue(desk: Desk, **fields: Any) -> Queued:
    """Sign a bulletin and keep it in the desk's outbox."""
    outbox, corridors = Outbox(desk), await asyncio.to_thread(Inbox(desk).corridors)
    return await asyncio.to_thread(outbox.queue, letter(LA, **fields), corridors)


async def received(world: DeskBridge) -> bytes:
    """A bulletin from la.ospp that kh.gpo has accepted."""
    sent = await world.la.send(wish())
    await eventually(lambda: states(world.la, sent) == ["accepted"])
    return sent


async def refusal(world: DeskBridge, folder: Any, **options: Any) -> SaphanError:
    """Why this desk's line does not open."""
    with pytest.raises(SaphanError) as caught:
        async with on_line(folder, world.bridge, **options):
            pass
    return caught.value


# --- reading --------------------------------------------------------------------------------------


async def test_an_officer_reads_far_from_the_node_and_again_without_it(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        sent = await received(world)
        async with on_line(folder, bridge) as (desk, line):
            assert line.handle == "dao"
            (row,) = await Inbox(desk).pull(line)
            assert (row["id"], row["read"]) == (sent.hex(), False)
            status = await Inbox(desk).status(line, sent.hex()[:12])
            content = await Inbox(desk).read(line, sent)
            assert content["content"]["body"] == wish().body
            await asyncio.to_thread(Inbox(desk).keep, content)
            assert await Inbox(desk).pull(line) == []
        rows = world.kh.db.rows("SELECT handle FROM readings WHERE bulletin = ?", (sent,))
        assert rows == [("dao",)]
        await eventually(lambda: events(world, sent)[-1:] == ["read"])
    # Nothing runs any more: the desk shows what it has.
    async with at(folder, bridge) as desk:
        inbox = Inbox(desk)
        (row,) = await asyncio.to_thread(inbox.rows)
        assert (row["id"], row["read"], row["opened"]) == (sent.hex(), True, True)
        again = await asyncio.to_thread(inbox.opened, sent.hex()[:8])
        assert again is not None
        assert again["content"] == content["content"]
        known = await asyncio.to_thread(inbox.status_kept, sent.hex())
        assert known is not None
        assert known["deliveries"] == status["deliveries"]


def events(world: DeskBridge, bulletin: bytes) -> list[str]:
    """What happened to it, as the sender's node has heard."""
    return [one["event"] for one in world.la.bulletins.status(bulletin)["timeline"]]


async def test_two_desks_of_one_officer_see_the_same(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        first, second = await world.desk(), await world.desk()
        sent = await received(world)
        for folder in (first, second):
            async with on_line(folder, bridge) as (desk, line):
                await Inbox(desk).pull(line)
                content = await Inbox(desk).read(line, sent)
                assert content["content"]["body"] == wish().body
        rows = world.kh.db.rows("SELECT handle, reader FROM readings WHERE bulletin = ?", (sent,))
        assert [handle for handle, _ in rows] == ["dao", "dao"]
        assert len({reader for _, reader in rows}) == 2
        await eventually(lambda: "read" in events(world, sent))
        assert events(world, sent).count("read") == 1  # the log hears of the first one


async def test_a_lost_desk_is_enrolled_anew_and_everything_comes_again(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        lost = await world.desk()
        sent = await received(world)
        async with on_line(lost, bridge) as (desk, line):
            await Inbox(desk).pull(line)
            await Inbox(desk).read(line, sent)
            old = desk.key.key_id
        await world.revoke(old)
        await eventually(lambda: world.revoked(old))
        assert (await refusal(world, lost)).code == "key_revoked"
        new = await world.desk()
        async with on_line(new, bridge) as (desk, line):
            (row,) = await Inbox(desk).pull(line)
            assert (row["id"], row["read"]) == (sent.hex(), True)
            assert (await Inbox(desk).read(line, sent))["content"]["body"] == wish().body


async def test_the_node_says_that_there_is_news(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            assert await Inbox(desk).pull(line) == []
            sent = await world.la.send(wish())
            found: list[str] = []
            while not found:
                await line.news()
                found = [row["id"] for row in await Inbox(desk).pull(line)]
            assert found == [sent.hex()]


# --- writing --------------------------------------------------------------------------------------


async def test_what_was_signed_without_the_line_is_sent_once_it_is_there(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk:
            routine = await queue(desk)
            urgent = await queue(desk, urgency="immediate")
        assert kept_here(world) == []
        async with on_line(folder, bridge) as (desk, line):
            done = await sync(desk, line)
            assert [one.number for one in done.sent] == [routine.number, urgent.number]
            assert done.refused == []
            by_number = {one.number: one.bulletin for one in done.sent}
        # What is urgent went first.
        assert kept_here(world) == [by_number[urgent.number], by_number[routine.number]]
        first = by_number[urgent.number]
        assert first is not None
        await eventually(lambda: states(world.kh, first) == ["accepted"])
        status = world.kh.bulletins.status(first)
        assert (status["author"], status["header"]["urgency"]) == ("dao", "immediate")


async def test_what_the_node_refuses_is_a_draft_again(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            outbox = Outbox(desk)
            stranger = Written(letter(LA).data, ("vn.vks",))
            await asyncio.to_thread(outbox.queue, stranger, {})
            (error,) = await outbox.send(line)
            assert error.code == "mailbox_missing"
            assert await asyncio.to_thread(outbox.all) == []
            (draft,) = await asyncio.to_thread(Drafts(desk).all)
            assert (draft.code, draft.written) == ("mailbox_missing", stranger)
            corrected = Written(draft.written.data, (LA,))
            await asyncio.to_thread(outbox.queue, corrected, {}, draft.number)
            assert await asyncio.to_thread(Drafts(desk).all) == []
            assert await outbox.send(line) == []
        assert len(kept_here(world)) == 1


async def test_drafts_are_kept_shown_and_removed(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()

    def work(desk: Desk) -> None:
        drafts = Drafts(desk)
        one, two = drafts.add(letter(LA)), drafts.add(letter(LA, urgency="priority"))
        assert [draft.number for draft in drafts.all()] == [one.number, two.number]
        drafts.remove(one.number)
        assert drafts.all() == [two]
        for number in (one.number, 99):
            with pytest.raises(InvalidInput, match="draft_unknown"):
                drafts.get(number)
        with pytest.raises(InvalidInput, match="recipients_missing"):
            drafts.add(Written(letter(LA).data, ()))
        queued = Outbox(desk).queue(two.written, {}, two.number)
        assert drafts.all() == []
        again = Outbox(desk).withdraw(queued.number)
        assert isinstance(again, Draft)
        assert again.number not in (one.number, two.number, queued.number)
        assert [draft.written for draft in drafts.all()] == [two.written]
        with pytest.raises(InvalidInput, match="queued_unknown"):
            Outbox(desk).withdraw(queued.number)

    async with at(folder, bridge) as desk:
        await asyncio.to_thread(work, desk)


# --- who may --------------------------------------------------------------------------------------


async def test_unknown_and_revoked_officers_are_refused(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        stranger = await world.desk("eve", enrolled=False)
        error = await refusal(world, stranger)
        assert isinstance(error, Refused)
        assert error.code == "key_unknown"
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            await Inbox(desk).pull(line)
            await world.revoke(desk.key.key_id)
            # An open session ends by itself; the desk only listens.
            with pytest.raises(Refused, match="key_revoked"):
                await listen(line)
        assert (await refusal(world, folder)).code == "key_revoked"


async def listen(line: DeskLine) -> NoReturn:
    """Take all news, until the line ends."""
    while True:
        await line.news()


async def test_a_desk_asks_for_its_own_officer_only(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        dao, lim = await world.desk("dao"), await world.desk("lim")
        sent = await received(world)
        async with at(lim, bridge) as other, on_line(dao, bridge) as (desk, line):
            forged = Desk(other.me, other.key, desk.store, desk.clock)
            with pytest.raises(Refused, match="key_foreign"):
                await Inbox(forged).read(line, sent)
            await queue(forged)
            (error,) = await Outbox(forged).send(line)
            assert error.code == "key_foreign"
        assert world.kh.db.rows("SELECT * FROM readings") == []
        assert kept_here(world) == []


async def test_a_wrong_clock_is_said_and_nothing_is_lost(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        for ahead in (LIMITS.skew_ms + 5_000, -3600_000, 5 * 365 * 86_400_000):
            error = await refusal(world, folder, ahead=ahead)
            assert isinstance(error, OperatorError)
            assert error.code == "desk_clock"
            assert ("ahead of" in error.message) == (ahead > 0)
        async with on_line(folder, bridge, ahead=LIMITS.skew_ms - 5_000) as (desk, line):
            assert await Inbox(desk).pull(line) == []


async def test_another_nodes_certificate_is_not_spoken_to(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        me = await asyncio.to_thread(folder.read)
        await asyncio.to_thread(folder.write, replace(me, tls=bytes(32)))
        error = await refusal(world, folder)
        assert isinstance(error, Refused)
        assert error.code == "tls_pin_differs"
        await asyncio.to_thread(folder.write, replace(me, agency=LA))
        assert (await refusal(world, folder)).code == "agency_differs"
        await asyncio.to_thread(folder.write, me)
        async with on_line(folder, bridge):
            pass


async def test_a_new_invitation_is_taken_with_the_old_key(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        early, late = await world.desk("dao", enrolled=False), await world.desk("lim")
        # The agency's chain went on: dao's request no longer follows it.
        stale = early.request("dao")
        with pytest.raises(Refused, match="request_stale"):
            await world.enrol(stale)
        before = await asyncio.to_thread(stale.read_bytes)
        await world.start(early, None)
        assert await asyncio.to_thread(stale.read_bytes) != before
        for folder in (early, late):
            async with on_line(folder, bridge):
                pass
        with pytest.raises(Refused, match="desk_differs"):
            await world.start(early, "lim")


# --- thieves --------------------------------------------------------------------------------------


async def test_a_stolen_desk_shows_nothing(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        sent = await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await Inbox(desk).pull(line)
            await asyncio.to_thread(Inbox(desk).keep, await Inbox(desk).read(line, sent))
            await Inbox(desk).status(line, sent.hex())
            await asyncio.to_thread(Drafts(desk).add, letter(LA))
            done = await queue(desk)
            copy = await asyncio.to_thread(stolen, folder.folder)  # while it is in use
            await sync(desk, line)
        assert done.content[:40] not in copy
        copy += await asyncio.to_thread(stolen, folder.folder)
        for word in (b"case_statistics", b"drug_seizure", b"training", b"routine", b"amber"):
            assert word not in copy
        for text in texts(wish().about) | texts(json.loads(letter(LA).data)):
            assert text.encode() not in copy, text
        for name in (sent, sent.hex().encode(), LA.encode()):
            assert name not in copy
        with pytest.raises(OperatorError, match="passphrase_wrong"):
            async with at(folder, bridge, passphrase="another sesame of a test"):
                pass


def texts(value: Any) -> set[str]:
    """Every text of some length in a JSON value."""
    if isinstance(value, dict):
        return set().union(*(texts(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(texts(item) for item in value))
    return {value} if isinstance(value, str) and len(value) > 5 else set()


async def test_a_key_that_comes_plain_rests_sealed(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        invitation = await asyncio.to_thread(world.invitation)
    plain, folder = bridge.place / "plain.key", DeskFolder(bridge.place / "desk")
    key = new_key(Role.OFFICER, "dao")

    def work() -> None:
        write_plain(plain, key)
        made = start_desk(folder, invitation, SECRET, now=bridge.clock(), brought=plain, cost=CHEAP)
        assert (made.me.handle, made.key_id, made.request) == ("dao", key.key_id, None)
        assert is_sealed(folder.key_file)
        assert read_key(folder.key_file, Role.OFFICER, SECRET).seed == key.seed
        # Who asks for a token now is not left to believe that it guards this key.
        wanted = TokenAccess(token="desk", library=plain)
        for again in (plain, None):
            with pytest.raises(OperatorError, match="desk_key_differs") as refused:
                start_desk(
                    folder, invitation, SECRET, now=bridge.clock(), brought=again, access=wanted
                )
            assert "leave --token out" in str(refused.value.hint)

    await asyncio.to_thread(work)


async def test_a_full_disk_keeps_nothing_by_halves(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        sent = await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await Inbox(desk).pull(line)
            content = await Inbox(desk).read(line, sent)
            with pytest.raises(OperatorError, match="desk_disk_full"):
                await asyncio.to_thread(fill, desk)
            with pytest.raises(OperatorError, match="desk_disk_full"):
                await asyncio.to_thread(Inbox(desk).keep, content | {"more": "x" * 20_000})
            with pytest.raises(OperatorError, match="desk_disk_full"):
                await queue(desk)
            assert await asyncio.to_thread(Outbox(desk).all) == []
            assert await asyncio.to_thread(Inbox(desk).opened, sent.hex()) is None
        async with on_line(folder, bridge) as (desk, line):  # there is room again
            await queue(desk)
            done = await sync(desk, line)
            assert len(done.sent) == 1
        assert len(kept_here(world)) == 1


def fill(desk: Desk) -> None:
    """Write until there is no page more: SQLite answers as it does on a full disk."""
    desk.store._db.execute("PRAGMA max_page_count = 1")  # the pages in use are the least it takes
    while True:
        Drafts(desk).add(letter(LA))


async def test_the_node_is_away(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
    with pytest.raises(Unavailable, match="node_unreachable"):
        async with on_line(folder, bridge):
            pass
