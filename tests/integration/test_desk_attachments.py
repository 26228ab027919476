"""Attachments at a desk: brought in pieces, fetched when wanted, sealed, resumed after a cut."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.attaching import LocalFile, measure
from saphan.desk.desk import Desk
from saphan.desk.drafts import Draft, Drafts, Written
from saphan.desk.files import AttachedFile, Files, download_name, upload_name
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox, Queued
from saphan_schemas.desk_frames import AskFetch, AskInbox, AskPart, DeskPart
from saphan_schemas.errors import InvalidInput, Refused, SaphanError, Unavailable
from saphan_schemas.limits import KIB
from saphan_schemas.records import Blob
from support.bridge import LA, Bridge, eventually, states
from support.cutting_relay import cutting_relay
from support.desk_letters import kept_here, letter
from support.desks import at, desk_bridge, everything, on_line, ready_bridge

SIZE = 300 * KIB + 77
"""Nineteen pieces, the last one short."""


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@pytest.fixture
def report(tmp_path: Path) -> LocalFile:
    path = tmp_path / "lab report.pdf"
    path.write_bytes(b"%PDF-1.7\n" + os.urandom(SIZE - 9))
    return measure(path, "lab_report")


def attached(report: LocalFile) -> Written:
    one = report.attached
    file = AttachedFile(one.name, one.media_type, one.role, one.blob)
    return Written(letter(LA).data, (LA,), (file,))


async def queue(desk: Desk, report: LocalFile) -> Queued:
    await asyncio.to_thread(Files(desk).take, report.path, report.attached.blob)
    return await asyncio.to_thread(Outbox(desk).queue, attached(report), {})


async def test_a_file_goes_with_the_bulletin_and_is_fetched_at_the_other_desk(
    bridge: Bridge, report: LocalFile
) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            await queue(desk, report)
            await asyncio.to_thread(report.path.unlink)  # the desk has it
            assert await Outbox(desk).send(line) == []
            assert await asyncio.to_thread(desk.store.parts, upload_name(report.attached.blob)) == 0
            (sent,) = kept_here(world)
            await eventually(lambda: states(world.kh, sent) == ["accepted"])
            with pytest.raises(Refused, match="attachment_unread"):
                await Files(desk).fetch(line, sent, 1, report.attached.blob)
            content = await Inbox(desk).read(line, sent)
            (one,) = content["attachments"]
            assert (one["name"], one["role"]) == ("lab report.pdf", "lab_report")
            with pytest.raises(InvalidInput, match="attachment_unknown"):
                await Files(desk).fetch(line, sent, 2, report.attached.blob)
            await Files(desk).fetch(line, sent, 1, report.attached.blob)
            assert await Inbox(desk).pull(line) == []  # the line goes on
            name = download_name(sent, 1)
            assert await asyncio.to_thread(digest, desk, name, report.attached.blob) == (
                report.attached.blob.digest
            )
        stolen = await asyncio.to_thread(everything, folder.folder)
        assert b"%PDF" not in stolen
        assert b"lab report" not in stolen


def digest(desk: Desk, name: bytes, blob: Blob) -> bytes:
    found = hashlib.sha256()
    for piece in Files(desk).pieces(name, blob):
        found.update(piece)
    return found.digest()


async def visit(desk: Desk, line: DeskLine, report: LocalFile, sent: bytes | None) -> None:
    """Bring what waits, or fetch what came."""
    if sent is None:
        await Outbox(desk).send(line)
        return
    content = await Inbox(desk).read(line, sent)
    await asyncio.to_thread(Inbox(desk).keep, content)
    await Files(desk).fetch(line, sent, 1, report.attached.blob)


async def through(
    folder: DeskFolder, bridge: Bridge, address: str, report: LocalFile, sent: bytes | None
) -> SaphanError | None:
    try:
        async with on_line(folder, bridge, address=address) as (desk, line):
            await visit(desk, line, report, sent)
    except SaphanError as error:
        return error
    return None


async def test_a_cut_line_goes_on_where_it_was(bridge: Bridge, report: LocalFile) -> None:
    async with (
        desk_bridge(bridge) as world,
        cutting_relay(*world.kh.listening["desks"]) as relay,
    ):
        folder = await world.desk()
        async with at(folder, bridge) as desk:
            await queue(desk, report)
        visits = {"up": 0, "down": 0}
        for way, sent in (("up", None), ("down", kept_here)):
            total = 0
            while True:
                bulletin = None if sent is None else sent(world)[0]
                relay.carried = {"up": 0, "down": 0}
                relay.cut = {"up": None, "down": None, way: 140 * KIB}
                error = await through(folder, bridge, relay.address, report, bulletin)
                visits[way] += 1
                total += relay.carried[way]
                if error is None:
                    break
                assert isinstance(error, Unavailable)
            # What was on the way is lost with each cut; what had come is not brought again.
            assert visits[way] >= 3
            assert total < SIZE + visits[way] * 70 * KIB
        (sent_id,) = kept_here(world)
        async with at(folder, bridge) as desk:
            name = download_name(sent_id, 1)
            found = await asyncio.to_thread(digest, desk, name, report.attached.blob)
            assert found == report.attached.blob.digest
        await eventually(lambda: states(world.kh, sent_id) == ["accepted"])


async def test_an_answer_that_was_lost_brings_nothing_twice(
    bridge: Bridge, report: LocalFile
) -> None:
    async with (
        desk_bridge(bridge) as world,
        cutting_relay(*world.kh.listening["desks"]) as relay,
    ):
        folder = await world.desk()
        async with on_line(folder, bridge, address=relay.address) as (desk, line):
            queued = await queue(desk, report)
            outbox = Outbox(desk)
            await Files(desk).upload(line, report.attached.blob)
            relay.cut["down"] = relay.carried["down"] + 80  # no answer but the first, a number
            with pytest.raises(Unavailable, match="line_down"):
                await outbox.send(line)
            with pytest.raises(InvalidInput, match="queued_asked"):
                await asyncio.to_thread(outbox.withdraw, queued.number)
        await eventually(lambda: kept_here(world))
        relay.cut, relay.carried = {"up": None, "down": None}, {"up": 0, "down": 0}
        async with on_line(folder, bridge, address=relay.address) as (desk, line):
            assert await Outbox(desk).send(line) == []
            (done,) = await asyncio.to_thread(Outbox(desk).all)
        assert [done.bulletin] == kept_here(world)
        assert relay.carried["up"] < 60 * KIB


async def test_a_draft_keeps_its_files_until_it_goes(bridge: Bridge, report: LocalFile) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
    name = upload_name(report.attached.blob)

    def work(desk: Desk) -> None:
        files, drafts = Files(desk), Drafts(desk)
        files.take(report.path, report.attached.blob)
        one, two = drafts.add(attached(report)), drafts.add(attached(report))
        queued = Outbox(desk).queue(one.written, {}, one.number)
        Outbox(desk).remove_draft(two.number)
        assert files.has(name, report.attached.blob)  # the queued one needs them
        again = Outbox(desk).withdraw(queued.number)
        assert isinstance(again, Draft)
        assert files.has(name, report.attached.blob)
        Outbox(desk).remove_draft(again.number)
        assert desk.store.parts(name) == 0
        with pytest.raises(InvalidInput, match="attachment_mismatch"):
            files.take(report.path, Blob(SIZE, bytes(32)))
        named = letter(LA, attachments=[{"digest": "00" * 32, "name": "a.pdf",
                                         "media_type": "application/pdf"}])  # fmt: skip
        with pytest.raises(InvalidInput, match="attachment_missing"):
            drafts.add(named)

    async with at(folder, bridge) as desk:
        await asyncio.to_thread(work, desk)


async def test_two_lines_bring_the_same_file(bridge: Bridge, report: LocalFile) -> None:
    """A line that died unnoticed holds an upload open; the desk that comes back takes it over."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        blob = report.attached.blob
        async with on_line(folder, bridge) as (desk, first):
            await asyncio.to_thread(Files(desk).take, report.path, blob)
            async with on_line(folder, bridge) as (_, second):
                await half(desk, first, blob)
                await Files(desk).upload(second, blob)
                await Files(desk).upload(first, blob)  # it is whole: nothing to do
        assert world.kh.uploads.held(blob.digest, "officer:dao") == (SIZE, True)


