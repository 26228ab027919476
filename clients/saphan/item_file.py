"""Files that are streams of MessagePack items: record packs, evidence bundles.

Read and written one item at a time: memory is one item, whatever the file's length.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgpack
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, OperatorError

from saphan.durable import NO_LINKS, SECRET_MODE, sync_folder

T = TypeVar("T")
CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Format(Generic[T]):
    """One kind of file.

    Args:
        name: what errors call it; longest: bytes of its longest item.
        parse: an item from its exact bytes; malformed, cut: what is wrong with a file.
    """

    name: str
    longest: int
    parse: Callable[[bytes], T]
    malformed: Callable[[str], InvalidInput]
    cut: Callable[[], InvalidInput]


def read_items(path: Path, of: Format[T]) -> Iterator[T]:
    """The items of a file, in order.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`.
        InvalidInput: the format's, also for what is too long, too deep, or cut inside an item.
    """
    try:
        with open(opened_file(path), "rb") as file:
            yield from split_items(iter(lambda: file.read(CHUNK_BYTES), b""), of)
    except FileNotFoundError:
        raise OperatorError(
            "file_missing", f"there is no file {path} ({of.name})", field=of.name
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: {error.strerror}", field=of.name
        ) from None


def split_items(chunks: Iterable[bytes], of: Format[T]) -> Iterator[T]:
    """The items of a stream that comes in pieces of any length; at most one item is kept.

    Raises:
        InvalidInput: as `read_items`.
    """
    # The walker counts what an item nests, on a stack of 1,024, and never builds it.
    walker = msgpack.Unpacker(max_buffer_size=of.longest + 2 * CHUNK_BYTES)
    held, start = bytearray(), 0
    for chunk in chunks:
        held += chunk
        try:
            walker.feed(chunk)
            while _walked(walker):
                length = walker.tell() - start
                yield of.parse(bytes(held[:length]))
                del held[:length]
                start += length
        except (ValueError, msgpack.exceptions.UnpackException):
            raise of.malformed("an item is no MessagePack, or nests too deep") from None
        if len(held) > of.longest:
            raise of.malformed(f"an item has more than {of.longest} bytes")
    if held:
        raise of.cut()


def write_items(
    path: Path, items: Iterable[object], wrote: Callable[[int], None] = lambda _count: None
) -> None:
    """Write a new file, readable by its owner only; durable and whole on return, or not there.

    Args:
        wrote: is told the length of each item.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`; and what `items` raise.
    """
    with _told(path):
        handle, part = _begun(path)
        try:
            with open(handle, "wb") as file:
                for item in items:
                    wrote(file.write(encode(item)))
                file.flush()
                os.fsync(handle)
            _name(part, path)
        finally:
            part.unlink(missing_ok=True)
    sync_folder(path.parent)


def require_new(path: Path) -> None:
    """Refuse what `write_items` would refuse, before anything is done that cannot be undone.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """
    with _told(path):
        handle, part = _begun(path)
        os.close(handle)
        part.unlink()


def _begun(path: Path) -> tuple[int, Path]:
    """The hidden file that may become `path`, open and empty."""
    if path.exists() or path.is_symlink():
        raise FileExistsError(path)
    _remove_left(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET_MODE), part


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the disk refuses, as its keeper is told."""
    try:
        yield
    except FileExistsError:
        raise OperatorError(
            "file_exists",
            f"{path} exists already and is not overwritten",
            field="out",
            hint="name a file that does not exist yet",
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unwritable",
            f"{path} cannot be written: {error.strerror}",
            field="out",
            hint="check that the disk has room and that the folder exists and belongs to you",
        ) from None


def _remove_left(path: Path) -> None:
    """Of writers that died: a content key may be in there, and nobody would look for it."""
    start = f".{path.name}."
    for left in path.parent.glob(f"{escape(start)}*.part"):
        if left.name.removeprefix(start).removesuffix(".part").isdigit():  # else of a longer name
            left.unlink(missing_ok=True)


def _name(part: Path, path: Path) -> None:
    """Give a file its name; what has come into being meanwhile is not replaced."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # A stick without links cannot tell two writers of one name at one moment apart.
        if path.exists():
            raise FileExistsError(path) from None
        part.rename(path)


def opened_file(path: Path) -> int:
    """A handle to read by; raises OSError, also for what is no regular file."""
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
