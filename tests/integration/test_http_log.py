"""The logs over HTTP: C2SP paths, only what is signed, only for those who may see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from saphan_broker.blobs.store import BlobStore
from saphan_broker.clock import system_clock
from saphan_broker.http_log import LogPages, TokenCheck
from saphan_broker.seeds import DayKeys
from saphan_broker.state import State
from saphan_broker.store.base import CosignatureRow, Log, LogHead
from saphan_broker.store.memory import MemoryStore
from saphan_protocol.checkpoint import format_checkpoint, verify_cosignatures, verify_head
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_protocol.notes import format_vkey
from saphan_protocol.pins import Pins
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import decode_bundle, entries_path, tile_path
from saphan_schemas.directory_records import LogPin
from support.log_keys import log_note, log_pair, witness_lines, witness_pair
from support.store_commits import Story

Client = TestClient[web.Request, web.Application]
TIME = 1_790_000_000
ORIGINS: dict[Log, str] = {
    "directory": "bridge.example/directory/1",
    "evidence": "bridge.example/evidence/1",
}


class NoDayKeys(DayKeys):
    """The public logs are read without any day key: one that is asked for ends the test."""

    def __init__(self) -> None:
        super().__init__(Path("there-is-none.seed"), 0, bytes(32))

    def wrap(self, day: int, plaintext: bytes, context: bytes) -> bytes:
        raise AssertionError(day)

    def unwrap(self, day: int, wrapped: bytes, context: bytes) -> bytes:
        raise AssertionError(day)


def pin(origin: str) -> LogPin:
    first, second = log_pair(origin)
    return LogPin(origin, (format_vkey(first), format_vkey(second)))


async def made_state() -> State:
    store = MemoryStore()

    async def reopen() -> MemoryStore:
        raise AssertionError("nothing is committed here whose fate could be unknown")

    pins = Pins(
        name="bridge.example",
        directory=pin(ORIGINS["directory"]),
        evidence=pin(ORIGINS["evidence"]),
    )
    return State(
        store, reopen, pins, NoDayKeys(), {}, blobs=BlobStore(Path("no-attachments"), system_clock)
    )


def leaf(index: int) -> bytes:
    return b"leaf %d" % index


async def grow(state: State, log: Log, number: int, *, sign: bool = True, pad: int = 0) -> None:
    """Commit leaves, each `pad` bytes longer; sign and publish the head that covers them."""
    book = state.books[log]
    story = await Story.resumed(state.store, log)
    first = story.tree.size
    await state.store.commit(
        story.leaves([leaf(i).ljust(pad, b".") for i in range(first, first + number)])
    )
    await book.load()
    if sign:
        note = log_note(book.origin, checkpoint_text(book.origin, book.head), TIME)
        await state.store.put_note(log, book.head.size, note)
        await book.load_note(log_pair(book.origin))


def checkpoint_text(origin: str, head: LogHead) -> bytes:
    return format_checkpoint(origin, head.size, head.root)


@asynccontextmanager
async def served(state: State, admits: TokenCheck | None = None) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(LogPages(state, admits).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def get(client: Client, path: str, **headers: str) -> tuple[int, bytes]:
    async with client.get(path, headers=headers) as response:
        return response.status, await response.read()


async def test_a_log_is_rebuilt_and_proven_from_what_is_served() -> None:
    state = await made_state()
    await grow(state, "evidence", 600)
    async with served(state) as client:
        status, note = await get(client, "/evidence/checkpoint")
        assert status == 200
        head = verify_head(note, log_pair(ORIGINS["evidence"]))
        assert head.size == 600
        leaves: list[bytes] = []
        for n, width in ((0, 256), (1, 256), (2, 88)):
            status, data = await get(client, f"/evidence/{entries_path(n, width)}")
            assert status == 200
            leaves += decode_bundle(data, width)
        assert leaves == [leaf(i) for i in range(600)]
        tree, tiles = TileTree(0, {}, no_tile).grow([leaf_hash(one) for one in leaves])
        assert tree.root() == head.root
        for (level, n), hashes in tiles.items():
            path = tile_path(level, n, len(hashes) // 32)
            assert await get(client, f"/evidence/{path}") == (200, hashes)
        verify_inclusion(599, 600, leaf_hash(leaves[599]), tree.inclusion(599), head.root)


def no_tile(level: int, n: int) -> bytes:
    raise AssertionError((level, n))


async def test_full_tiles_are_kept_for_ever_and_partial_ones_are_not() -> None:
    state = await made_state()
    await grow(state, "directory", 300)
    async with served(state) as client:
        async with client.get("/directory/tile/0/000") as response:
            assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert response.content_type == "application/octet-stream"
        for path in ("tile/0/001.p/44", "tile/entries/001.p/44", "checkpoint"):
            async with client.get(f"/directory/{path}") as response:
                assert response.status == 200
                assert response.headers["Cache-Control"] == "public, no-cache"


async def test_what_is_committed_but_not_signed_is_not_shown() -> None:
    state = await made_state()
    await grow(state, "evidence", 200)
    await grow(state, "evidence", 100, sign=False)
    async with served(state) as client:
        assert (await get(client, "/evidence/tile/0/000.p/200"))[0] == 200
        assert (await get(client, "/evidence/tile/0/000.p/12"))[0] == 200
        hidden = ("tile/0/000.p/201", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1")
        for path in (*hidden, "tile/entries/000", "tile/entries/000.p/201"):
            status, body = await get(client, f"/evidence/{path}")
            assert (status, b"not_found" in body) == (404, True), path
        status, note = await get(client, "/evidence/checkpoint")
        assert verify_head(note, log_pair(ORIGINS["evidence"])).size == 200


async def test_a_tile_of_an_older_head_is_the_beginning_of_the_longer_one() -> None:
    state = await made_state()
    await grow(state, "evidence", 100)
    async with served(state) as client:
        _, before = await get(client, "/evidence/tile/0/000.p/100")
        await grow(state, "evidence", 100)
        assert await get(client, "/evidence/tile/0/000.p/100") == (200, before)
        _, longer = await get(client, "/evidence/tile/0/000.p/200")
        assert longer.startswith(before)


async def test_an_empty_log_has_no_checkpoint() -> None:
    async with served(await made_state()) as client:
        assert (await get(client, "/evidence/checkpoint"))[0] == 404
        assert (await get(client, "/evidence/tile/0/000.p/1"))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/00/000",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/%30%30%30",
        "tile/0/000.p%2F44",
        "tile/%30/000",
        "tile/0/000/",
        "tile/0//000",
        "tile/entries/1/000",
        "tile/entries/0",
        "tile/x/../0/000",
        "tile/0/\u0660\u0660\u0660",
        "tile/" + "9" * 3000,
        "chec%6Bpoint",
    ],
)
async def test_a_path_has_one_spelling(path: str) -> None:
    state = await made_state()
    await grow(state, "evidence", 300)
    async with served(state) as client:
        assert await raw_status(client, f"/evidence/{path}") in (400, 404)
        assert await raw_status(client, "/evidence/tile/0/000") == 200


async def raw_status(client: Client, path: str) -> int:
    """A request line sent exactly as it stands here: the client would tidy it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_readers_that_stall_hold_no_more_than_their_room_and_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("saphan_broker.http_log.SENT_BYTES", 12_000_000)
    monkeypatch.setattr("saphan_broker.http_log.PATIENCE_S", 0.3)
    state = await made_state()
    await grow(state, "directory", 256, pad=40_000)  # one bundle of 10 MB: room for one at a time
    path = f"/directory/{entries_path(0, 256)}"
    async with served(state) as client:
        stalled = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(3)]
        for _, writer in stalled:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.sleep(0)  # none of them reads on: each must be let go for the next
        status, data = await get(client, path)
        assert status == 200
        assert len(decode_bundle(data, 256)) == 256
        for reader, writer in stalled:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(10_000_000)
            writer.close()


