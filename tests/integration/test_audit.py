"""A real broker and two real nodes: their exports are audited, and what was tampered is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from saphan.audit.fetch import fetch_logs
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan.audit.records import export_records
from saphan_broker.app import serving
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.verdict import audit
from saphan_protocol.pins import Pins, format_pins
from saphan_schemas.bodies import known_types
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, Unavailable
from support.agency import Agency
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.broker_command import running_broker, saphan_broker
from support.ceremony import NOW
from support.command import saphan
from support.log_folders import write_log
from support.logbook import PINS, Logbook

TYPES = {known.name: known.digest for known in known_types()}


def verified(pins: Pins, folder: Path, *packs: Path) -> Report:
    logs = [LogFolder(folder / name) for name in ("directory", "evidence")]
    named = [(path.name, read_pack(path)) for path in packs]
    return audit(pins, logs[0], logs[1], named, TYPES)


async def _exchanged(bridge: Bridge) -> None:
    """Three bulletins one way and one back, each accepted."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await agreed(kh)
        sent = [await la.send(wish()) for _ in range(3)]
        back = await kh.send(wish(LA))
        await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))
        await eventually(lambda: all(states(kh, one) == ["accepted"] for one in sent))
        for node in (la, kh):
            await eventually(lambda node=node: states(node, back) == ["accepted"])  # type: ignore[misc]


async def test_what_a_bridge_exports_is_found_good(bridge: Bridge, tmp_path: Path) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        await _exchanged(bridge)
    data = ("--data", bridge.place / "data")
    await _command("log", "export", *data, "--out", tmp_path / "logs")
    keys = ("--keys", bridge.place / "keys")
    await _command("records", "export", *data, *keys, "--out", tmp_path / "broker.pack")
    made: dict[str, Any] = {}
    for name in (LA, KH):
        words = ("--dir", bridge.place / name, "--out", tmp_path / f"{name}.pack", "--json")
        made[name] = (await asyncio.to_thread(saphan, "records", "export", *words)).json
    packs = [tmp_path / f"{name}.pack" for name in ("broker", LA, KH)]
    for given in (packs, packs[:1], packs[1:2]):
        report = await asyncio.to_thread(verified, bridge.pins, tmp_path / "logs", *given)
        assert report.finding is None
        seen = report.coverage
        assert (seen.entries, seen.entries_opened, seen.unplaced) == (12, 12, 0)
        assert (seen.agreements_opened, seen.deliveries) == (1, {"accepted": 4})
        # Nodes show the heads that they have kept, the broker its newest one only.
        assert (seen.heads_shown > 1) is (packs[1] in given)
    assert made[LA]["entries"] == made[KH]["entries"] == 12
    (tmp_path / "pins.json").write_bytes(format_pins(bridge.pins))
    given_words = (tmp_path / "logs", "--pins", tmp_path / "pins.json", "--pack", packs[0])
    await asyncio.to_thread(saphan, "audit", "verify", *given_words)


async def test_logs_are_fetched_over_http_and_found_good(bridge: Bridge, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    async with bridge.broker_running():
        await bridge.enrol()
        await _exchanged(bridge)
    with running_broker(bridge.place) as closed, pytest.raises(Refused) as caught:
        await fetch_logs(closed.url, folder, None, bridge.pins, _silent)
    assert caught.value.code == "token_required"
    with running_broker(bridge.place, "--public-log") as public:
        first = await fetch_logs(public.url, folder, None, bridge.pins, _silent)
        again = await fetch_logs(public.url, folder, None, None, _silent)
        with pytest.raises(InvalidInput, match="head is of"):
            await fetch_logs(public.url, tmp_path / "other", None, PINS, _silent)
    report = await asyncio.to_thread(verified, bridge.pins, folder)
    assert report.finding is None
    assert report.coverage.evidence_leaves == first["evidence"].size
    assert first["evidence"].files == 3  # a tile, its bundle, the checkpoint
    assert again["evidence"].files == 1
    assert not (tmp_path / "other").exists()


async def _command(*words: str | Path) -> None:
    await asyncio.to_thread(saphan_broker, *words)


def _silent(_log: str, _done: int, _size: int) -> None:
    """Nobody waits."""


async def test_a_shorter_log_does_not_replace_a_longer_one(tmp_path: Path) -> None:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    for name, events in (("short", 0), ("long", 300)):
        for _ in range(events):
            book.anchor()
        book.sign()
        for log in (book.directory, book.evidence):
            folder = tmp_path / name / log.origin.split("/")[1]
            await asyncio.to_thread(write_log, log, folder)
    got = tmp_path / "got"
    async with _served(tmp_path) as url:
        long = await fetch_logs(f"{url}/long", got, None, PINS, _silent)
        assert (long["evidence"].size, long["evidence"].files) == (301, 6)
        assert (await asyncio.to_thread(verified, PINS, got)).finding is None
        with pytest.raises(OperatorError) as caught:
            await fetch_logs(f"{url}/short", got, None, PINS, _silent)
        assert caught.value.code == "folder_foreign"
        (tmp_path / "long/evidence/tile/0/001.p/45").unlink()
        with pytest.raises(Unavailable, match="404"):
            await fetch_logs(f"{url}/long", tmp_path / "new", None, PINS, _silent)
        assert not (tmp_path / "new/evidence/checkpoint").exists()
    with pytest.raises(Unavailable):
        await fetch_logs(url, got, None, PINS, _silent)


@asynccontextmanager
async def _served(folder: Path, *guards: Any) -> AsyncIterator[str]:
    app = web.Application(middlewares=guards)
    app.router.add_static("/", folder)
    async with serving(app, "127.0.0.1", 0) as (host, port):
        yield f"http://{host}:{port}"


async def test_what_a_lost_store_cannot_prove_is_left_out(bridge: Bridge, tmp_path: Path) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)
            one = await la.send(wish())
            await eventually(lambda: states(la, one) == ["accepted"])
        for path in (bridge.place / KH / "node" / "data").glob("node.db*"):
            path.unlink()
        async with bridge.node(KH) as kh:
            await eventually(lambda: len(kh.db.rows("SELECT idx FROM entries")) == 3)
    await _command("log", "export", "--data", bridge.place / "data", "--out", tmp_path / "logs")
    out = tmp_path / "kh.pack"
    words = ("--dir", bridge.place / KH, "--out", out, "--json")
    made = (await asyncio.to_thread(saphan, "records", "export", *words)).json
    report = await asyncio.to_thread(verified, bridge.pins, tmp_path / "logs", out)
    assert report.finding is None
    # What the sender signed comes again with the feed; its own two signatures are lost.
    assert report.coverage.entries_opened == made["entries"] == 1
    assert made["left_out"] == 2


