"""Hold orders and their terms: each vector as it says, by Saphan and by a second reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from saphan_protocol.hold_order import parse_hold, parse_terms, terms_commitment
from saphan_protocol.holding import Holds
from saphan_protocol.keys import VerifyingKey
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Role
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors"
READER = ROOT / "tests/vectors/second"
VECTORS: dict[str, Any] = json.loads((FOLDER / "hold/cases.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = VECTORS["cases"]
TERMS: list[dict[str, Any]] = VECTORS["terms"]


def holds() -> Holds:
    """The agency's keys, and the orders before."""
    agency = VECTORS["agency"]
    roots = _keys(Role.ROOT, VECTORS["roots"])
    orders = _keys(Role.ORDER, VECTORS["order_keys"])
    made = Holds(
        lambda *_: int(VECTORS["threshold"]),
        lambda key, name, at: orders.get(key) if name == agency else None,
        lambda name, at: roots if name == agency else {},
    )
    for index, text in enumerate(VECTORS["before"]):
        package = bytes.fromhex(text)
        made.commit(parse_hold(package).commitment, index)
        made.add(package)
    return made


def _keys(role: Role, publics: list[str]) -> dict[bytes, VerifyingKey]:
    keys = [VerifyingKey(role, bytes.fromhex(public)) for public in publics]
    return {key.key_id: key for key in keys}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_step_that_it_names_refuses_it(case: dict[str, Any]) -> None:
    package, commitment = bytes.fromhex(case["package"]), None
    try:
        commitment = holds().check(package, len(VECTORS["before"])).commitment.hex()
        code = "valid"
    except SaphanError as error:
        code = error.code
    assert (code, commitment) == (case["expect"], case["commitment"])
    assert parses(package) is (case["step"] != 1)


def parses(package: bytes) -> bool:
    """Whether step 1 takes it, which asks no directory."""
    try:
        parse_hold(package)
    except SaphanError:
        return False
    return True


@pytest.mark.parametrize("case", TERMS, ids=[case["name"] for case in TERMS])
def test_terms_are_taken_or_refused(case: dict[str, Any]) -> None:
    terms = bytes.fromhex(case["terms"])
    assert terms_commitment(bytes.fromhex(VECTORS["salt"]), terms).hex() == case["commitment"]
    try:
        parse_terms(terms)
        code = "valid"
    except SaphanError as error:
        code = error.code
    assert code == case["expect"]


def test_each_step_is_there() -> None:
    assert {case["step"] for case in CASES} == set(range(5))


def test_a_second_reader_judges_the_same() -> None:
    """It has the pages, `msgpack` and `cryptography`, and nothing of Saphan."""
    alone = (
        "import sys, runpy\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "for name in ('saphan', 'saphan_schemas', 'saphan_protocol', 'saphan_broker', 'msgspec'):\n"
        "    sys.modules[name] = None\n"
        "sys.argv = sys.argv[2:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    reader = str(READER / "hold.py")
    command = [sys.executable, "-I", "-c", alone, str(READER), reader, str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    wanted = {case["name"]: [case["expect"], case["commitment"]] for case in CASES}
    wanted |= {f"terms {case['name']}": [case["expect"], case["commitment"]] for case in TERMS}
    assert json.loads(done.stdout) == wanted


def test_the_generator_writes_this_file_byte_for_byte(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "generate_hold.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    assert (tmp_path / "cases.json").read_bytes() == (FOLDER / "hold/cases.json").read_bytes()
