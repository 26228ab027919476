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
    owners: dict[bytes, tuple[str, ...]] = {}
    for name, secret in secrets.items():
        for at in range(len(secret) - BLOCK + 1):
            one = secret[at : at + BLOCK]
            if name not in (before := owners.get(one, ())):
                owners[one] = (*before, name)
    found: dict[str, str] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for at in range(0, len(data) - BLOCK + 1, BLOCK):
            for name in owners.get(data[at : at + BLOCK], ()):
                found[name] = str(path.relative_to(folder))
    return found
