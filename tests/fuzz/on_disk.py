"""Parsers that take a path: each input is written into one file of this process, then read."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path


@cache
def _folder(process: int) -> Path:
    """Of one process: children write beside each other, in memory where there is such a disk."""
    shared = "/dev/shm"
    made = tempfile.mkdtemp(
        prefix=f"fuzz-{process}-", dir=shared if Path(shared).is_dir() else None
    )
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def in_file(read: Callable[[Path], object], name: str = "file") -> Callable[[bytes], object]:
    """`read` of a private file that holds the input."""

    def parse(data: bytes) -> object:
        path = _folder(os.getpid()) / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        return read(path)

    return parse
