"""The project's own vectors about two histories, made without the code under test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from saphan_protocol.pins import parse_pins
from saphan_protocol.split_file import SPLIT_FORMAT, parse_split
from saphan_protocol.split_view import judge_split

FILE = Path(__file__).resolve().parents[2] / "schemas" / "vectors" / "log" / "split.json"
VECTORS: Any = json.loads(FILE.read_text(encoding="ascii"))
PINS = {name: parse_pins(json.dumps(value).encode()) for name, value in VECTORS["pins"].items()}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["name"]))
def test_a_file_proves_what_it_proves_and_no_more(case: Any) -> None:
    data = {
        "saphan": SPLIT_FORMAT,
        "pins": VECTORS["pins"]["broker"],
        "found_by": "kh.gpo",
        "found_at": VECTORS["found_at"],
        "notes": [VECTORS["notes"][name] for name in case["notes"]],
        "histories": case["histories"],
        "anchors": case["anchors"],
        "claims": [],
    }
    pins = None if case["pins"] is None else PINS[case["pins"]]
    verdict = judge_split(parse_split(json.dumps(data).encode()), pins)
    size = None if verdict.sides is None else verdict.sides[0].size
    assert {"verdict": verdict.proven.value, "size": size} == case["expect"]
    assert [remark.code for remark in verdict.remarks] == case["codes"]
