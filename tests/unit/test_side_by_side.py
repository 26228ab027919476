"""Several processes run the tests: those of a file stay together, and so do all in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.rooms import ROOT

ONE = """
import os, pathlib, pytest

@pytest.mark.parametrize("turn", range(8))
def test_it(turn: int) -> None:
    with pathlib.Path(os.environ["TOLD"]).open("a") as told:
        told.write(f"{pathlib.Path(__file__).name} {os.environ['PYTEST_XDIST_WORKER']}\\n")
"""
FILES = (
    "tests/unit/test_a.py",
    "tests/browser/test_b.py",
    "tests/unit/test_c.py",
    "tests/browser/test_d.py",
    "tests/unit/test_e.py",
)


def test_files_stay_together_and_there_is_one_browser(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(ONE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    told = tmp_path / "told"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "support.side_by_side", "-n", "3"]
    command += ["--dist", "loadscope", "--no-loadscope-reorder", "tests"]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env={**ours, "TOLD": str(told), "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = told.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 8 * len(FILES)
    workers = {
        name: {w for n, w in map(str.split, lines) if n == name}
        for name, _ in map(str.split, lines)
    }
    assert all(len(found) == 1 for found in workers.values()), workers
    assert workers["test_b.py"] == workers["test_d.py"]
