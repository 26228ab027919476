"""Many threads meet a type for the first time: it is learned once, and nobody reads it half-known.

Without the lock in `saphan_schemas.decoders` the process of the first test dies of SIGSEGV.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.rooms import PACKAGES, ROOT, modules

MEETING = """
import sys, threading
import msgspec
from saphan_schemas.codec import Record
from saphan_schemas.decoders import convert, json_decoder, msgpack_decoder

THREADS = 4
sys.setswitchinterval(1e-6)
plain = [[1, "x", ["a"]], [[2, "y", []]], None, "s"]
data, text = msgspec.msgpack.encode(plain), msgspec.json.encode(plain)
ways = (
    lambda kind: msgpack_decoder(kind).decode(data),
    lambda kind: json_decoder(kind).decode(text),
    lambda kind: convert(plain, kind),
)

def meet(kind, way, together, found):
    together.wait()
    found.append(way(kind).inner.number)

for turn in range(300):
    fields = [("number", int), ("name", str), ("more", tuple[str, ...])]
    inner = msgspec.defstruct("Inner", fields, bases=(Record,))
    fields = [("inner", inner), ("all", tuple[inner, ...]), ("none", int | None), ("last", str)]
    kind = msgspec.defstruct("Outer", fields, bases=(Record,))
    together, found = threading.Barrier(THREADS), []
    threads = [
        threading.Thread(target=meet, args=(kind, ways[(turn + one) % 3], together, found))
        for one in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * THREADS, found
print("all met")
"""


def test_threads_that_meet_a_new_type_together_all_read_it() -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", MEETING]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "all met\n"), result.stderr


# --- and there is no other way to learn one -------------------------------------------------------

DECODERS = "schemas/saphan_schemas/decoders.py"


def learns(tree: ast.Module) -> Iterator[int]:
    """Lines in which msgspec is shown a type."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)).startswith("msgspec."):
            typed = any(keyword.arg == "type" for keyword in node.keywords)
            made = name.endswith(".Decoder") and bool(node.args)
            if typed or made or name == "msgspec.convert":
                yield node.lineno


def test_types_are_learned_in_one_place() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in modules(package).values()
        if "msgspec" in (text := path.read_text(encoding="utf-8"))
        for line in learns(ast.parse(text))
    ]
    assert {line.partition(":")[0] for line in found} == {DECODERS}, found


@pytest.mark.parametrize(
    "source",
    (
        "msgspec.msgpack.decode(data, type=Kind)",
        "decoder = msgspec.json.Decoder(Kind)",
        "decoder = msgspec.json.Decoder(type=Kind)",
        "msgspec.convert(value, Kind)",
    ),
)
def test_seeded_learning_is_caught(source: str) -> None:
    assert list(learns(ast.parse(source))) == [1]
