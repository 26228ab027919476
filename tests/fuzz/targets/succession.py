"""What a lost log leaves, and its successor shows: steps on the line, files of the making."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from saphan_broker.init_marker import SUCCESSION_NAME
from saphan_broker.succession.plan import (
    FORMAT,
    LEAVES_NAME,
    PLAN_NAME,
    KnownLeaf,
    planned_leaves,
    read_plan,
)
from saphan_broker.succession_chain import CHAIN_NAME, read_chain
from saphan_protocol.merkle import EMPTY_ROOT
from saphan_protocol.pins import Pins
from saphan_protocol.succession import check_chain
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import HeadRef
from saphan_schemas.succession_frames import Succession
from support.agency import Agency
from support.ceremony import NOW
from support.logbook import Logbook
from support.successors import step_after

from fuzz.on_disk import in_file
from fuzz.target import ANY_OF_OURS, Form, Target
from fuzz.targets.records import LA

ROOT: Final = bytes(range(32))


@cache
def pins() -> Pins:
    return Logbook((Agency(LA, NOW),)).pins


@cache
def chain() -> bytes:
    """Two losses, one after the other."""
    first = step_after(pins().evidence.origin, 5, ROOT, NOW)
    return encode(Succession((first, step_after(first.evidence, 3, EMPTY_ROOT, NOW))))


def _steps(data: bytes) -> object:
    """As a node judges what a broker answers it."""
    told = decode(Succession, data, LIMITS.frame_bytes, "succession")
    return check_chain(pins(), told.steps)


def _plan() -> list[bytes]:
    head = HeadRef("bridge.example/evidence/1", 7, ROOT)
    known = HeadRef("bridge.example/directory/1", 3, ROOT)
    named = {"lost": head, "known": known, "directory_before": known.origin}
    named |= {"directory": known.origin, "evidence": "bridge.example/evidence/2"}
    rest = {"saphan": FORMAT, "address": "bridge.example:8470", "tls": ROOT}
    return [msgspec.json.encode(named | rest), msgspec.json.encode(named | rest | {"tls": None})]


def _leaves() -> list[bytes]:
    found = [encode(KnownLeaf(b"a leaf", text)) for text in (None, b"a text")]
    return [b"".join(struct.pack(">I", len(one)) + one for one in found)]


def _beside(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """`read` of a keys directory in whose folder of a succession the input is called `name`."""

    def parse(path: Path) -> object:
        place = path.parent / SUCCESSION_NAME
        place.mkdir(mode=0o700, exist_ok=True)
        path.rename(place / name)
        return read(path.parent)

    return in_file(parse, name)


def _row(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    form: Form = "msgpack",
    *,
    slow: bool = False,
) -> Target:
    return Target(
        name=name,
        parse=parse,
        seeds=seeds,
        form=form,
        errors=ANY_OF_OURS if slow else (OperatorError, Refused),
        longest=256 * KIB,
        slow=slow,
    )


TARGETS: Final = (
    _row("succession-steps", _steps, lambda: [chain()], slow=True),
    _row(
        "succession-chain",
        in_file(lambda path: read_chain(path.parent), CHAIN_NAME),
        lambda: [chain()],
    ),
    _row("succession-plan", _beside(PLAN_NAME, read_plan), _plan, "json"),
    _row(
        "succession-leaves",
        _beside(LEAVES_NAME, lambda keys: list(planned_leaves(keys))),
        _leaves,
        "bytes",
    ),
)
