"""Whoever may send bytes sends few that would become many, or that claim to be many.

Each is parsed in a process of its own, which the system ends if it wants more than ten seconds of a
processor or 512 MiB (`support.parsing_child`); the caps on lengths, which come first, are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from saphan_schemas.codec import decode, decode_content, encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

DEEP = 1_000_000

BOMBS: dict[str, bytes] = {
    "a million arrays, one in the other": b"\x91" * DEEP + b"\xc0",
    "a million maps, one in the other": b"\x81\xa1a" * DEEP + b"\xc0",
    "an array of 4 Gi items": b"\xdd\xff\xff\xff\xff",
    "a map of 4 Gi keys": b"\xdf\xff\xff\xff\xff",
    "4 GiB of text": b"\xdb\xff\xff\xff\xff",
    "4 GiB of bytes": b"\xc6\xff\xff\xff\xff",
    "an extension of 4 GiB": b"\xc9\xff\xff\xff\xff\x01",
    "a thousand arrays of 4 Gi items": b"\xdd\xff\xff\xff\xff" * 1000,
    "a map that claims them under a key": b"\x81\xa1a\xdd\xff\xff\xff\xff",
    "an integer in more bytes than it needs": b"\x81\xa1a\xcf" + bytes(7) + b"\x01",
    "bytes after the end": b"\x80\xc0",
    "nothing": b"",
}
JSON_BOMBS: dict[str, bytes] = {
    "a million arrays, one in the other": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a million objects, one in the other": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a number of a million digits": b'{"a":' + b"1" * DEEP + b"}",
}


def parsed(what: str, data: bytes) -> tuple[int, bytes, bytes]:
    """Exit code and output of the process that parses it."""
    done = subprocess.run(
        [sys.executable, "-m", "support.parsing_child", what],
        input=data,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("what", ("content", "from_node", "from_broker"))
@pytest.mark.parametrize("bomb", BOMBS, ids=lambda name: name.replace(" ", "_"))
def test_he_sends_it_as_a_frame_or_as_content(what: str, bomb: str) -> None:
    assert parsed(what, BOMBS[bomb]) == (0, b"refused\n", b"")


@pytest.mark.parametrize("bomb", JSON_BOMBS, ids=lambda name: name.replace(" ", "_"))
def test_he_sends_it_as_json(bomb: str) -> None:
    assert parsed("json", JSON_BOMBS[bomb]) == (0, b"refused\n", b"")


def test_what_is_no_bomb_is_taken() -> None:
    """The bounds leave room for what is good: else the refusals would prove nothing."""
    assert parsed("content", encode_content({"a": ["b"] * 1000})) == (0, b"taken\n", b"")
    assert parsed("json", b'{"a": [1, 2]}') == (0, b"taken\n", b"")


def test_who_wants_more_is_ended() -> None:
    """The system does keep to the bound: a good value that is too large does not fit."""
    many = 60_000_000
    code, said, _ = parsed("content", b"\x81\xa1a\xdd" + many.to_bytes(4, "big") + bytes(many))
    assert (code != 0, said) == (True, b"")


def test_what_is_too_long_is_not_even_looked_at() -> None:
    for read in (
        lambda: decode_content(BOMBS["nothing"].ljust(LIMITS.content_bytes + 1, b"\x91"), 65_536),
        lambda: decode(Header, bytes(LIMITS.header_bytes + 1), LIMITS.header_bytes, "header"),
    ):
        with pytest.raises(InvalidInput, match="too_large"):
            read()
