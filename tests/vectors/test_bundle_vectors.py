"""The vectors of evidence bundles: one defect each, and the step that must refuse it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saphan_protocol.bundle.reading import parse_bundle_item
from saphan_protocol.bundle.report import GAPS, BundleStep, Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_schemas.bundles import BundleItem

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "vectors"
VECTORS: Any = json.loads((FOLDER / "bundle" / "cases.json").read_text(encoding="ascii"))
TYPES = {name: bytes.fromhex(digest) for name, digest in VECTORS["types"].items()}
CASES = [pytest.param(case, id=case["name"]) for case in VECTORS["cases"]]


def items(case: Any) -> Iterator[BundleItem]:
    for place in case["items"]:
        yield parse_bundle_item(bytes.fromhex(VECTORS["items"][place]))


def check(case: Any) -> Verdict:
    return verify_bundle(items(case), TYPES)


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_the_one_that_stands_there(case: Any) -> None:
    verdict = check(case)
    found = verdict.finding
    assert verdict.outcome.value == case["outcome"], (found, verdict.gaps)
    assert (found and found.step.value) == case["step"]
    assert (found and found.code) == case["code"]
    if found is None:
        assert sorted({gap.code for gap in verdict.gaps}) == case["gaps"]


def test_every_step_has_a_vector_that_only_it_refuses() -> None:
    assert {case["step"] for case in VECTORS["cases"] if case["step"]} == set(BundleStep)
    assert len({case["name"] for case in VECTORS["cases"]}) == len(CASES)
    assert {gap for case in VECTORS["cases"] for gap in case["gaps"]} <= GAPS


def test_the_good_case_is_the_good_file() -> None:
    whole = "".join(VECTORS["items"][place] for place in VECTORS["cases"][0]["items"])
    assert bytes.fromhex(whole) == (FOLDER / "bundle" / "good.bundle").read_bytes()


def test_the_generator_writes_these_files_byte_for_byte(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "generate_bundle.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    for name in ("good.bundle", "cases.json"):
        assert (tmp_path / name).read_bytes() == (FOLDER / "bundle" / name).read_bytes()
