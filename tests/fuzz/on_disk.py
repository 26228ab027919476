"""Parsers that take a path: each input is written into one file of this process, then read."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

_SHARED: Final = Path("/dev/shm")
_TOP: Final = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_SHARED if _SHARED.is_dir() else None))
"""In memory where there is such a disk. Who made it removes it; children end without a word."""
atexit.register(shutil.rmtree, _TOP, ignore_errors=True)


@cache
def _folder(process: int) -> Path:
    """Of one process: children write beside each other."""
    made = _TOP / str(process)
    made.mkdir(mode=0o700)
    return made


def in_file(read: Callable[[Path], object], name: str = "file") -> Callable[[bytes], object]:
    """`read` of a private file that holds the input."""

    def parse(data: bytes) -> object:
        path = _folder(os.getpid()) / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        return read(path)

    return parse
