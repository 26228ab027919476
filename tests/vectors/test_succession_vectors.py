"""The project's own vectors about a log that follows a lost one, made without the code under
test (generate_succession.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saphan_protocol.pins import Pins, numbered
from saphan_protocol.succession import check_chain, check_continues
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import SaphanError
from saphan_schemas.succession_frames import Step
from support.rooms import ROOT

FILE = ROOT / "schemas/vectors/log/succession.json"
VECTORS: Any = json.loads(FILE.read_text(encoding="ascii"))


def pins(directory: int, evidence: int) -> Pins:
    logs = {
        log: numbered(LogPin(f"{VECTORS['name']}/{log}/1", tuple(VECTORS["vkeys"][log])), number)
        for log, number in (("directory", directory), ("evidence", evidence))
    }
    return Pins(name=VECTORS["name"], **logs)


def step(given: Any) -> Step:
    return Step(
        given["directory"],
        given["evidence"],
        bytes.fromhex(given["leaf"]),
        tuple(map(bytes.fromhex, given["path"])),
        given["note"].encode(),
    )


def judge(case: Any) -> list[list[object]]:
    """What the steps name; a node judges so before it adopts the last of them."""
    found = [named for named, _ in check_chain(pins(*case["pins"]), map(step, case["steps"]))]
    if found:
        check_continues(found[0], [(size, bytes.fromhex(root)) for size, root in case["known"]])
    return [[one.origin, one.size, one.root.hex()] for one in found]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["name"]))
def test_a_succession_is_judged_as_it_says(case: Any) -> None:
    if case["expect"] == "valid":
        assert judge(case) == case["named"]
        return
    with pytest.raises(SaphanError) as caught:
        judge(case)
    assert caught.value.code == case["expect"]


def test_there_are_good_ones_and_one_defect_for_every_code() -> None:
    assert {case["expect"] for case in VECTORS["cases"]} == {
        "valid", "successor_malformed", "successor_behind", "successor_differs",
        "proof_inclusion", "head_origin", "head_signature", "note_signature",
    }  # fmt: skip
