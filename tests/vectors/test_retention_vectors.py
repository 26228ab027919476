"""The project's own vectors about destruction, made and read a second time without its code."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any

import pytest
from saphan_protocol.audit.destruction import Destructions
from saphan_protocol.audit.report import Coverage, Trail
from saphan_protocol.evidence import open_leaf, parse_leaf, statement_leaf, target_of
from saphan_protocol.identity import identity
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, statement_record
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors/retention"
LEAVES: Any = json.loads((FOLDER / "leaves.json").read_text("ascii"))["cases"]
LOGS: Any = json.loads((FOLDER / "logs.json").read_text("ascii"))["cases"]


def judge_leaf(case: Any) -> None:
    leaf, entry, salt, body = (
        bytes.fromhex(case[name]) for name in ("leaf", "entry", "salt", "statement")
    )
    parsed, record = open_leaf(leaf, entry, salt)
    event = Event[parsed.type.name]
    statement = decode(statement_record(event), body, LIMITS.statement_bytes, "statement")
    assert identity(record.type, body) == record.statement
    if target_of(event, statement) != parsed.target:
        raise Refused("target_differs", "the leaf shows another target")
    assert statement_leaf(record, entry, body, salt) == leaf


@pytest.mark.parametrize("case", LEAVES, ids=lambda case: str(case["name"]))
def test_leaves(case: Any) -> None:
    if case["expect"] == "valid":
        judge_leaf(case)
        return
    with pytest.raises(SaphanError) as caught:
        judge_leaf(case)
    assert caught.value.code == case["expect"]


def judge_log(case: Any) -> tuple[str, int | None]:
    trail = Trail()
    ends = Destructions(Coverage(), trail)
    heads = [tuple(head) for head in case["heads"]]
    try:
        for index, leaf in enumerate(bytes.fromhex(one) for one in case["leaves"]):
            ends.take(index, parse_leaf(leaf))
            for size, time in heads:
                if size == index + 1:
                    ends.covered(time)
        ends.finish(heads[-1][1])
    except (InvalidInput, Refused) as error:
        return error.code, trail.index
    return "valid", None


@pytest.mark.parametrize("case", LOGS, ids=lambda case: str(case["name"]))
def test_logs(case: Any) -> None:
    assert judge_log(case) == (case["expect"], case["index"])


def test_the_generator_writes_these_very_bytes(tmp_path: Any) -> None:
    path = ROOT / "schemas/vectors/generate_retention.py"
    spec = importlib.util.spec_from_file_location("generate_retention", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.main(tmp_path)
    for name in ("leaves.json", "logs.json"):
        assert (tmp_path / "retention" / name).read_bytes() == (FOLDER / name).read_bytes()