async def half(desk: Desk, line: DeskLine, blob: Blob) -> None:
    """The beginning of an upload, whose line is left as it is."""
    part = await asyncio.to_thread(Files(desk)._bytes, upload_name(blob), 0, 4096)
    asked = AskPart(line.number(), blob, 0, part)
    await line.send(asked)
    await line.answer(asked.request)


async def test_two_programs_of_one_desk_send_everything_once(
    bridge: Bridge, report: LocalFile
) -> None:
    """A desk that watches, and an officer who syncs beside it."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk:
            for _ in range(4):
                await queue(desk, report)

        async def program() -> None:
            async with on_line(folder, bridge) as (desk, line):
                await Outbox(desk).send(line)

        await asyncio.gather(program(), program())
        await program()  # what one of them left to the other
        async with at(folder, bridge) as desk:
            sent = [one.bulletin for one in await asyncio.to_thread(Outbox(desk).all)]
            assert await asyncio.to_thread(Drafts(desk).all) == []
        assert len(set(sent)) == 4
        assert sorted(kept_here(world)) == sorted(one for one in sent if one is not None)


async def test_a_desk_that_asks_for_nonsense_is_answered(bridge: Bridge, report: LocalFile) -> None:
    """Whatever the numbers, an answer or a refusal with a code; the line goes on."""
    blob = report.attached.blob
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            await queue(desk, report)
            assert await Outbox(desk).send(line) == []
            (sent,) = kept_here(world)
            await Inbox(desk).read(line, sent)
            for offset in (SIZE - 1, SIZE, SIZE + 1, 2**53):
                asked = AskFetch(line.number(), sent, 1, offset, 16)
                await line.send(asked)
                found = await line.answer(asked.request)
                assert isinstance(found, DeskPart)
                assert len(found.data) == max(0, SIZE - offset)
            ghost = Blob(blob.length, bytes(32))
            for asking, code in (
                (AskFetch(0, bytes(32), 1, 0, 16), "bulletin_unknown"),
                (AskPart(0, ghost, 4, b"x"), "attachment_offset"),
                (AskPart(0, Blob(0, bytes(32)), 0, b""), "attachment_empty"),
                (AskPart(0, Blob(2**40, bytes(32)), 0, b"x"), "attachments_too_large"),
                (AskPart(0, Blob(1, bytes(32)), 0, b"xx"), "attachment_digest"),
                (AskPart(0, Blob(1, bytes(32)), 0, b"x"), "attachment_digest"),
            ):
                await line.send(asking)
                with pytest.raises(SaphanError) as caught:
                    await line.answer(0)
                assert caught.value.code == code
            page = await line.ask(AskInbox(line.number(), 2**53, 100))
            assert (page["bulletins"], page["more"]) == ([], False)
            assert world.kh.uploads.held(bytes(32), "officer:dao") == (0, False)
