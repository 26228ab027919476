"""What every store of objects does: a directory, obstore's own stores, a real S3 server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore
from saphan_broker.objects.base import Found, Objects
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.objects.place import check_objects
from saphan_broker.objects.remote import RemoteObjects
from saphan_broker.objects.s3 import open_s3
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS, MIB
from support.s3_server import BUCKET, S3Server

NAME = "packs/20780/3"
DATA = bytes(range(256)) * 40


@pytest.fixture(params=["directory", "obstore-local", "obstore-memory", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    made: Objects
    if request.param == "directory":
        made = DirectoryObjects(tmp_path / "shared" / "objects")
    elif request.param == "obstore-local":
        made = RemoteObjects(LocalStore(tmp_path), "the folder")
    elif request.param == "obstore-memory":
        made = RemoteObjects(MemoryStore(), "the memory")
    else:
        server: S3Server = request.getfixturevalue("s3")
        place = f"s3://{BUCKET}/contract/{tmp_path.name}"
        made = open_s3(place, credentials=server.credentials, endpoint=server.endpoint)
    yield made
    await made.close()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def listed(objects: Objects, prefix: str) -> list[Found]:
    return sorted([found async for found in objects.list(prefix)])


async def test_what_is_put_is_there(objects: Objects) -> None:
    await objects.put(NAME, DATA)
    assert await objects.get(NAME) == DATA
    assert await objects.size(NAME) == len(DATA)
    assert await objects.exists(NAME)


async def test_what_was_never_put_is_not(objects: Objects) -> None:
    await objects.put(NAME, DATA)
    for name in ("packs/20780/4", "none"):
        await objects.delete(name)
    for name in ("packs/20780/4", "packs/20780", "packs", "none"):
        assert await objects.get(name) is None
        assert await objects.get_range(name, 0, 1) is None
        assert await objects.get_range(name, 0, 0) is None
        assert await objects.size(name) is None
        assert not await objects.exists(name)
    assert await objects.get(NAME) == DATA


async def test_a_second_put_is_the_same_or_replaces(objects: Objects) -> None:
    await objects.put(NAME, DATA)
    await objects.put(NAME, DATA)
    assert await objects.get(NAME) == DATA
    await objects.put(NAME, b"")
    assert await objects.get(NAME) == b""
    assert await objects.size(NAME) == 0


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, 10, DATA[:10]),
        (4_000, 100, DATA[4_000:4_100]),
        (len(DATA) - 3, 10, DATA[-3:]),
        (len(DATA), 10, b""),
        (len(DATA) + 9, 10, b""),
        (5, 0, b""),
    ],
)
async def test_a_range_ends_with_the_object(
    objects: Objects, offset: int, length: int, expected: bytes
) -> None:
    await objects.put(NAME, DATA)
    assert await objects.get_range(NAME, offset, length) == expected


async def test_a_range_of_no_bytes_is_not_a_missing_object(objects: Objects) -> None:
    await objects.put(NAME, b"")
    assert await objects.get_range(NAME, 0, 10) == b""


async def test_a_copy_is_an_object_of_its_own(objects: Objects) -> None:
    target = "ab/abcd/0"
    await objects.put(NAME, DATA)
    assert await objects.copy(NAME, target)
    assert await objects.copy(NAME, target)
    await objects.put(NAME, b"other")
    assert await objects.get(target) == DATA
    assert await objects.copy(NAME, target)
    await objects.delete(NAME)
    assert await objects.get(target) == b"other"
    assert not await objects.copy(NAME, target)
    assert not await objects.copy("none", "packs/1")
    assert await objects.get(target) == b"other"
    assert [found.name for found in await listed(objects, "")] == [target]


async def test_what_is_deleted_is_gone(objects: Objects) -> None:
    await objects.put(NAME, DATA)
    await objects.delete(NAME)
    await objects.delete(NAME)
    assert await objects.get(NAME) is None
    assert await listed(objects, "packs") == []
    await objects.put(NAME, DATA)
    assert await objects.get(NAME) == DATA


async def test_a_listing_is_of_a_folder(objects: Objects) -> None:
    for name in ("packs/1/1", "packs/1/2", "packs/10/1", "boxes/la.ospp/1"):
        await objects.put(name, name.encode())
    found = await listed(objects, "packs/1")
    assert [(one.name, one.size) for one in found] == [("packs/1/1", 9), ("packs/1/2", 9)]
    assert all(one.changed > 1_600_000_000_000 for one in found)
    assert [one.name for one in await listed(objects, "")] == [
        "boxes/la.ospp/1",
        "packs/1/1",
        "packs/1/2",
        "packs/10/1",
    ]
    assert await listed(objects, "none") == []


async def test_a_listing_has_more_than_a_page(objects: Objects) -> None:
    names = {f"blocks/evidence/{place}" for place in range(300)}
    await asyncio.gather(*(objects.put(name, b"x") for name in names))
    assert {one.name for one in await listed(objects, "blocks")} == names


async def test_parts_become_one_object(objects: Objects) -> None:
    whole = [bytes([place]) * MIB for place in range(12)]
    await objects.put_parts(NAME, pieces(*whole, b"and the end"))
    assert await objects.size(NAME) == 12 * MIB + 11
    assert await objects.get_range(NAME, 5 * MIB - 1, 2) == b"\x04\x05"
    assert await objects.get_range(NAME, 12 * MIB, 100) == b"and the end"
    with pytest.raises(OperatorError) as error:
        await objects.get(NAME)
    assert error.value.code == "object_too_large"
    await objects.put_parts(NAME, pieces())
    assert await objects.get(NAME) == b""


async def test_parts_that_end_in_an_error_are_no_object(objects: Objects) -> None:
    class Cut(Exception):
        pass

    async def cut() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield bytes(MIB)
        raise Cut

    with pytest.raises(Cut):
        await objects.put_parts(NAME, cut())
    assert await objects.get(NAME) is None
    assert await listed(objects, "") == []


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/.b", ".new/x"),
        *("a\0", "a b", "a#1", "é", "a" * 129, "/".join(["abcdefg"] * 65)),
    ],
)
async def test_a_name_that_leads_elsewhere_is_a_bug(objects: Objects, name: str) -> None:
    for call in (
        objects.put(name, b""),
        objects.put_parts(name, pieces()),
        objects.copy(name, NAME),
        objects.copy(NAME, name),
        objects.get(name),
        objects.get_range(name, 0, 1),
        objects.size(name),
        objects.exists(name),
        objects.delete(name),
    ):
        with pytest.raises(ValueError, match="is not a name of an object"):
            await call
    if name:
        with pytest.raises(ValueError, match="is not a name of an object"):
            await anext(aiter(objects.list(name)))


async def test_a_whole_object_has_a_limit(objects: Objects) -> None:
    with pytest.raises(ValueError, match="too many"):
        await objects.put(NAME, bytes(LIMITS.object_bytes + 1))
    assert await objects.get(NAME) is None


async def test_readers_see_all_of_the_old_or_all_of_the_new(objects: Objects) -> None:
    texts = [bytes([place]) * 300_000 for place in range(2)]
    await objects.put(NAME, texts[0])
    seen: set[bytes] = set()

    async def read() -> None:
        for _ in range(30):
            found = await objects.get(NAME)
            assert found is not None
            seen.add(found)

    async def write() -> None:
        for place in range(10):
            await objects.put(NAME, texts[place % 2])

    await asyncio.gather(read(), read(), write())
    assert seen <= set(texts)


async def test_a_store_that_works_passes_the_check(objects: Objects) -> None:
    await check_objects(objects)
    assert await listed(objects, "") == []
