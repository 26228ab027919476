"""Files that are there, whole, after a power cut: written, fsynced, and their folder fsynced."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError

SECRET_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644
FOLDER_MODE: Final = 0o700
PIECE_BYTES: Final = 256 * 1024
DESTROYED: Final = ".destroyed"
"""How names of files end that are being destroyed."""
NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a medium without links (a FAT stick) answers."""


def create_file(path: Path, data: bytes, mode: int = SECRET_MODE) -> None:
    """Write a new file; whatever happens on the way, it is whole and durable, or not there.

    Raises:
        OperatorError: `file_exists` (it is left as it was), `file_unwritable`.
    """
    staged = _stage(path, data, mode)
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(staged, path)
    except FileExistsError:
        raise OperatorError(
            "file_exists",
            f"{path} exists already and is not overwritten",
            field=path.name,
            hint="move it away if it is really not needed any more, or name another file",
        ) from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise _unwritable(path, error) from None
        _create_without_links(path, data, mode)
    finally:
        with contextlib.suppress(OSError):
            staged.unlink()
    sync_folder(path.parent)


def replace_file(path: Path, data: bytes, mode: int = SECRET_MODE) -> None:
    """Put a file in place of the old one; a crash leaves the old one or the new one, whole.

    Raises:
        OperatorError: `file_unwritable`.
    """
    staged = _stage(path, data, mode)
    try:
        staged.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise _unwritable(path, error) from None
    sync_folder(path.parent)


def destroy_file(path: Path) -> None:
    """Overwrite a secret file, then remove it; durable on return, and nothing if it is not there.

    It is put aside first, under a name that nobody reads: a crash leaves that, for
    `destroy_leftovers`, and never half a key file. A journal, a snapshot or a flash disk's spare
    blocks may still hold what it said: that is what disk encryption is for.

    Raises:
        OperatorError: `file_unwritable`.
    """
    aside = path.with_name(f".{path.name}{DESTROYED}")
    try:
        path.replace(aside)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(path, error) from None
    sync_folder(path.parent)
    _overwrite(aside)


def destroy_leftovers(folder: Path) -> None:
    """Finish what a crash in `destroy_file` left in a folder.

    Raises:
        OperatorError: `file_unwritable`.
    """
    for path in sorted(folder.glob(f".*{DESTROYED}")):
        _overwrite(path)


def _overwrite(path: Path) -> None:
    try:
        with _opened(path, os.O_WRONLY) as handle:
            left = os.fstat(handle).st_size
            while left > 0:
                left -= os.write(handle, bytes(min(left, 1 << 16)))
            os.fsync(handle)
        path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Create a folder only its owner may enter, durable on return; one that exists is kept.

    Raises:
        OperatorError: `file_unwritable`.
    """
    try:
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OperatorError: `file_unwritable`.
    """
    try:
        with _opened(path, os.O_RDONLY | os.O_DIRECTORY) as handle:
            os.fsync(handle)
    except OSError as error:
        raise _unwritable(path, error) from None


def read_bounded(path: Path, max_bytes: int, name: str) -> bytes:
    """A file's bytes, at most `max_bytes`; a pipe or device is refused, not waited for.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`.
        InvalidInput: `too_large`.
    """
    # O_NONBLOCK: opening a named pipe that nobody writes would wait for ever.
    try:
        with _opened(path, os.O_RDONLY | os.O_NONBLOCK) as handle:
            return read_handle(handle, max_bytes, path, name)
    except FileNotFoundError:
        raise OperatorError(
            "file_missing", f"there is no file {path} ({name})", field=name
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: {error.strerror}", field=name
        ) from None


def read_handle(handle: int, max_bytes: int, path: Path, name: str) -> bytes:
    """The rest of an open file.

    Raises:
        InvalidInput: `too_large`.
        OSError: the disk.
    """
    parts: list[bytes] = []
    left = max_bytes + 1
    # In pieces: os.read() makes room for all that is asked for, however short the file is.
    while left and (part := os.read(handle, min(left, PIECE_BYTES))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise InvalidInput(
            "too_large", f"{path} has more than {max_bytes} bytes ({name})", field=name
        )
    return b"".join(parts)


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _stage(path: Path, data: bytes, mode: int) -> Path:
    """The data in a hidden file beside `path`, durable, under a name that nothing refers to."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.new")
    with contextlib.suppress(OSError):
        staged.unlink()  # from a process of the same number that died here
    try:
        # The mode is given at creation: there is no moment in which others could open the file.
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        _write_all(handle, data)
    except OSError as error:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise _unwritable(path, error) from None
    return staged


def _create_without_links(path: Path, data: bytes, mode: int) -> None:
    """On a medium without links (a FAT stick) a crash may leave a part of the file."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        _write_all(handle, data)
    except OSError as error:
        raise _unwritable(path, error) from None


def _write_all(handle: int, data: bytes) -> None:
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "file_unwritable",
        f"{path} cannot be written: {error.strerror}",
        field=path.name,
        hint="check that the disk has room and that the folder exists and belongs to you",
    )