async def test_a_long_answer_is_only_measured_by_head() -> None:
    state = await made_state()
    await grow(state, "directory", 256, pad=1_000)
    async with served(state) as client:
        async with client.head(f"/directory/{entries_path(0, 256)}") as response:
            assert response.headers["Content-Length"] == str(256 * 1_002)
            assert await response.read() == b""
        assert (await get(client, "/directory/checkpoint"))[0] == 200


async def test_without_public_log_a_token_of_an_open_session_is_needed() -> None:
    state = await made_state()
    await grow(state, "evidence", 300)
    tokens = {"tok-la"}
    async with served(state, tokens.__contains__) as client:
        path = "/evidence/tile/0/000"
        for headers in ({}, {"Authorization": "Bearer nope"}, {"Authorization": "tok-la"}):
            status, body = await get(client, path, **headers)
            assert (status, b"token_required" in body) == (401, True)
        async with client.get(path, headers={"Authorization": "Bearer tok-la"}) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        tokens.clear()
        assert (await get(client, path, Authorization="Bearer tok-la"))[0] == 401
        assert (await get(client, "/evidence/checkpoint"))[0] == 401


async def test_a_checkpoint_carries_the_cosignatures_of_its_own_head() -> None:
    state = await made_state()
    await grow(state, "evidence", 5)
    book = state.evidence
    text = checkpoint_text(book.origin, book.head)
    for agency in ("kh.gpo", "la.ospp"):
        lines = witness_lines(f"{agency}/witness", text, TIME)
        await state.store.put_cosignature(
            "evidence", CosignatureRow(agency, book.head.size, TIME * 1000, lines)
        )
    witnesses = [witness_pair("kh.gpo/witness"), witness_pair("la.ospp/witness")]
    async with served(state) as client:
        _, note = await get(client, "/evidence/checkpoint")
        assert len(verify_cosignatures(note, witnesses)) == 2
        # The next head has not been cosigned: old lines would not hold on it.
        await grow(state, "evidence", 1)
        _, note = await get(client, "/evidence/checkpoint")
        head = verify_head(note, log_pair(book.origin), witnesses)
        assert (head.size, head.cosignatures) == (6, ())


async def test_nothing_is_written_over_http() -> None:
    state = await made_state()
    await grow(state, "evidence", 5)
    async with served(state) as client:
        for method in ("POST", "PUT", "DELETE"):
            async with client.request(method, "/evidence/checkpoint") as response:
                assert response.status == 405
        async with client.head("/evidence/checkpoint") as response:
            assert (response.status, await response.read()) == (200, b"")
