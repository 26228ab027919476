"""Codec vectors: one file, one defect, and the layer that must refuse it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from saphan_schemas.codec import decode, decode_content, encode, encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import HeadRef
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors/codec"
GENERATOR = ROOT / "schemas/vectors/generate_codec.py"
FILES = tuple(sorted(path.name for path in FOLDER.glob("*.json")))
MAX_BYTES = 65_536


def decode_as(kind: str, data: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """Parse and encode again: what a reader makes of the vector."""
    if kind == "content":
        return encode_content(decode_content(data, max_bytes))
    assert kind == "head_ref"
    return encode(decode(HeadRef, data, max_bytes, "head"))


@pytest.mark.parametrize("file", FILES)
def test_vector(file: str) -> None:
    vector = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    data = bytes.fromhex(vector["hex"])
    if vector["expect"] == "valid":
        assert decode_as(vector["type"], data) == data
        return
    with pytest.raises(InvalidInput) as refused:
        decode_as(vector["type"], data)
    assert refused.value.code == vector["expect"], vector["why"]


@pytest.mark.parametrize("file", [name for name in FILES if "_valid" in name])
def test_a_valid_vector_one_byte_over_the_bound_is_too_large(file: str) -> None:
    vector = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    data = bytes.fromhex(vector["hex"])
    with pytest.raises(InvalidInput) as refused:
        decode_as(vector["type"], data, len(data) - 1)
    assert refused.value.code == "too_large"


def test_the_generator_writes_these_files_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(GENERATOR), str(tmp_path)], check=True)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {name: (FOLDER / name).read_bytes() for name in FILES}


def test_each_file_has_one_name_and_a_reason() -> None:
    for file in FILES:
        vector = json.loads((FOLDER / file).read_text(encoding="utf-8"))
        assert set(vector) == {"name", "type", "expect", "why", "hex"}
        assert file == vector["name"] + ".json"
        assert vector["why"]
