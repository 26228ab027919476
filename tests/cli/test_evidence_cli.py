"""`saphan evidence verify` as a process of its own: statuses, pages, and how little it needs."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment, saphan, saphan_here
from support.rooms import ROOT

GOOD = ROOT / "schemas/vectors/bundle/good.bundle"
HEAVY = {"aiohttp", "argon2", "asyncio", "http", "sqlite3", "ssl"}
WEIGHED = """
import json, sys
from saphan.cli.main import main
main(["evidence", "verify", sys.argv[1], "--json"])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def test_a_good_bundle_is_valid_and_its_words_are_there_to_compare() -> None:
    page = saphan("evidence", "verify", GOOD).out
    assert page.startswith("Valid\n")
    found = saphan("evidence", "verify", GOOD, "--json").json
    assert found["outcome"] == "valid"
    assert found["finding"] is None
    for word in found["pins_words"].split():
        assert word in page


def test_a_check_loads_neither_a_server_nor_a_store() -> None:
    """Half a second is for the interpreter, the signatures, and nothing else."""
    ran = subprocess.run(
        [sys.executable, "-c", WEIGHED, str(GOOD)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert not HEAVY.intersection(json.loads(ran.stderr.splitlines()[-1]))


@pytest.mark.parametrize(("size", "status"), [(1, 2), (1_000, 2), (20_000, 3), (-1, 3)])
def test_a_bundle_that_was_cut_is_invalid(tmp_path: Path, size: int, status: int) -> None:
    """Inside its first item it is no bundle yet; the same words say why."""
    cut = tmp_path / "cut.bundle"
    cut.write_bytes(GOOD.read_bytes()[:size])
    ran = saphan_here("evidence", "verify", cut, "--json", status=status)
    if status == 3:
        assert ran.json["finding"]["code"] == "evidence_cut"
    else:
        assert "it was cut" in ran.err


def test_an_invalid_bundle_gets_a_page_that_says_so(tmp_path: Path) -> None:
    broken, page = tmp_path / "broken.bundle", tmp_path / "page.html"
    data = bytearray(GOOD.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    ran = saphan_here("evidence", "verify", broken, "--page", page, status=3)
    assert ran.out.startswith("Invalid\n")
    assert str(page) in ran.err
    written = page.read_text(encoding="utf-8")
    assert "This file must not be relied on" in written
    again = saphan_here("evidence", "verify", broken, "--page", page, status=5)
    assert again.code == "file_exists"


@pytest.mark.parametrize(
    ("page", "pdf", "code"),
    [("one", "one", "file_exists"), ("no/one", "two", "file_unwritable")],
)
def test_pages_that_cannot_be_written_are_refused_before_anything_is(
    page: str, pdf: str, code: str, tmp_path: Path
) -> None:
    asked = ("--page", tmp_path / page, "--pdf", tmp_path / pdf)
    assert saphan_here("evidence", "verify", GOOD, *asked, status=5).code == code
    assert list(tmp_path.iterdir()) == []


def test_each_numbered_check_is_told(tmp_path: Path) -> None:
    good = saphan_here("evidence", "verify", GOOD).out
    assert "  - V1 The file is whole and well formed: holds" in good
    cut = tmp_path / "cut.bundle"
    cut.write_bytes(GOOD.read_bytes()[:-1])
    broken = saphan_here("evidence", "verify", cut, status=3).out
    for number in range(1, 18):
        assert f"  - V{number} " in good
        assert f"  - V{number} " in broken
    assert ": failed" in broken


def test_a_page_is_its_owner_s_alone_to_read(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    saphan_here("evidence", "verify", GOOD, "--page", page)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_nothing_of_an_invalid_bundle_is_saved(tmp_path: Path) -> None:
    broken, folder = tmp_path / "broken.bundle", tmp_path / "attachments"
    data = bytearray(GOOD.read_bytes())
    data[-40] ^= 1
    broken.write_bytes(data)
    ran = saphan_here("evidence", "show", broken, "--save", folder, "--json", status=3)
    assert ran.json["saved"] == []
    assert not folder.exists()


def test_other_pins_than_the_reader_s_are_not_believed(tmp_path: Path) -> None:
    pins = tmp_path / "pins.json"
    found = saphan_here("evidence", "verify", GOOD, "--json").json
    directory, evidence = found["pins"]
    name = directory["origin"].partition("/")[0]
    own = {"saphan": "pins/1", "name": name, "directory": directory, "evidence": evidence}
    pins.write_text(json.dumps(own))
    ran = saphan_here("evidence", "verify", GOOD, "--pins", pins, "--json")
    assert ran.json["pinned"] is True
    own["name"] = "other.example"
    pins.write_text(json.dumps(own).replace(f"{name}/", "other.example/"))
    saphan_here("evidence", "verify", GOOD, "--pins", pins, "--json", status=2)
