"""A process that writes a signer's last-head file again and again, saying what has returned; its
parent makes system calls fail under it.

Arguments: the file, and how many heads.
"""

from __future__ import annotations

import sys
from pathlib import Path

from saphan_broker.logs.last_head import LastHead, LastHeadFile
from saphan_schemas.errors import SaphanError

ORIGIN = "bridge.example/evidence/1"


def head(size: int) -> LastHead:
    """The only head of this size."""
    return LastHead(size, size.to_bytes(32, "big"), size)


def write(place: Path, heads: int) -> None:
    file = LastHeadFile(place, ORIGIN)
    before = file.read().size
    for size in range(before + 1, before + heads + 1):
        print("begun", size, flush=True)
        file.write(head(size))
        print("signed", size, flush=True)


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]), int(sys.argv[2]))
        print("done", flush=True)
    except SaphanError as error:
        print("failed", error.code, flush=True)
