"""Changes of values in a record, in content or in JSON: into something near, or far off."""

from __future__ import annotations

import base64
import binascii
from random import Random
from typing import Any, Final

import msgspec

INTS: Final = (
    0, 1, -1, 2, 31, 32, 33, 127, 128, 255, 256, 4096, 65_535, 65_536, 2**31 - 1, 2**31, 2**32,
    2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -128, -(2**31), -(2**53), -(2**63),
)  # fmt: skip
TEXTS: Final = (
    "", "\0", "\n", "\x1b[2J", "\u202e", "\ufeff", "e\u0301", "\u0e01\u0e33", "\U0001f600",
    "\u0663",
    "\uff11", "NaN", "-1", "1e9", "1_000", "+1", " 1", "..", "../x", "/", "~1", "x/y/1", "a.b",
    "%00",
    "true", "null", "9" * 30, "9" * 5000, "a" * 300, "\u17d2" * 90, "2026-02-30",
    "2026-11-22T00:00:00Z",
    "0" * 64, "00" * 33, "====", "AA==", "\u2028", "\x7f", "\x85", "I\u0307",
)  # fmt: skip
DEPTHS: Final = (3, 31, 32, 33, 34, 100, 300)
REPEATS: Final = (2, 16, 17, 129, 1_000)
_DEPTH: Final = 12
"""How far a change walks down."""


class Edits:
    """Changes trees of plain values; what is not changed is shared with the tree before.

    Args:
        donors: pieces of other inputs, right in shape somewhere else.
    """

    def __init__(self, chance: Random, donors: list[Any]) -> None:
        self._chance = chance
        self._donors = donors

    def edit(self, node: Any, depth: int = 0) -> Any:
        """A copy with one place changed."""
        chance = self._chance
        if depth < _DEPTH and chance.random() < 0.8:
            if isinstance(node, list) and node:
                at = chance.randrange(len(node))
                return [*node[:at], self.edit(node[at], depth + 1), *node[at + 1 :]]
            if isinstance(node, dict) and node:
                key = chance.choice(list(node))
                return node | {key: self.edit(node[key], depth + 1)}
            if isinstance(node, bytes | str) and chance.random() < 0.5:
                inner = self._inside(node, depth)
                if inner is not None:
                    return inner
        return self._other(node)

    def _inside(self, node: bytes | str, depth: int) -> bytes | str | None:
        """A record that lies in another one's bytes, or as base64 in JSON, changed in itself."""
        try:
            data = node if isinstance(node, bytes) else base64.b64decode(node, validate=True)
            tree = msgspec.msgpack.decode(data)
            if not isinstance(tree, list):
                return None
            made = msgspec.msgpack.encode(self.edit(tree, depth + 1))
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
            return None
        return made if isinstance(node, bytes) else base64.b64encode(made).decode()

    def _other(self, node: Any) -> Any:
        chance = self._chance
        if chance.random() < 0.15:
            return self._any()
        if isinstance(node, bool) or node is None:
            return chance.choice((None, True, False, 0, "", [], {}))
        if isinstance(node, int):
            return chance.choice((node + 1, node - 1, -node, node * 2, chance.choice(INTS)))
        if isinstance(node, str):
            return self._text(node)
        if isinstance(node, bytes):
            return self._bytes(node)
        if isinstance(node, list):
            return self._list(node)
        if isinstance(node, dict):
            return self._dict(node)
        return self._any()

    def _any(self) -> Any:
        """Something of any kind."""
        kind = self._chance.randrange(8)
        if kind < 3 and self._donors:
            return self._chance.choice(self._donors)
        if kind == 3:
            return self._chance.choice(INTS)
        if kind == 4:
            return self._chance.choice(TEXTS)
        if kind == 5:
            return self._chance.choice((None, True, False, 1.5, [], {}))
        if kind == 6:
            nested: Any = 0
            for _ in range(self._chance.choice(DEPTHS)):
                nested = [nested] if self._chance.random() < 0.7 else {"a": nested}
            return nested
        return bytes(self._chance.choice((0, 1, 16, 31, 32, 33, 64, 1024)))

    def _text(self, node: str) -> str:
        chance, at = self._chance, self._chance.randrange(len(node) + 1)
        kind = chance.randrange(7)
        if kind == 0:
            return chance.choice(TEXTS)
        if kind == 1:
            return node[:at] + chance.choice(TEXTS) + node[at:]
        if kind == 2:
            return node[:at] + node[at + 1 :]
        if kind == 3:
            return node * chance.choice(REPEATS) if len(node) < 64 else node + node
        if kind == 4:
            return node.swapcase()
        if kind == 5 and node:
            at = min(at, len(node) - 1)
            return (
                node[:at]
                + chr((ord(node[at]) + chance.choice((1, -1, 16))) % 0xD800)
                + node[at + 1 :]
            )
        return node[:at]

    def _bytes(self, node: bytes) -> bytes:
        chance, kind = self._chance, self._chance.randrange(6)
        if kind == 0 and node:
            at = chance.randrange(len(node))
            return node[:at] + bytes((node[at] ^ (1 << chance.randrange(8)),)) + node[at + 1 :]
        if kind == 1:
            return node[:-1]
        if kind == 2:
            return node + b"\0"
        if kind == 3:
            return bytes(len(node))
        if kind == 4:
            return chance.randbytes(min(len(node), 4096))
        return node[: chance.randrange(len(node) + 1)]

    def _list(self, node: list[Any]) -> list[Any]:
        chance, kind = self._chance, self._chance.randrange(7)
        at = chance.randrange(len(node) + 1)
        if kind == 0 or not node:
            return [*node[:at], self._any(), *node[at:]]
        if kind == 1:
            return node[:at] + node[at + 1 :]
        if kind == 2:
            small = len(node) < 8 and not any(isinstance(one, list | dict | bytes) for one in node)
            return node * chance.choice(REPEATS if small else REPEATS[:2])
        if kind == 3:
            return [*node[at:], *node[:at]]
        if kind == 4:
            return []
        if kind == 5:
            return node[::-1]
        return [*node, node[at - 1]]

    def _dict(self, node: dict[Any, Any]) -> dict[Any, Any]:
        chance, kind = self._chance, self._chance.randrange(5)
        if kind == 0 or not node:
            return node | {chance.choice(TEXTS): self._any()}
        key = chance.choice(list(node))
        rest = {name: value for name, value in node.items() if name != key}
        if kind == 1:
            return rest
        if kind == 2:
            return rest | {str(key) + chance.choice(TEXTS): node[key]}
        if kind == 3:
            return {}
        return {chance.choice(list(node)): node[key]} | rest
