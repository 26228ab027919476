"""The leaf of an agency's own schema: each vector as it says, by Saphan and by a second reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from saphan_protocol.keys import VerifyingKey
from saphan_protocol.registrations import (
    Registered,
    Registrations,
    check_bundle,
    parse_registration,
)
from saphan_schemas.bodies import digest_of
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import SchemaRegistration, SignedRegistration
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import LeafType, Role
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors"
READER = ROOT / "tests/vectors/second"
VECTORS: dict[str, Any] = json.loads(
    (FOLDER / "registration/cases.json").read_text(encoding="utf-8")
)
CASES: list[dict[str, Any]] = VECTORS["cases"]


def directory() -> Registrations:
    """The agency's roots and what it has registered before."""
    keys = [VerifyingKey(Role.ROOT, bytes.fromhex(key)) for key in VECTORS["roots"]]
    roots = {key.key_id: key for key in keys}
    made = Registrations(
        lambda agency, at: roots if agency == VECTORS["agency"] else {},
        lambda agency, at: VECTORS["threshold"],
    )
    for name in VECTORS["registered"]:
        record = SchemaRegistration(VECTORS["agency"], name, bytes(32), 0)
        made.take(Registered(record, encode(record), SignedRegistration(b"", ()), 0))
    return made


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_step_that_it_names_refuses_it(case: dict[str, Any]) -> None:
    leaf = bytes.fromhex(case["leaf"])
    assert leaf[0] == LeafType.SCHEMA
    try:
        registered = directory().check(leaf[1:], 7)
        check_bundle(registered.record, bytes.fromhex(VECTORS["bundle"]))
        code = "valid"
    except SaphanError as error:
        code = error.code
    assert code == case["expect"]
    assert parses(leaf) is (case["step"] not in (1, 2, 3))


def parses(leaf: bytes) -> bool:
    """Whether steps 1 to 3 take it, which ask no directory."""
    try:
        parse_registration(leaf[1:])
    except SaphanError:
        return False
    return True


def test_each_step_is_there() -> None:
    assert {case["step"] for case in CASES} == set(range(7))
    assert digest_of(bytes.fromhex(VECTORS["bundle"])) in bytes.fromhex(CASES[0]["leaf"])


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
    reader = str(READER / "registration.py")
    command = [sys.executable, "-I", "-c", alone, str(READER), reader, str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {case["name"]: case["expect"] for case in CASES}


def test_the_generator_writes_this_file_byte_for_byte(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "generate_registration.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    written = (tmp_path / "cases.json").read_bytes()
    assert written == (FOLDER / "registration/cases.json").read_bytes()
