"""Inputs made from real ones: changed as trees where they are trees, and as bytes."""

from __future__ import annotations

from random import Random
from typing import Any, Final

import msgspec

from fuzz.edits import TEXTS, Edits
from fuzz.target import Form

TOKENS: Final[dict[Form, tuple[bytes, ...]]] = {
    # Lengths that lie, maps and arrays without end, extensions, floats, texts that are none.
    "msgpack": (
        b"\xdd\xff\xff\xff\xff", b"\xdc\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\xde\xff\xff", b"\x9f",
        b"\x8f", b"\x90", b"\x80", b"\xc6\xff\xff\xff\xff", b"\xc5\xff\xff", b"\xc4\xff",
        b"\xc4\x00",
        b"\xdb\xff\xff\xff\xff", b"\xda\xff\xff", b"\xd9\x05", b"\xa0", b"\xa2\xc3\x28",
        b"\xa3\xed\xa0\x80",
        b"\xc9\xff\xff\xff\xff\x01", b"\xc7\x0c\xff" + b"\xff" * 12, b"\xd6\xff\xff\xff\xff\xff",
        b"\xd4\x01\x00", b"\xcb\x7f\xf8\0\0\0\0\0\0", b"\xca\x3f\x80\0\0", b"\xc1", b"\xc0",
        b"\xc2", b"\xc3",
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", b"\xd3\x80\0\0\0\0\0\0\0", b"\xcc\x01", b"\xff",
        b"\x00",
    ),
    "json": (
        b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\udc00\\ud800",
        b"NaN",
        b"Infinity", b"-0", b"1e999", b"1.0", b"1E400", b"9" * 400, b"9" * 5000, b"-" + b"9" * 30,
        b"null",
        b"true", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"//", b"/**/",
        b'"a":1,"a":2,',
        b"\x00", b"\x1f", b"\xe2\x80\xa8", b"'", b"{}", b"[]", b'""',
    ),
    "text": (
        b"\n", b"\n\n", b"\r\n", b"\r", b" ", b"\t", b"+", b"-", b"/", b"=", b"==", b"\0", b"\xff",
        b"\xc3\x28", b"\xe2\x80\x94 ", b"\xe2\x80\x94", b"\xef\xbb\xbf", b"0", b"00", b"-1",
        b"9" * 20, b"9" * 5000,
        b"18446744073709551616", b"9007199254740993", b"1_000", "\u0663".encode(),
        "\uff11".encode(),
        b"\xe2\x80\xa8", b"[", b"]", b"%", b"%(x)s", b"#", b":", b"x001/", b".p/", b".p/256",
    ),
    "bytes": (
        b"\0", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 32, b"\x80" + b"\0" * 7,
        b"\xff" * 8, b"\x30\x80",
    ),
}  # fmt: skip
NESTS: Final[dict[Form, tuple[bytes, ...]]] = {
    "msgpack": (b"\x91", b"\x81\xa1a", b"\x92\xc0"),
    "json": (b"[", b'{"a":', b"[[],"),
    "text": (b"\n", b" ", b"a"),
    "bytes": (b"\x30\x80", b"\0"),
}
POOL: Final = 400
_SHARED_DONORS: Final = 500
_sorting = msgspec.msgpack.Encoder(order="sorted")


