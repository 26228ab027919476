"""The page on own types: its file can be registered, its codes exist, its commands parse."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from saphan.cli.main import main
from saphan_schemas.messages import has_text
from saphan_schemas.own_types import bundle_source
from support.rooms import ROOT

PAGE = (ROOT / "docs/own-types.md").read_text(encoding="utf-8")


def test_the_file_of_the_page_is_a_type() -> None:
    (sample,) = re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE)
    assert bundle_source(sample.encode())[0] in PAGE.replace(sample, "")


def test_its_codes_have_titles() -> None:
    table = PAGE.partition("## When something is refused")[2]
    cells = re.findall(r"(?m)^\| (`.*?) \|", table)
    codes = [code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)]
    assert len(codes) > 10
    assert [code for code in codes if not has_text(f"error.{code}")] == []


@pytest.mark.parametrize("line", re.findall(r"(?m)^saphan .*$", PAGE))
def test_its_commands_are_taken_as_they_stand(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(line)[1:]) == 5  # understood: the files are what is missing
