"""Looking through a house's files: for words that must not be there, and for secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

PUBLIC_FIELDS: Final = ("saphan", "role", "key_id", "public", "origin", "agency", "handle")
"""Fields of key files that may be shown; everything else in them counts as private."""
KEY_FILES: Final = ("*.key", "days.seed", "archive-keys/*", "passphrase")
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


def key_files(houses: Iterable[Path]) -> list[Path]:
    """Every file of some houses in which a private key or a passphrase stands."""
    return [path for house in houses for pattern in KEY_FILES for path in house.rglob(pattern)]


def secrets_of(paths: Iterable[Path]) -> set[bytes]:
    """The secrets in key files: as raw bytes, and as their file spells them."""
    return {secret for path in paths for secret in _secrets(path.read_bytes())}


def _secrets(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"-----BEGIN"):  # the TLS key: as PEM, and the bytes in it
        yield data.strip()
        yield base64.b64decode(b"".join(data.split()[3:-3]))
        return
    try:
        value = json.loads(data)
    except ValueError:
        yield data.strip(b"\n")  # an archive key, 32 raw bytes; or a passphrase
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
