"""Looks for what was destroyed in every byte of a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

WINDOW: Final = 32
HALF: Final = WINDOW // 2
"""Any window of 32 bytes has a whole aligned piece of 16 in it."""


def found_in(folders: Iterable[Path], secrets: Iterable[bytes]) -> set[Path]:
    """Files in which some 32 bytes in a row of one of the secrets stand; looks at no link."""
    pieces = {
        secret[at : at + HALF]
        for secret in secrets
        for at in range(0, len(secret) - HALF + 1, HALF)
    }
    return {
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and _holds(path.read_bytes(), pieces)
    }


def _holds(data: bytes, pieces: set[bytes]) -> bool:
    return any(data[at : at + HALF] in pieces for at in range(len(data) - HALF + 1))
