"""What the vectors of the suite are made of: hexadecimal fields, one-bit defects, frozen bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

SPEC: Final = "schemas/spec/suite.md section "

Vector = dict[str, Any]
Cases = Iterator[tuple[str, Vector]]


class Frozen:
    """What the library's randomness made once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text(encoding="utf-8") if path.exists() else "{}"
        self._kept: dict[str, str] = json.loads(text)
        self._known = len(self._kept)

    def get(self, name: str, make: Callable[[], bytes]) -> bytes:
        if name not in self._kept:
            self._kept[name] = make().hex()
        return bytes.fromhex(self._kept[name])

    def save(self) -> None:
        if len(self._kept) > self._known:
            self._path.write_text(json.dumps(self._kept, indent=1) + "\n", encoding="utf-8")


def flip(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def case_file(expect: str, code: str | None, why: str, section: str, **fields: object) -> Vector:
    """One file; bytes become hexadecimal."""
    head: Vector = {"expect": expect, "code": code, "why": why, "spec": SPEC + section}
    return head | {
        key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()
    }
