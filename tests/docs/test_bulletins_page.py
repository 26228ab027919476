"""The page on bulletins: every type stands there, its commands run, its keys are the form's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from saphan.cli.schema_new import BACK, HELP, STOP
from saphan.cli.typed_lines import CONTINUES
from saphan.form.reading import LEAVE_OUT
from saphan_schemas.bodies import NAMES
from support.command import saphan_here
from support.rooms import ROOT

PAGE = (ROOT / "docs/bulletins.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
FAULT = "this is not one of the codes. Right would be: KGM = Kilogram (kg); GRM = Gram (g);"


def test_the_table_has_every_type_and_no_other() -> None:
    assert sorted(ROW.findall(PAGE)) == sorted(name.split("/")[1] for name in NAMES)


def test_the_commands_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that asks is shown with its answers, and is run by tests/cli."""
    monkeypatch.chdir(tmp_path)
    run = [line for block in BLOCK.findall(PAGE) for line in block.splitlines()]
    asking = [line for line in run if line.startswith("saphan schema new ")]
    assert len(asking) == 1
    assert len(run) == 7
    for line in run:
        if line not in asking:
            saphan_here(*shlex.split(line)[1:])


def test_the_keys_are_those_of_the_form() -> None:
    table = PAGE.partition("| typed |")[2].partition("\n\n")[0]
    assert all(f"| `{key}`" in table for key in (LEAVE_OUT, HELP, BACK, STOP))
    assert f"`{CONTINUES}`" in PAGE


def test_the_fault_that_is_shown_is_what_the_program_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saphan_here("schema", "example", "drug_seizure", "--out", "b.json")
    data = Path("b.json").read_text(encoding="utf-8").replace('"unit": "U2"', '"unit": "tab"')
    Path("b.json").write_text(data, encoding="utf-8")
    ran = saphan_here("schema", "check", "b.json", status=2)
    assert FAULT in ran.err
    assert FAULT in PAGE
