"""Record packs as files: read and written as a stream, one item in memory at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgpack
from saphan_protocol.pack import PACK_ITEM_BYTES, malformed, parse_pack_item
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.packs import PackItem

from saphan.durable import SECRET_MODE, sync_folder

CHUNK_BYTES: Final = 256 * 1024


def read_pack(path: Path) -> Iterator[PackItem]:
    """The items of a pack, in order.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`.
        InvalidInput: `pack_malformed` (also too long or too deep), `pack_cut` inside an item.
    """
    try:
        with open(_opened(path), "rb") as file:
            yield from split_pack(iter(lambda: file.read(CHUNK_BYTES), b""))
    except FileNotFoundError:
        raise OperatorError(
            "file_missing", f"there is no file {path} (pack)", field="pack"
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: {error.strerror}", field="pack"
        ) from None


def split_pack(chunks: Iterable[bytes]) -> Iterator[PackItem]:
    """The items of a pack that comes in pieces of any length; at most one item is kept.

    Raises:
        InvalidInput: as `read_pack`.
    """
    # The walker counts what an item nests, on a stack of 1,024, and never builds it.
    walker = msgpack.Unpacker(max_buffer_size=PACK_ITEM_BYTES + 2 * CHUNK_BYTES)
    held, start = bytearray(), 0
    for chunk in chunks:
        held += chunk
        try:
            walker.feed(chunk)
            while _walked(walker):
                length = walker.tell() - start
                yield parse_pack_item(bytes(held[:length]))
                del held[:length]
                start += length
        except (ValueError, msgpack.exceptions.UnpackException):
            raise malformed("an item is no MessagePack, or nests too deep") from None
        if len(held) > PACK_ITEM_BYTES:
            raise malformed(f"an item has more than {PACK_ITEM_BYTES} bytes")
    if held:
        raise InvalidInput(
            "pack_cut",
            "the pack ends inside an item: it was cut",
            field="pack",
            hint="get the file again from whoever exported it",
        )


def write_pack(path: Path, items: Iterable[PackItem]) -> None:
    """Write a new pack, readable by its owner only; durable and whole on return, or not there.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`; and what `items` raise.
    """
    if path.exists():
        raise OperatorError(
            "file_exists",
            f"{path} exists already and is not overwritten",
            field="out",
            hint="name a file that does not exist yet",
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET_MODE)
        try:
            with open(handle, "wb") as file:
                _write(file, items)
            os.link(part, path)  # refuses what has come into being meanwhile
        finally:
            part.unlink()
    except OSError as error:
        raise OperatorError(
            "file_unwritable",
            f"{path} cannot be written: {error.strerror}",
            field="out",
            hint="check that the disk has room and that the folder exists and belongs to you",
        ) from None
    sync_folder(path.parent)


def _write(file: BinaryIO, items: Iterable[PackItem]) -> None:
    file.writelines(encode(item) for item in items)
    file.flush()
    os.fsync(file.fileno())


def _opened(path: Path) -> int:
    # O_NONBLOCK: opening a named pipe that nobody writes would wait for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "it is no file")
    return handle


def _walked(walker: msgpack.Unpacker) -> bool:
    """Whether one more item is whole."""
    try:
        walker.skip()
    except msgpack.OutOfData:
        return False
    return True
