"""The specification is enough: a second reader, written from its pages, judges every vector alike.

It runs in an interpreter that can import the standard library, msgpack and cryptography, and
nothing else: no line of Saphan's code takes part.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors"
READER = ROOT / "tests/vectors/second"
PROGRAM = READER / "judge_vectors.py"
ALONE = """
import runpy, sys
ALLOWED = set(sys.stdlib_module_names) | {"msgpack", "cryptography", "_cffi_backend", "cffi"}
ALLOWED |= {"mp", "suite", "log", "schema", "rules", "text", "retention"}
ALLOWED |= {"succession"}
class Alone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ImportError(f"{name} is not the second reader's")
sys.meta_path.insert(0, Alone())
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
try:
    import saphan_schemas
except ImportError:
    pass
else:
    raise SystemExit("the reader is not alone")
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FAMILIES = {
    "attachment", "batch", "body", "bulletin_id", "codec", "content", "custody", "detail", "dsse",
    "log", "retention", "stanza",
}  # fmt: skip


def expected() -> dict[str, str]:
    """What each vector's file says: valid, or the code of the layer that must refuse."""
    found = {}
    for family in FAMILIES - {"body", "log", "retention"}:
        for path in (FOLDER / family).glob("*.json"):
            vector = json.loads(path.read_text(encoding="utf-8"))
            code = vector.get("code") or vector["expect"]
            found[f"{family}/{path.stem}"] = code
    for case in json.loads((FOLDER / "log/heads.json").read_text(encoding="utf-8"))["cases"]:
        found[f"log/heads/{case['name']}"] = case["expect"]
    for case in json.loads((FOLDER / "log/succession.json").read_text("ascii"))["cases"]:
        found[f"log/succession/{case['name']}"] = case["expect"]
    for case in json.loads((FOLDER / "retention/leaves.json").read_text("ascii"))["cases"]:
        found[f"retention/leaves/{case['name']}"] = case["expect"]
    for case in json.loads((FOLDER / "retention/logs.json").read_text("ascii"))["cases"]:
        at = "" if case["index"] is None else f" at {case['index']}"
        found[f"retention/logs/{case['name']}"] = case["expect"] + at
    for path in (FOLDER / "body").glob("*.json"):
        cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
        found[f"body/{path.stem}/0"] = "valid"
        for number, case in enumerate(cases, 1):
            found[f"body/{path.stem}/{number}"] = case["expect"]
    return found | {"log/proofs": "valid"}


@pytest.fixture(scope="module")
def judged() -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(READER), str(PROGRAM), str(FOLDER)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_vector_is_judged_as_it_says(judged: dict[str, str]) -> None:
    wanted = expected()
    assert {name: code for name, code in judged.items() if wanted.get(name) != code} == {}
    assert judged.keys() == wanted.keys()


def test_both_verdicts_are_there(judged: dict[str, str]) -> None:
    assert {name.split("/")[0] for name in judged} == FAMILIES
    for family in FAMILIES:
        kinds = {code == "valid" for name, code in judged.items() if name.startswith(family + "/")}
        assert kinds == {True, False}, family
