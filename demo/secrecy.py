"""Looking through a house's files: for words that must not be there, and for private keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

PUBLIC_FIELDS: Final = ("saphan", "role", "key_id", "public", "origin", "agency", "handle")
"""Fields of key files that may be shown; everything else in them counts as private."""
KEY_FILES: Final = ("*.key", "days.seed", "archive-keys/*")
SHORTEST: Final = 32
"""Bytes of the shortest private key."""


def files(folder: Path) -> Iterator[Path]:
    """Every regular file below a folder."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in files(folder))


def holding(folder: Path, needles: Iterable[bytes]) -> list[Path]:
    """Files that hold one of the needles anywhere in their raw bytes."""
    wanted = tuple(needles)
    return [
        path
        for path in files(folder)
        if any(needle in data for data in (path.read_bytes(),) for needle in wanted)
    ]


def private_keys(houses: Iterable[Path]) -> set[bytes]:
    """Every private key of some houses: as its raw bytes, and as its file spells it."""
    return {
        secret
        for house in houses
        for pattern in KEY_FILES
        for path in house.rglob(pattern)
        for secret in _secrets(path.read_bytes())
    }


def _secrets(data: bytes) -> Iterator[bytes]:
    try:
        value = json.loads(data)
    except ValueError:
        yield data  # an archive key: 32 raw bytes
        return
    for name, text in value.items():
        if name not in PUBLIC_FIELDS and isinstance(text, str) and len(text) >= SHORTEST:
            yield text.encode()
            yield _decoded(text)


def _decoded(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return base64.b64decode(text)
