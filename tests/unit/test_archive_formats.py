"""Archived objects: what is read is what was put, or it is refused (docs/adr/0015)."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.redis.archive import formats
from saphan_broker.store.redis.archive.bodies import spans
from saphan_broker.store.redis.archive.cache import Cache, memory
from saphan_broker.store.redis.archive.envelope import FORMAT, HEAD_BYTES, seal, unseal
from saphan_schemas.errors import OperatorError
from support.store_commits import digest

ROWS = {b"%d" % at: digest("leaf", at) for at in range(256)}
SIGNATURES = {digest("key"): bytes(3373)}
TILE = b"".join(digest("hash", at) for at in range(256))
REF = formats.BodyRef(digest("pack"), HEAD_BYTES, 10, digest("section"))


def finished(at: int) -> formats.Finished:
    id_ = digest("id", at)
    return formats.Finished(id_, "la.ospp", id_[:16], {b"f": b"facts", b"h": b"header"}, REF)


def facts_object(name: str) -> bytes:
    return seal(name, formats.facts_body(30_000, [finished(at) for at in range(3)])[0])


OBJECTS: tuple[tuple[Callable[[str], bytes], Callable[[str, bytes], object]], ...] = (
    (lambda name: seal(name, formats.block_body(ROWS, SIGNATURES, TILE)), formats.open_block),
    (lambda name: seal(name, TILE), formats.open_tile),
    (lambda name: seal(name, formats.box_body([3, 4, 900, 2**40])), formats.open_box),
    (facts_object, formats.open_facts),
)


def refused(work: Callable[[], object]) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        work()
    return caught.value


def test_what_was_sealed_is_read() -> None:
    block = formats.open_block("b", seal("b", formats.block_body(ROWS, SIGNATURES, TILE)))
    assert (block.rows, block.signatures, block.tile) == (ROWS, SIGNATURES, TILE)
    assert formats.open_tile("t", seal("t", TILE)) == TILE
    for indices in ([], [0], [7, 8, 1000, 2**50]):
        assert list(formats.open_box("x", seal("x", formats.box_body(indices)))) == indices
    facts = formats.open_facts("f", facts_object("f"))
    assert facts.due_day == 30_000
    assert facts.bulletins == {row.id: row for row in map(finished, range(3))}
    assert facts.nonces == {("la.ospp", row.nonce): row.id for row in map(finished, range(3))}


def test_the_same_fields_in_another_order_are_the_same_bytes() -> None:
    turned = dict(reversed(ROWS.items()))
    once = seal("b", formats.block_body(ROWS, SIGNATURES, TILE))
    assert seal("b", formats.block_body(turned, SIGNATURES, TILE)) == once
    rows = [finished(at) for at in range(3)]
    assert formats.facts_body(1, rows) == formats.facts_body(1, reversed(rows))


@pytest.mark.parametrize("kind", range(len(OBJECTS)))
def test_a_damaged_object_is_refused_and_named(kind: int) -> None:
    make, read = OBJECTS[kind]
    name = "store/kind/7"
    whole = make(name)
    read(name, whole)
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (0, 25, 60, -1)]
    cut = [whole[: len(whole) // 2], whole[: HEAD_BYTES - 1], b"", whole + b"\0"]
    for bad in flipped + cut:
        error = refused(lambda: read(name, bad))  # noqa: B023 - called here
        assert error.code == "object_damaged"
        assert name in error.message
    error = refused(lambda: read("store/kind/8", whole))
    assert error.code == "object_damaged"


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (formats.open_block, b"\x93\x80\x80\xc4\x00"),
        (formats.open_block, b"\x90"),
        (formats.open_tile, bytes(31)),
        (formats.open_box, b"\x91\x91\xa1x"),
        (formats.open_facts, b"\x92\x01\x91\x95" + b"\xc0" * 5),
        (formats.open_facts, b""),
    ],
)
def test_a_whole_object_of_another_shape_is_refused(
    read: Callable[[str, bytes], object], body: bytes
) -> None:
    assert refused(lambda: read("n", seal("n", body))).code == "object_damaged"


def test_a_later_format_is_not_called_damaged() -> None:
    later = seal("n", b"body").replace(FORMAT, b"0002", 1)
    assert refused(lambda: unseal("n", later)).code == "store_format_newer"


def test_each_body_of_a_pack_is_read_by_itself() -> None:
    bodies = [{b"c": digest(at) * at, b"zkh.gpo": b"stanza"} for at in range(4)]
    joined, refs = formats.body_sections(bodies)
    whole = seal("p", joined)
    for body, ref in zip(bodies, refs, strict=True):
        section = whole[ref.offset : ref.offset + ref.length]
        assert formats.open_section("p", ref, section) == body
    wrong = whole[refs[1].offset : refs[1].offset + refs[1].length]
    assert refused(lambda: formats.open_section("p", refs[0], wrong)).code == "object_damaged"
    assert refused(lambda: formats.open_section("p", refs[3], b"")).code == "object_damaged"


def test_bodies_that_lie_close_are_read_in_one_piece() -> None:
    def ref(offset: int, length: int) -> formats.BodyRef:
        return formats.BodyRef(b"", offset, length, b"")

    refs = {
        b"a": ("p", ref(100, 1_000)),
        b"b": ("p", ref(1_100, 1_000)),
        b"far": ("p", ref(900_000, 1_000)),
        b"next": ("p", ref(901_000, 200_000)),
        b"too long": ("p", ref(1_101_000, 900_000)),
        b"longest": ("p", ref(2_001_000, 4_000_000)),
        b"other": ("q", ref(2_100, 10)),
    }
    pieces = [(name, list(ids)) for name, ids in spans(dict(reversed(refs.items())))]
    assert pieces == [
        ("p", [b"a", b"b"]),
        ("p", [b"far", b"next"]),
        ("p", [b"too long"]),
        ("p", [b"longest"]),
        ("q", [b"other"]),
    ]


def test_what_is_kept_is_weighed_as_it_lies_in_memory() -> None:
    """A mailbox's stretch takes eight times its object, facts up to six times theirs."""
    for make, open_ in OBJECTS:
        data = make("x")
        tracemalloc.start()
        kept = [open_("x", data) for _ in range(50)]
        taken = tracemalloc.get_traced_memory()[0] / len(kept)
        tracemalloc.stop()
        assert 0.5 * taken < memory(kept[0]) < 2 * taken + 500


