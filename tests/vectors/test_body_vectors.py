"""Bodies of all types, each spoiled in one way: the code and the pointer that must follow."""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
import sys
from typing import Any

import pytest
from saphan_schemas.bodies import NAMES, digest
from saphan_schemas.codec import encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS
from saphan_schemas.pae import pae
from saphan_schemas.records import Header, Marking
from saphan_schemas.validation import validate_content
from support.json_changes import changed
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors/body"
GENERATOR = ROOT / "schemas/vectors/generate_bodies.py"
VECTORS: dict[str, Any] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.json"))
}
CASES = [(stem, at) for stem, vector in VECTORS.items() for at in range(len(vector["cases"]))]


def spoiled(vector: Any, changes: list[Any]) -> tuple[dict[str, Any], Any]:
    """Header facts and content with a case's changes made."""
    whole = changed({"header": vector["header"], **vector["content"]}, changes)
    return whole.pop("header"), whole


def header_of(facts: dict[str, Any]) -> Header:
    def millis(text: str) -> int:
        return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)

    return Header(
        suite=1,
        nonce=bytes(16),
        sender=facts["sender"],
        recipients=tuple(facts["recipients"]),
        schema=facts["schema"],
        schema_digest=digest(facts["schema"]),
        marking=Marking(facts["tlp"], tuple(facts["codes"])),
        urgency=facts["urgency"],
        exercise=facts["exercise"],
        created=millis(facts["created"]),
        expires=millis(facts["expires"]),
        answer_by=None,
        retain_until=millis(facts["retain_until"] + "T00:00:00Z") // DAY_MS,
    )


@pytest.mark.parametrize("stem", VECTORS)
def test_the_sample_is_valid(stem: str) -> None:
    facts, content = spoiled(VECTORS[stem], [])
    encode_content(content)
    validate_content(header_of(facts), content)


@pytest.mark.parametrize(("stem", "at"), CASES, ids=lambda value: str(value))
def test_what_spoils_it_is_named(stem: str, at: int) -> None:
    case = VECTORS[stem]["cases"][at]
    facts, content = spoiled(VECTORS[stem], case["change"])
    with pytest.raises(InvalidInput) as refused:
        validate_content(header_of(facts), content)
    assert (refused.value.code, refused.value.field) == (case["expect"], case["at"]), case["why"]


def test_bundles_have_their_digests() -> None:
    assert sorted(vector["type"] for vector in VECTORS.values()) == sorted(NAMES)
    for stem, vector in VECTORS.items():
        data = (FOLDER / f"{stem}.bundle").read_bytes()
        assert hashlib.sha256(pae("saphan/schema/1", data)).hexdigest() == vector["digest"]


def test_the_generator_writes_these_files_byte_for_byte(tmp_path: Any) -> None:
    subprocess.run([sys.executable, str(GENERATOR), str(tmp_path)], check=True, timeout=60)
    written = {path.name: path.read_bytes() for path in (tmp_path / "body").iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.iterdir()}
