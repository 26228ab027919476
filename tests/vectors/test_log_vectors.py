"""The project's own log vectors, made without the code under test (generate_log.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from saphan_protocol import checkpoint, merkle, notes
from saphan_schemas.errors import InvalidInput

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "vectors" / "log"
PROOFS: Any = json.loads((FOLDER / "proofs.json").read_text(encoding="ascii"))
HEADS: Any = json.loads((FOLDER / "heads.json").read_text(encoding="ascii"))
LEAVES = [bytes.fromhex(leaf) for leaf in PROOFS["leaf_hashes"]]
ROOTS = [bytes.fromhex(root) for root in PROOFS["roots"]]


def node(level: int, index: int) -> bytes:
    return merkle.root_of(LEAVES[index << level : (index + 1) << level])


def pair(texts: list[str]) -> checkpoint.KeyPair:
    return notes.parse_vkey(texts[0]), notes.parse_vkey(texts[1])


def test_roots() -> None:
    assert [merkle.root_of(LEAVES[:size]) for size in range(len(ROOTS))] == ROOTS


def test_inclusion() -> None:
    assert len(PROOFS["inclusion"]) == 13 * 14 // 2
    for index, size, hexed in PROOFS["inclusion"]:
        path = tuple(bytes.fromhex(item) for item in hexed)
        assert merkle.inclusion_path(index, size, node) == path
        merkle.verify_inclusion(index, size, LEAVES[index], path, ROOTS[size])


def test_consistency() -> None:
    assert len(PROOFS["consistency"]) == 13 * 14 // 2
    for old, new, hexed in PROOFS["consistency"]:
        path = tuple(bytes.fromhex(item) for item in hexed)
        assert merkle.consistency_path(old, new, node) == path
        merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], path)


@pytest.mark.parametrize("case", HEADS["cases"], ids=lambda case: case["name"])
def test_heads(case: Any) -> None:
    keys = pair(HEADS["log_vkeys"])
    witnesses = [pair(texts) for texts in HEADS["witness_vkeys"]]
    note = case["note"].encode()
    if case["expect"] != "valid":
        with pytest.raises(InvalidInput) as caught:
            checkpoint.verify_head(note, keys, witnesses)
        assert caught.value.code == case["expect"]
        return
    head = checkpoint.verify_head(note, keys, witnesses)
    assert (head.size, head.root.hex()) == (HEADS["size"], HEADS["root"])
    assert head.time == HEADS["time"]
    assert [found.name for found in head.cosignatures] == case["witnesses"]


def test_vkeys_are_in_their_one_spelling() -> None:
    for texts in (HEADS["log_vkeys"], *HEADS["witness_vkeys"]):
        assert [notes.format_vkey(key) for key in pair(texts)] == texts


def test_the_sample_of_the_spec_is_the_vector() -> None:
    spec = (FOLDER.parents[1] / "spec" / "log.md").read_text(encoding="utf-8")
    sample = spec.split("```\n")[1].splitlines()
    (case,) = (case for case in HEADS["cases"] if case["name"] == "head_cosigned")
    note = case["note"].splitlines()[: len(sample)]
    for shown, whole in zip(sample, note, strict=True):
        assert whole.startswith(shown.removesuffix("..."))
        assert shown == whole or shown.endswith("...")