class _Counting(DirectoryObjects):
    """Counts what is read."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.reads: list[str] = []

    async def get(self, name: str) -> bytes | None:
        self.reads.append(name)
        return await super().get(name)


async def test_a_cache_reads_once_and_keeps_what_was_read_last(tmp_path: Path) -> None:
    objects = _Counting(tmp_path)
    cache = Cache(objects, "store", max_bytes=2_500)
    for name in "abc":
        await cache.put(name, bytes(1_000))

    def parse(name: str, data: bytes) -> bytes:
        return data[len(name) :]

    found = await asyncio.gather(*(cache.load("a", parse) for _ in range(5)))
    assert found == [bytes(993)] * 5
    await cache.load("b", parse)
    await cache.load("a", parse)
    await cache.load("c", parse)
    assert objects.reads == ["store/a", "store/b", "store/c"]
    await cache.load("a", parse)
    await cache.load("b", parse)
    assert objects.reads == ["store/a", "store/b", "store/c", "store/b"]
    await objects.close()


async def test_what_is_missing_is_named_and_looked_for_again(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path)
    cache = Cache(objects, "store")
    for load in (cache.load("packs/1/2", formats.open_facts), cache.section("packs/1/2", 0, 9)):
        with pytest.raises(OperatorError) as caught:
            await load
        assert caught.value.code == "object_missing"
        assert "store/packs/1/2" in caught.value.message
    assert (cache.take_lost(), cache.take_lost()) == (["packs/1/2"], [])
    assert not await cache.is_whole("packs/1/2")
    await cache.put("packs/1/2", bytes(100))
    assert not await cache.is_whole("packs/1/2")
    await cache.put("packs/1/2", facts_object("store/packs/1/2"))
    assert await cache.is_whole("packs/1/2")
    assert (await cache.load("packs/1/2", formats.open_facts)).due_day == 30_000
    await objects.close()
