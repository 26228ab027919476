"""Every export is a record: attachments, bundles, pages, disclosures; in the log, and counted."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from saphan.cli.main import main
from saphan.exports_noted import NOTES
from saphan.node.disclosing import Asked
from saphan.node.service import NodeService
from saphan_protocol.batch import verify_one
from saphan_protocol.identity import pae
from saphan_schemas.codec import decode
from saphan_schemas.errors import Refused
from saphan_schemas.exports import EXPORT_TYPE, Export
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Role, Signature, Statement
from support.attaching import pdf, send
from support.bridge import KH, LA, Bridge, eventually, states
from support.command import answered, saphan_here
from support.desks import desk_bridge, ready_bridge

Json = dict[str, Any]


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


def listed(node: NodeService, bulletin: bytes) -> list[Json]:
    return node.subjects.exports.listed(bulletin)


def logged(node: NodeService, bulletin: bytes) -> bool:
    """Whether the log shows every export of a bulletin."""
    return all(one["index"] is not None for one in listed(node, bulletin))


async def received(world: Any) -> bytes:
    """A bulletin with an attachment that kh.gpo has read."""
    bulletin = await send(world.la, pdf(3 * KIB))
    await eventually(lambda: states(world.la, bulletin) == ["accepted"])
    await world.kh.read_by_system(bulletin)
    return bulletin


async def verified(bundle: Path, page: Path, folder: Path) -> None:
    """A page of a bundle, made where this folder is."""
    words = ("evidence", "verify", bundle, "--page", page, "--dir", folder)
    status = await asyncio.to_thread(main, [str(word) for word in words])
    assert status in (0, 6)  # valid, or valid with gaps: whether all witnesses were in time
    assert await asyncio.to_thread(page.is_file)


async def test_a_saved_attachment_is_recorded_once_for_each_who_saves_it(
    bridge: Bridge, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await received(world)
        there = ("--dir", bridge.place / KH)
        for name in ("one.pdf", "two.pdf"):
            words = ("attachment", bulletin.hex(), "1", "--out", tmp_path / name)
            await answered(*words, *there)
        (one,) = listed(world.kh, bulletin)
        assert (one["kind"], one["by"], one["number"]) == ("saved", "keeper", 1)
        await eventually(partial(logged, world.kh, bulletin))
        told = await answered("retention", "report", "--exports", bulletin.hex()[:16], *there)
        assert told["exports"] == listed(world.kh, bulletin)
        line = (
            await asyncio.to_thread(
                saphan_here, "retention", "report", "--exports", bulletin.hex(), *there
            )
        ).out
        assert "an attachment was saved 1, by keeper" in line
        words = ("retention", "show", bulletin.hex(), *there)
        assert (await asyncio.to_thread(saphan_here, *words)).out.count("by keeper") == 1


async def test_a_record_is_signed_and_the_log_commits_to_it(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await received(world)
        note = partial(world.kh.subjects.exports.note, bulletin, "saved", "system:case", 1)
        assert await world.kh.engine.in_sealing(note)
        assert not await world.kh.engine.in_sealing(note)
        world.kh.line.wake_statements()
        await eventually(lambda: logged(world.kh, bulletin))
        (row,) = world.kh.db.rows("SELECT record, signature, salt, statement FROM exports")
        record, signature, salt, statement = row
        said = decode(Export, record, KIB, "record")
        assert (said.bulletin, said.agency, said.by) == (bulletin, KH, "system:case")
        signed = decode(Signature, signature, 8 * KIB, "signature")
        directory = world.kh.logs.directory
        assert directory.key(signed.item.key, Role.NODE).agency == KH
        verify_one(signed, directory.verifying(signed.item.key), EXPORT_TYPE, record)
        stated = decode(Statement, statement, LIMITS.statement_bytes, "statement")
        assert stated.code == "saved"
        assert stated.detail == hmac.digest(salt, pae(EXPORT_TYPE, record), "sha256")


async def test_bundles_pages_and_disclosures_are_each_a_record(
    bridge: Bridge, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await received(world)
        there = ("--dir", bridge.place / KH)
        for number in (1, 2):
            file = tmp_path / f"{number}.bundle"
            await answered("evidence", "export", bulletin.hex(), "--out", file, *there)
        page = tmp_path / "page.html"
        await verified(tmp_path / "1.bundle", page, bridge.place / KH)
        asked = Asked("the court of appeal", "order 12/2026", None)
        disclose = partial(world.kh.disclosing.disclose, bulletin, asked)
        await world.kh.engine.in_sealing(disclose)
        world.kh.line.wake_statements()
        await eventually(lambda: logged(world.kh, bulletin))
        kinds = [one["kind"] for one in listed(world.kh, bulletin)]
        assert kinds == ["bundled", "bundled", "printed", "disclosed"]
        assert world.kh.subjects.exports.counts(bulletin) == {
            "bundled": 2,
            "disclosed": 1,
            "printed": 1,
        }
        # Whoever erases it tells the originator of them.
        erase = partial(world.kh.retention.sweeping.erasing.erase, [bulletin], "review")
        await world.kh.engine.in_frames(erase)
        world.kh.line.wake_statements()
        timeline = partial(world.la.bulletins.status, bulletin)
        await eventually(lambda: "erased" in {one["event"] for one in timeline()["timeline"]})
        (erased,) = (one for one in timeline()["timeline"] if one["event"] == "erased")
        assert erased["known"]["exports"] == world.kh.subjects.exports.counts(bulletin)


async def test_what_is_exported_without_the_node_is_recorded_when_it_starts(
    bridge: Bridge, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await received(world)
        await eventually(lambda: world.kh.db.row("SELECT 1 FROM entries WHERE event = 'read'"))
    there = ("--dir", bridge.place / KH)
    file = tmp_path / "file.bundle"
    await answered("evidence", "export", bulletin.hex(), "--out", file, *there)
    notes = bridge.place / KH / "node" / "data" / NOTES
    assert len(list(notes.iterdir())) == 1
    (notes / "ff.json").write_text("{}")  # it is nobody's, and in nobody's way
    async with desk_bridge(bridge) as world:
        await eventually(lambda: listed(world.kh, bulletin))
        (one,) = listed(world.kh, bulletin)
        assert (one["kind"], one["by"]) == ("bundled", "keeper")
        await eventually(lambda: logged(world.kh, bulletin))
        assert [path.name for path in notes.iterdir()] == ["ff.json"]


async def test_a_page_on_a_strangers_machine_is_nobodys_export(
    bridge: Bridge, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await received(world)
        file = tmp_path / "file.bundle"
        there = ("--dir", bridge.place / KH)
        await answered("evidence", "export", bulletin.hex(), "--out", file, *there)
    alone = tmp_path / "court"
    alone.mkdir()
    await verified(file, tmp_path / "page.html", alone)
    assert await asyncio.to_thread(os.listdir, alone) == []


async def test_nothing_leaves_while_its_record_cannot_be_kept(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await received(world)

        def full(*_: object) -> None:
            raise Refused("disk_full", "there is no room")

        monkeypatch.setattr(world.kh.subjects.exports, "keep", full)
        there = ("--dir", bridge.place / KH)
        out = tmp_path / "one.pdf"
        words = ("attachment", bulletin.hex(), "1", "--out", out, *there)
        await asyncio.to_thread(saphan_here, *words, status=3)
        bundle = tmp_path / "file.bundle"
        words = ("evidence", "export", bulletin.hex(), "--out", bundle, *there)
        await asyncio.to_thread(saphan_here, *words, status=3)
        assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_what_the_log_does_not_know_is_a_record_without_a_statement(
    bridge: Bridge,
) -> None:
    async with desk_bridge(bridge):
        pass  # both nodes know their agreement
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node(LA) as node:
        bulletin = await send(node, pdf(2 * KIB))
        note = partial(node.subjects.exports.note, bulletin, "saved", "keeper", 1)
        assert not await node.engine.in_sealing(note)
        (one,) = listed(node, bulletin)
        assert (one["kind"], one["index"]) == ("saved", None)
        assert node.db.rows("SELECT * FROM statements WHERE event = 'exported'") == []


async def test_the_sender_reads_what_was_known_of_it(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        bulletin = await received(world)
        await world.kh.engine.in_sealing(
            partial(world.kh.subjects.exports.note, bulletin, "saved", "keeper", 1)
        )
        erase = partial(world.kh.retention.sweeping.erasing.erase, [bulletin], "review")
        await world.kh.engine.in_frames(erase)
        world.kh.line.wake_statements()
        query = "SELECT 1 FROM entries WHERE event = 'erased'"
        await eventually(lambda: world.la.db.row(query))
        words = ("status", bulletin.hex(), "--dir", bridge.place / LA)
        said = (await asyncio.to_thread(saphan_here, *words)).out
        assert "exports known: an attachment was saved: 1; desks that have confirmed: 0" in said
        words = ("status", bulletin.hex(), "--dir", bridge.place / KH)
        said = (await asyncio.to_thread(saphan_here, *words)).out
        assert "exports known" not in said  # it is sealed to the sender
