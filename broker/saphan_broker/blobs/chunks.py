"""Attachments on their way in, as objects: chunks of each, found again by any process.

staging/<agency>/<digest>-<length>/<offset>-<size>   bytes that came
staging/<agency>/<digest>-<length>/whole             all of them, the digest checked
staging/<agency>/<digest>-<length>/asked             empty; its time counts, nothing else

What a crash means: what was not yet an object is brought again. Two processes that take the same
attachment may both leave chunks; they overlap, and their bytes are the same or the digest of the
whole says that they are not. Nothing here needs a lock between processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, NamedTuple

from saphan_schemas.limits import MIB
from saphan_schemas.records import Blob

from saphan_broker.objects.base import Found, Objects

STAGING: Final = "staging"
WHOLE: Final = "whole"
ASKED: Final = "asked"
READ_BYTES: Final = MIB


class WrongBytes(Exception):
    """All bytes are there, and they are not those of the digest."""


class MissingBytes(Exception):
    """A chunk has gone meanwhile: another process has made room, or has found a wrong digest."""


class Chunk(NamedTuple):
    """An object of bytes from `offset`."""

    offset: int
    size: int
    name: str


class Staged(NamedTuple):
    """What is there of one attachment.

    Attributes:
        chunks: those that make up the bytes from 0 without a gap, in order; they may overlap.
        size: bytes of all objects, the useless ones too.
        touched: ms; when the newest of them was put.
    """

    whole: bool
    chunks: tuple[Chunk, ...]
    names: tuple[str, ...]
    size: int
    touched: int

    @property
    def end(self) -> int:
        """Bytes from 0 without a gap."""
        return max((chunk.offset + chunk.size for chunk in self.chunks), default=0)


def blob_folder(agency: str, blob: Blob) -> str:
    """Where an attachment of an agency is staged."""
    return f"{STAGING}/{agency}/{blob.digest.hex()}-{blob.length}"


def whole_name(agency: str, blob: Blob) -> str:
    """The object of all its bytes."""
    return f"{blob_folder(agency, blob)}/{WHOLE}"


async def look(objects: Objects, folder: str) -> Staged:
    """What is staged in the folder of one attachment."""
    return staged([found async for found in objects.list(folder)])


def staged(found: Sequence[Found]) -> Staged:
    """The same, of a listing of its objects."""
    leaves = {one.name.rpartition("/")[2]: one for one in found}
    chunks = sorted(_chunks(leaves.values()), key=lambda chunk: (chunk.offset, -chunk.size))
    return Staged(
        WHOLE in leaves,
        tuple(_without_gap(chunks)),
        tuple(one.name for one in found),
        sum(one.size for one in found),
        max((one.changed for one in found), default=0),
    )


async def put_chunk(objects: Objects, folder: str, offset: int, data: bytes) -> None:
    """Keep bytes from `offset`."""
    await objects.put(f"{folder}/{offset}-{len(data)}", data)


async def assemble(objects: Objects, agency: str, blob: Blob, chunks: Sequence[Chunk]) -> None:
    """Make one object of chunks, its digest checked before it is one.

    Raises:
        WrongBytes, MissingBytes: nothing was kept.
    """
    await objects.put_parts(whole_name(agency, blob), _checked(objects, blob, chunks))


async def _checked(objects: Objects, blob: Blob, chunks: Sequence[Chunk]) -> AsyncIterator[bytes]:
    found = hashlib.sha256()
    at = 0
    if not chunks or chunks[-1].offset + chunks[-1].size != blob.length:
        raise WrongBytes("another length")
    for chunk in chunks:
        end = chunk.offset + chunk.size
        while at < end:
            length = min(READ_BYTES, end - at)
            data = await objects.get_range(chunk.name, at - chunk.offset, length)
            if data is None or len(data) != length:
                raise MissingBytes(chunk.name)
            found.update(data)
            at += length
            if at == blob.length and found.digest() != blob.digest:
                raise WrongBytes(chunk.name)
            yield data


def _chunks(found: Iterable[Found]) -> list[Chunk]:
    """What is no chunk, or one cut short by whoever keeps it, counts for nothing."""
    made = []
    for one in found:
        offset, _, size = one.name.rpartition("/")[2].partition("-")
        if offset.isdecimal() and size.isdecimal() and int(size) == one.size:
            made.append(Chunk(int(offset), one.size, one.name))
    return made


def _without_gap(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Those that go on from 0; each one adds bytes."""
    made: list[Chunk] = []
    end = 0
    for chunk in chunks:
        if chunk.offset <= end < chunk.offset + chunk.size:
            made.append(chunk)
            end = chunk.offset + chunk.size
    return made
