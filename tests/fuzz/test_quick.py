"""The quick form of `make fuzz`: every target, a fixed seed, no fault; and that faults are seen."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import pytest
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import KIB

from fuzz import apart
from fuzz.apart import run_apart
from fuzz.kept import faults, kept
from fuzz.mutating import TOKENS, Mutator, bombs
from fuzz.running import run
from fuzz.table import TARGETS
from fuzz.target import Target

ROOT: Final = Path(__file__).parents[2]
INPUTS: Final = {False: 60, True: 12}
"""By whether a target is slow; bombs and kept inputs among them."""
BOMB_BYTES: Final = 32 * KIB

each_target = pytest.mark.parametrize("target", TARGETS, ids=[one.name for one in TARGETS])


@each_target
def test_real_inputs_come_through(target: Target) -> None:
    """A target that refuses its own seeds would never be fuzzed behind its first check."""
    taken = 0
    for data in target.seeds():
        try:
            target.parse(data)
            taken += 1
        except target.errors:
            assert target.seeds_refused
    assert taken or target.seeds_refused


@each_target
def test_no_input_does_what_none_may(target: Target) -> None:
    tally = run(target, INPUTS[target.slow], Random(0), kept(target.name)[:8], most=BOMB_BYTES)
    assert list(tally.faults) == []


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param(one, path, id=f"{one.name}-{path.name}")
        for one in TARGETS
        for path in faults(one.name)
    ],
)
def test_what_was_a_fault_once_is_none_now(target: Target, path: Path) -> None:
    tally = run(target, 1, Random(0), [path.read_bytes()])
    assert tally.faults == {}


# --- that a fault is seen ------------------------------------------------------------------------


def planted(parse: Callable[[bytes], object]) -> Target:
    """A target that takes what begins with a small letter and does something else with `!`."""

    def judged(data: bytes) -> object:
        if data[:1] == b"!":
            return parse(data)
        raise InvalidInput("malformed", "it does not begin so")

    return Target(name="planted", parse=judged, seeds=lambda: [b"!"], form="text", longest=64)


def spin(_data: bytes) -> None:
    end = time.process_time() + 1.1
    while time.process_time() < end:
        pass


def grow(_data: bytes) -> int:
    return len(bytearray(os.urandom(1)) * (128 * KIB * KIB))


def kill(_data: bytes) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stay(_data: bytes) -> None:
    while True:
        pass


def raise_key(_data: bytes) -> object:
    found: dict[bytes, object] = {}
    return found[_data]


@pytest.mark.parametrize(
    ("parse", "kind"),
    [(raise_key, "crash"), (kill, "crash"), (spin, "hang"), (stay, "hang"), (grow, "memory")],
)
def test_each_sort_of_fault_is_seen_with_its_input(
    parse: Callable[[bytes], object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "NEVER_S", 1.5)
    tally = run_apart(planted(parse), 1, 0)
    (fault,) = tally.faults.values()
    assert (fault.kind, fault.data) == (kind, b"!")


def test_memory_without_bound_ends_in_a_fault() -> None:
    tally = run_apart(planted(lambda _data: bytearray(4 * KIB * KIB * KIB)), 1, 0)
    (fault,) = tally.faults.values()
    assert (fault.kind, fault.data) == ("crash", b"!")
    assert "MemoryError" in fault.said


@pytest.mark.parametrize("form", list(TOKENS))
def test_the_same_seed_gives_the_same_inputs(form: str) -> None:
    first, second = (
        Mutator(form, [b'{"a": [1, "x"]}', b"\x93\x01\xa1a\xc4\x01a"], Random(seed), 4 * KIB)  # type: ignore[arg-type]
        for seed in (5, 5)
    )
    inputs = [first.next() for _ in range(300)]
    assert inputs == list(islice(iter(second.next, None), 300))
    assert len(set(inputs)) > 150
    assert all(len(one) <= 100 for one in bombs(form, 100))  # type: ignore[arg-type]


# --- that nothing is left out --------------------------------------------------------------------

PARSER: Final = re.compile(r"^ *def ((?:parse|decode)_[a-z_]+)\(", re.MULTILINE)
ELSEWHERE: Final = {
    "parse_strictly": "of a command line: who types it may do all that the program does",
}
"""Parsers that no target names, and why."""


def test_every_parser_has_a_target() -> None:
    """Each function `parse_*` and `decode_*` of the project stands in a target's file."""
    targets = "".join(path.read_text() for path in (ROOT / "tests/fuzz/targets").glob("*.py"))
    missing = [
        f"{path.name}:{name}"
        for room in ("schemas/saphan_schemas", "protocol", "broker", "clients")
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in PARSER.findall(path.read_text())
        if name not in targets and name not in ELSEWHERE
    ]
    assert missing == []