async def test_records_of_a_part_of_the_log(bridge: Bridge, tmp_path: Path) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        await _exchanged(bridge)
        store = bridge.place / LA / "node" / "data" / "node.db"
        out = tmp_path / "part.pack"

        def part(start: int, stop: int | None, out: Path = out) -> int:
            return export_records(store, out, LA, bridge.pins, 0, start, stop).entries

        async with bridge.node(LA):  # beside the running node
            entries = await asyncio.to_thread(part, 5, 9)
    await _command("log", "export", "--data", bridge.place / "data", "--out", tmp_path / "logs")
    report = await asyncio.to_thread(verified, bridge.pins, tmp_path / "logs", out)
    assert report.finding is None
    assert report.coverage.entries_opened == entries > 0
    with pytest.raises(InvalidInput) as caught:
        await asyncio.to_thread(part, 10_000, None, tmp_path / "none.pack")
    assert caught.value.code == "range_empty"


async def test_what_is_no_store_is_not_exported(tmp_path: Path) -> None:
    foreign = tmp_path / "node.db"
    cases = ((None, "file_missing"), (b"", "store_foreign"), (b"x" * 4096, "store_damaged"))
    for make, code in cases:
        if make is not None:
            foreign.write_bytes(make)
        with pytest.raises(OperatorError) as caught:
            await asyncio.to_thread(export_records, foreign, tmp_path / "out.pack", LA, PINS, 0)
        assert caught.value.code == code
    assert not (tmp_path / "out.pack").exists()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://bridge.example", "address_malformed"),
        ("https://", "address_malformed"),
        ("https://bridge.example:port", "address_malformed"),
        ("https://[::1", "address_malformed"),
        ("https://bridge.example/?log=1", "address_malformed"),
        ("http://bridge.example", "token_in_clear"),
    ],
)
async def test_addresses_that_are_not_asked(tmp_path: Path, url: str, code: str) -> None:
    with pytest.raises((InvalidInput, Refused)) as caught:
        await fetch_logs(url, tmp_path / "got", "token", PINS, _silent)
    assert caught.value.code == code
    assert not (tmp_path / "got").exists()


async def test_a_token_admits_to_a_log_that_is_not_public(tmp_path: Path) -> None:
    """The whole command, with the token in a file that only its owner reads."""
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    book.sign()
    for log in (book.directory, book.evidence):
        await asyncio.to_thread(write_log, log, tmp_path / "served" / log.origin.split("/")[1])

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer abc":
            raise web.HTTPUnauthorized
        answer: web.StreamResponse = await handler(request)
        return answer

    token = tmp_path / "token"
    token.write_text("abc\n")
    words = ("audit", "fetch", "--token-file", token)
    async with _served(tmp_path / "served", guard) as url:
        exposed = await asyncio.to_thread(saphan, *words, url, tmp_path / "got", status=5)
        token.chmod(0o600)
        got = await asyncio.to_thread(saphan, *words, url, tmp_path / "got", "--json")
        without = await asyncio.to_thread(saphan, "audit", "fetch", url, tmp_path / "new", status=3)
    assert exposed.code == "key_file_exposed"
    assert got.json["evidence"]["size"] == 1
    assert without.code == "token_required"
    assert (await asyncio.to_thread(verified, PINS, tmp_path / "got")).finding is None
