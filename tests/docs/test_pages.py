"""Pages for people name commands and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.rooms import ROOT, tracked_files

PAGES = tuple(path for path in tracked_files() if path.suffix == ".md")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
MAKE_COMMAND = re.compile(r"^make ([a-z-]+)\b", re.MULTILINE)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def make_commands(page: Path) -> set[str]:
    """Targets named in shell blocks and code spans; `make sure` in a sentence is not one."""
    code = CODE.findall(page.read_text(encoding="utf-8"))
    return {target for pair in code for text in pair for target in MAKE_COMMAND.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_commands_are_targets(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert make_commands(page) <= targets


def test_targets_run_programs_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    programs = re.findall(r"[\w/]+/[\w*]+\.py", makefile)
    programs += [f"{name.replace('.', '/')}.py" for name in re.findall(r"-m (\w+\.\w+)", makefile)]
    assert len(programs) == 12
    assert [program for program in programs if not list(ROOT.glob(program))] == []


def test_development_page_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)) - {"help", "setup"}
    page = (ROOT / "docs/development.md").read_text(encoding="utf-8")
    assert {target for target in targets if f"`make {target}`" not in page} == set()


def test_readme_shows_the_two_commands_and_whom_it_does_not_speak_for() -> None:
    page = ROOT / "README.md"
    assert {"demo", "test"} <= make_commands(page)
    assert "not endorsed" in page.read_text(encoding="utf-8")
