"""Files in the keys directory: only their owner may read them, and they are replaced durably.

A crash in `replace` leaves the old bytes or the new ones under a file's name, never a mixture.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

MAX_BYTES: Final = 64 * 1024
"""The longest file here is a few hundred bytes; a wrong path may lead to anything."""


def make_directory(path: Path) -> None:
    """Make a directory with mode 0700, or check the one that is there.

    Raises:
        OperatorError: `key_file_exposed`.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    check_private(path)


def check_private(path: Path) -> None:
    """Refuse what the file's group or others may read, write or enter.

    Raises:
        OperatorError: `key_file_exposed`, `key_file_missing`.
    """
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        raise _missing(path) from None
    if mode & 0o077:
        fit = "700" if path.is_dir() else "600"
        raise OperatorError(
            "key_file_exposed",
            f"{path} has mode {mode:o}: others than its owner can reach it",
            field="keys",
            hint=f"chmod {fit} {path}, and consider whether someone has already copied it",
        )


def read(path: Path) -> bytes:
    """The bytes of a private file.

    Raises:
        OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_unreadable`,
            `key_file_malformed` (too long).
    """
    check_private(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise OperatorError(
            "key_file_unreadable",
            f"{path} cannot be read: {error.strerror}",
            field="keys",
            hint="check its owner, and the disk that it is on; nothing is signed without it",
        ) from None
    if len(data) > MAX_BYTES:
        raise malformed(path, f"it is longer than {MAX_BYTES} bytes")
    return data


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, mode 0600, durable when it returns.

    Raises:
        OperatorError: `key_file_exists`.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise OperatorError(
            "key_file_exists",
            f"{path} exists and is not overwritten",
            field="keys",
            hint="name an empty directory; keys in use are never made anew in place",
        ) from None
    _write_all(descriptor, data)
    sync_directory(path.parent)


def replace(path: Path, data: bytes, *, scrub: bool = False) -> None:
    """Put new bytes under a file's name; durable when it returns.

    Args:
        scrub: overwrite the old bytes in place afterwards. On a journaling or flash disk that is
            the best a program can do, and no promise.

    Raises:
        OperatorError: `key_file_unwritable`; the old bytes are still there, or the new ones are.
    """
    try:
        _replace(path, data, scrub)
    except OSError as error:
        raise _unwritable(path, error) from None


def overwrite(path: Path, data: bytes, at: int) -> None:
    """Write bytes in place, inside a file that is there; durable when it returns.

    A crash may leave any mixture of the old and the new bytes: the caller can tell.

    Raises:
        OperatorError: `key_file_unwritable`; the same mixture then.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.pwrite(descriptor, data, at) != len(data):
                raise OSError(errno.EIO, "written in part")
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unwritable(path, error) from None


def _replace(path: Path, data: bytes, scrub: bool) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # what a crash left has no meaning, whatever its mode is
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    _write_all(os.open(fresh, flags, 0o600), data)
    if not scrub or not path.exists():
        fresh.rename(path)
        sync_directory(path.parent)
        return
    with path.open("r+b") as old:
        fresh.rename(path)
        sync_directory(path.parent)
        old.write(bytes(os.fstat(old.fileno()).st_size))
        old.flush()
        os.fsync(old.fileno())


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold an exclusive lock for the block, waiting for it.

    `path` is a file of its own: a lock on a file that gets renamed over would lock nothing.

    Raises:
        OperatorError: `key_file_unwritable`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def malformed(path: Path, why: str) -> OperatorError:
    """The error for a private file that is not what its name says; never quotes its bytes."""
    return OperatorError(
        "key_file_malformed",
        f"{path} cannot be used: {why}",
        field="keys",
        hint="the keys directory is moved whole or not at all; use the directory `init` made",
    )


def _unwritable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "key_file_unwritable",
        f"{path} cannot be written: {error.strerror}",
        field="keys",
        hint="check that its folder exists, has space and is your own; nothing was lost",
    )


def _missing(path: Path) -> OperatorError:
    return OperatorError(
        "key_file_missing",
        f"{path} is missing",
        field="keys",
        hint="name the directory that `saphan-broker init --keys` made",
    )


def _write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