def bombs(form: Form, longest: int) -> list[bytes]:
    """What asks for the most memory or the deepest stack with `longest` bytes."""
    made = [nest * (longest // len(nest)) for nest in NESTS[form]]
    if form == "msgpack":
        for head, item in ((b"\xdd", b"\xc0"), (b"\xdd", b"\x90"), (b"\xdd", b"\xa0")):
            made.append(head + (longest - 5).to_bytes(4, "big") + item * (longest - 5))
        pairs = (longest - 5) // 5
        names = b"".join(b"\xa3%03x\xc0" % (n % 4096) for n in range(min(pairs, 60_000)))
        made.append(b"\xdf" + min(pairs, 60_000).to_bytes(4, "big") + names)
        made.append(b"\xc6" + (longest - 5).to_bytes(4, "big") + bytes(longest - 5))
    if form == "json":
        made.append(b"[" + b"0," * (longest // 2 - 2) + b"0]")
        made.append(b"[" + b"{}," * (longest // 3 - 2) + b"0]")
        made.append(b"{" + b",".join(b'"%x":0' % n for n in range(longest // 10)) + b"}")
        made.append(b"9" * longest)
        made.append(b'"' + b"\\u0e01" * (longest // 6 - 1) + b'"')
    return [one[:longest] for one in made]


class Mutator:
    """One target's inputs, without end; the same for the same seeds and the same chance."""

    def __init__(self, form: Form, seeds: list[bytes], chance: Random, longest: int) -> None:
        self._form: Final = form
        self._chance = chance
        self._longest = longest
        self._donors: list[Any] = []
        self._edits = Edits(chance, self._donors)
        self._pool: list[tuple[bytes, Any]] = []
        for seed in seeds:
            self.add(seed)

    def add(self, data: bytes) -> None:
        """Something worth going on from."""
        tree = self._tree(data)
        if tree is not None and len(self._donors) < _SHARED_DONORS:
            self._donors += _pieces(tree, _SHARED_DONORS - len(self._donors))
        if len(self._pool) < POOL:
            self._pool.append((data, tree))
        else:
            self._pool[self._chance.randrange(POOL)] = (data, tree)

    def next(self) -> bytes:
        """An input."""
        chance = self._chance
        data, tree = chance.choice(self._pool)
        if tree is not None and chance.random() < 0.65:
            made = self._from_tree(tree)
            if made is not None:
                data = made
                if chance.random() < 0.85:
                    return data[: self._longest]
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            by_lines = self._form == "text" and chance.random() < 0.4
            data = (self._lines(data) if by_lines else self._cut(data))[: self._longest]
        return data

    def _tree(self, data: bytes) -> Any:
        try:
            if self._form == "msgpack":
                return msgspec.msgpack.decode(data)
            return msgspec.json.decode(data) if self._form == "json" else None
        except (ValueError, TypeError, OverflowError, RecursionError):
            return None

    def _from_tree(self, tree: Any) -> bytes | None:
        try:
            for _ in range(self._chance.choice((1, 1, 1, 2, 3))):
                tree = self._edits.edit(tree)
            if self._form == "json":
                return msgspec.json.encode(tree)
            sort = self._chance.random() < 0.7
            return _sorting.encode(tree) if sort else msgspec.msgpack.encode(tree)
        except (ValueError, TypeError, OverflowError, RecursionError):
            return None  # what no encoder writes comes from changed bytes

    def _cut(self, data: bytes) -> bytes:
        """One change of bytes."""
        chance, kind = self._chance, self._chance.randrange(10)
        at = chance.randrange(len(data) + 1)
        if kind <= 1 and data:
            at = min(at, len(data) - 1)
            flipped = data[at] ^ (1 << chance.randrange(8)) if kind else chance.randrange(256)
            return data[:at] + bytes((flipped,)) + data[at + 1 :]
        if kind == 2:
            return data[:at]
        if kind == 3:
            return data[:at] + data[at + chance.choice((1, 1, 2, 4, 32)) :]
        if kind <= 5:
            return data[:at] + chance.choice(TOKENS[self._form]) + data[at + (kind == 5) :]
        if kind == 6:
            other, _ = chance.choice(self._pool)
            return data[:at] + other[chance.randrange(len(other) + 1) :]
        if kind == 7:
            end = min(len(data), at + chance.choice((1, 4, 32, 200)))
            return data[:end] + data[at:end] * chance.choice((1, 3, 20)) + data[end:]
        if kind == 8 and chance.random() < 0.1:
            nest = chance.choice(NESTS[self._form])
            return data[:at] + nest * chance.choice((10, 100, 1_100)) + data[at:]
        return data[:at] + chance.choice(TEXTS).encode() + data[at:]

    def _lines(self, data: bytes) -> bytes:
        """One change of lines, or of the words of one."""
        chance, rows = self._chance, data.split(b"\n")
        at, kind = chance.randrange(len(rows)), chance.randrange(5)
        if kind == 0:
            rows.insert(at, chance.choice(rows))
        elif kind == 1:
            del rows[at]
        elif kind == 2:
            chance.shuffle(rows)
        elif kind == 3:
            words = rows[at].split(b" ")
            words[chance.randrange(len(words))] = chance.choice(TOKENS["text"])
            rows[at] = b" ".join(words)
        else:
            times = chance.choice((2, 3, 200))
            rows[at] *= min(times, self._longest // max(len(rows[at]), 1) + 1)
        return b"\n".join(rows)


def _pieces(tree: Any, most: int) -> list[Any]:
    found: list[Any] = []
    waiting = [tree]
    while waiting and len(found) < most:
        one = waiting.pop()
        found.append(one)
        if isinstance(one, list):
            waiting += one[:50]
        elif isinstance(one, dict):
            waiting += list(one.values())[:50]
    return found
