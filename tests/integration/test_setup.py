"""`.ci/setup` on machines that lack something: one clear sentence, a hint, nothing half-made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.rooms import ROOT

SETUP = ROOT / ".ci/setup"


def outcome(tmp_path: Path, python: str, *tools: str) -> tuple[int, str]:
    """Exit code and stderr of a set-up that finds these tools and no others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "dirname", "id", *tools):
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    result = subprocess.run(
        ["bash", str(SETUP), str(tmp_path / "venv"), python],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stderr


@pytest.mark.parametrize("python", ("false", "no-such-python"))
def test_unusable_interpreter_is_named(tmp_path: Path, python: str) -> None:
    code, text = outcome(tmp_path, python, "false")
    assert code == 1
    assert text.splitlines() == [
        f"setup: {python} is not a Python of version 3.11 or newer",
        "setup: hint: name another one with PY=, or leave PY out",
    ]
    assert not (tmp_path / "venv").exists()


def test_machine_without_python_is_told_what_to_install(tmp_path: Path) -> None:
    code, text = outcome(tmp_path, "")
    assert code == 1
    assert text.splitlines() == [
        "setup: missing: python3 python3-venv",
        "setup: hint: install it (on Debian: sudo apt-get install python3 python3-venv)"
        " and run the command again",
    ]
    assert not (tmp_path / "venv").exists()
