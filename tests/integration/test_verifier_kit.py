"""The verifier's kit on a stranger's computer: its own commands, a new environment, no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from saphan.evidence.file import write_bundle
from support.agency import Agency
from support.audits import KH, LA
from support.bundled import Maker, cosign
from support.ceremony import NOW
from support.logbook import Logbook
from support.rooms import ROOT
from support.wheels import run

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
"""A fetch from anywhere would fail."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make verifier-kit` makes."""
    out = tmp_path_factory.mktemp("kit") / "verifier-kit"
    run([ROOT / ".ci/verifier-kit", out], ROOT, PYTHON=sys.executable)
    return out


def write_example(path: Path) -> None:
    """A bundle of a delivery that went well."""
    agencies = Agency(LA, NOW), Agency(KH, NOW)
    book = Logbook(agencies)
    made = book.deliver(LA, KH)
    maker = Maker(book, made, LA)
    maker.sign()
    cosign(book.evidence, agencies, book.time)
    write_bundle(path, maker.items(), lambda _: None)


def steps() -> list[str]:
    """The commands of the kit's page, one after the other."""
    page = (ROOT / "docs/verifier-kit.md").read_text(encoding="utf-8")
    return [line for block in BLOCK.findall(page) for line in block.splitlines()]


def test_its_page_leads_a_stranger_to_a_verdict(kit: Path, tmp_path: Path) -> None:
    example = tmp_path / "example.evidence"
    write_example(example)
    install, checks = steps()[:3], steps()[3:]
    for step in install:
        run(["sh", "-c", step], kit, **NO_NETWORK)
    said = [
        run(["sh", "-c", step.replace("FILE", str(example))], kit, **NO_NETWORK) for step in checks
    ]
    assert len(said) == 2
    assert "Valid" in said[0]
    assert (kit / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    altered = bytearray(example.read_bytes())
    altered[len(altered) // 2] ^= 1
    example.write_bytes(altered)
    wrong = subprocess.run(
        [kit / "checker/bin/saphan", "evidence", "verify", example],
        capture_output=True,
        check=False,
    )
    assert wrong.returncode == 3


def test_it_holds_what_it_says(kit: Path) -> None:
    assert (kit / "specification/evidence.md").is_file()
    assert (kit / "vectors").is_dir()
    assert list((kit / "wheels").glob("saphan-*.whl"))
    listed = (kit / "SHA256SUMS").read_text(encoding="utf-8")
    for path in kit.rglob("*.md"):
        if "checker" not in path.parts:
            assert f"./{path.relative_to(kit)}" in listed


def test_a_folder_that_is_there_is_not_touched(kit: Path) -> None:
    again = subprocess.run(
        [ROOT / ".ci/verifier-kit", kit],
        capture_output=True,
        check=False,
        env={"PYTHON": sys.executable},
    )
    assert again.returncode == 2
    assert b"new folder" in again.stderr
