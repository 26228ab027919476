"""What a successor log names, proven by its own keys, and what it may not take back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from saphan_protocol.checkpoint import format_checkpoint, log_lines
from saphan_protocol.evidence import anchor_leaf, successor_leaf
from saphan_protocol.merkle import inclusion_path, leaf_hash, root_of
from saphan_protocol.notes import format_vkey
from saphan_protocol.pins import Pins, numbered
from saphan_protocol.succession import (
    SuccessorDiffers,
    check_chain,
    check_continues,
    check_step,
    pins_after,
)
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.frames import FromBroker
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef
from saphan_schemas.succession_frames import Step, Succession
from support.log_keys import log_pair, signer

DIRECTORY, EVIDENCE = "bridge.test/directory/1", "bridge.test/evidence/1"
ROOT = bytes(range(32))
OTHER = bytes(32)


def _pin(origin: str) -> LogPin:
    return LogPin(origin, tuple(format_vkey(key) for key in log_pair(origin)))


PINS = Pins(name="bridge.test", directory=_pin(DIRECTORY), evidence=_pin(EVIDENCE))


def _step(number: int = 2, directory: int = 1, keys: str = EVIDENCE, **changes: Any) -> Step:
    """Succession to evidence log `number`; the keys stay those of number 1."""
    origin = f"bridge.test/evidence/{number}"
    leaf = changes.pop(
        "leaf", successor_leaf(f"bridge.test/evidence/{number - 1}", 700 + number, ROOT)
    )
    hashes = [leaf_hash(leaf), leaf_hash(anchor_leaf(3, ROOT)), leaf_hash(b"third")]

    def node(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    text = format_checkpoint(origin, 3, root_of(hashes))
    note = log_lines(*signer(keys), origin, text, 1_800_000_000)
    step = Step(
        f"bridge.test/directory/{directory}", origin, leaf, inclusion_path(0, 3, node), note
    )
    return msgspec.structs.replace(step, **changes)


def _code(step: Step, old: str = EVIDENCE, pins: Pins = PINS) -> str:
    with pytest.raises(SaphanError) as refused:
        check_step(pins, old, step)
    return refused.value.code


def test_a_step_names_the_largest_head_under_the_keys_of_the_pins() -> None:
    named = check_step(PINS, EVIDENCE, _step())
    assert named.ref == HeadRef(EVIDENCE, 702, ROOT)
    assert (named.origin, named.size, named.root) == (EVIDENCE, 702, ROOT)


def test_a_step_is_refused_unless_each_part_fits() -> None:
    assert _code(_step(keys=DIRECTORY)) == "head_signature"
    assert _code(_step(3)) == "successor_malformed"  # one is missing between them
    assert _code(_step(), old="bridge.test/directory/1") == "successor_malformed"
    assert _code(_step(), old="brigde.test/evidence/1") == "successor_malformed"
    assert _code(_step(directory="1/x")) == "pins_malformed"  # type: ignore[arg-type]
    other = msgspec.structs.replace(_step(), directory="brigde.test/directory/1")
    assert _code(other) == "successor_malformed"
    assert _code(_step(leaf=successor_leaf("bridge.test/evidence/3", 5, ROOT))) == (
        "successor_malformed"
    )
    assert _code(_step(leaf=b"\x0a" + anchor_leaf(3, ROOT)[1:] + bytes(32))) == "leaf_malformed"
    moved = msgspec.structs.replace(_step(), leaf=successor_leaf(EVIDENCE, 701, ROOT))
    assert _code(moved) == "proof_inclusion"
    assert _code(msgspec.structs.replace(_step(), path=())) == "proof_inclusion"


def test_a_leaf_of_another_kind_is_no_succession() -> None:
    assert _code(_step(leaf=anchor_leaf(3, ROOT))) == "successor_malformed"


def test_a_chain_leads_from_any_number_to_the_newest() -> None:
    steps = (_step(2), _step(3, directory=2), _step(4, directory=2))
    found = check_chain(PINS, steps)
    assert [named.size for named, _pins in found] == [702, 703, 704]
    assert [named.origin[-1] for named, _pins in found] == ["1", "2", "3"]
    assert found[-1][1] == Pins(
        name=PINS.name, directory=numbered(PINS.directory, 2), evidence=numbered(PINS.evidence, 4)
    )
    assert found[-1][1].lasting == PINS.lasting
    late = check_chain(found[0][1], steps)
    assert [pins for _named, pins in late] == [pins for _named, pins in found[1:]]
    assert check_chain(found[-1][1], steps) == ()


def test_a_chain_with_a_gap_or_a_leap_is_refused() -> None:
    for steps in ((_step(3),), (_step(2), _step(4)), (_step(2, directory=3),)):
        with pytest.raises(InvalidInput, match="successor_malformed"):
            check_chain(PINS, steps)
    with pytest.raises(InvalidInput, match="successor_malformed"):
        pins_after(pins_after(PINS, _step(2, directory=2)), _step(3, directory=1))
    with pytest.raises(InvalidInput, match="at most"):
        check_chain(PINS, (_step(1),) * (LIMITS.successions + 1))


def test_a_successor_takes_nothing_back() -> None:
    step = _step()
    named = check_step(PINS, EVIDENCE, step)
    check_continues(named, ())
    check_continues(named, ((3, OTHER), (702, ROOT)))
    with pytest.raises(SaphanError, match="successor_behind"):
        check_continues(named, ((702, ROOT), (703, OTHER)))
    with pytest.raises(SuccessorDiffers, match="successor_differs") as differs:
        check_continues(named, ((702, OTHER),))
    assert differs.value.named.by == step
    assert differs.value.root == OTHER


def test_a_full_answer_fits_into_one_message() -> None:
    path = (bytes(32),) * LIMITS.proof_hashes
    step = msgspec.structs.replace(_step(), path=path)
    whole = encode(Succession((step,) * LIMITS.successions))
    assert len(whole) <= LIMITS.frame_bytes
    assert isinstance(decode(FromBroker, whole, LIMITS.frame_bytes, "message"), Succession)  # type: ignore[arg-type]
