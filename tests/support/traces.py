"""What is left of something in a folder's files: free pages, journals, temporary files and all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

BLOCK = 16


def traces(folder: Path, secrets: Mapping[str, bytes]) -> dict[str, str]:
    """Which of these random byte strings has a window of 32 bytes in which file.

    Any 32 bytes of a file hold 16 that begin at a multiple of 16: of those none may be in a secret,
    at whatever place. So less than is promised is found, too.
    """
    found: dict[str, str] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        here = {data[at : at + BLOCK] for at in range(0, len(data) - BLOCK + 1, BLOCK)}
        for name, secret in secrets.items():
            slices = (secret[at : at + BLOCK] for at in range(len(secret) - BLOCK + 1))
            if any(one in here for one in slices):
                found[name] = str(path.relative_to(folder))
    return found
