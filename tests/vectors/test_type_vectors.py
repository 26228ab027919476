"""Bundles of agencies' own types with one thing wrong, and next versions: what must follow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from saphan_schemas.codec import decode_content, encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.growth import check_growth
from saphan_schemas.limits import LIMITS
from saphan_schemas.own_types import bundle_source
from saphan_schemas.profile import open_bundle
from support.json_changes import changed
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors/types"
GENERATOR = ROOT / "schemas/vectors/generate_types.py"
PROFILE, GROWTH = (
    json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for name in ("profile", "growth")
)
NAME = PROFILE["source"]["name"]
NEXT = "la.ospp/field_report/2"


def spoiled(vector: Any, case: Any) -> dict[str, Any]:
    """The bundle of a vector's source with a case's changes made."""
    source = json.dumps(vector["source"]).encode()
    bundle = decode_content(bundle_source(source)[1], LIMITS.schema_bytes)
    return dict(changed(bundle, case["change"]))


@pytest.mark.parametrize("case", PROFILE["cases"], ids=lambda case: case["why"])
def test_what_may_not_stand_in_a_bundle(case: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_bundle(NAME, encode_content(spoiled(PROFILE, case)))
    assert (refused.value.code, refused.value.field) == (case["expect"], case["at"])


@pytest.mark.parametrize("case", GROWTH["cases"], ids=lambda case: case["why"])
def test_what_the_next_version_may_be(case: Any) -> None:
    before = spoiled(GROWTH, {"change": []})
    after = spoiled(GROWTH, case)
    after["schema"]["$id"] = f"urn:{NEXT.replace('/', ':')}"
    after = open_bundle(NEXT, encode_content(after))
    if case["expect"] == "valid":
        check_growth(before, after)
        return
    with pytest.raises(InvalidInput) as refused:
        check_growth(before, after)
    assert (refused.value.code, refused.value.field) == (case["expect"], case["at"])


def test_the_generator_writes_these_files_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(GENERATOR), str(tmp_path)], check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in (tmp_path / "types").iterdir()}
    assert made == {path.name: path.read_bytes() for path in FOLDER.iterdir()}
