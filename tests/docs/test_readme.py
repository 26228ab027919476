"""The session of the README works as it stands there: real commands, real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import environment, write_commands
from support.rooms import ROOT
from support.servers import free_port

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PORT = "8470"
PATIENCE_S = 250
"""Bounds a hopeless wait on a busy machine; nothing is judged by it."""


def session() -> str:
    """The one block of the README that begins a broker."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (found,) = [block for block in blocks if "saphan-broker init" in block]
    text: str = found
    return text


@pytest.fixture
def clone() -> Iterator[Path]:
    """What a clone has after `make demo`, as far as the session uses it.

    Unix sockets have short names only, and pytest's folders have long ones.
    """
    place = Path("/tmp") / f"r{os.getpid()}"
    place.mkdir()
    (place / "demo").mkdir()
    shutil.copy(ROOT / "demo/figures.json", place / "demo")
    commands = place / ".venv/bin"
    commands.mkdir(parents=True)
    write_commands(commands)
    yield place
    shutil.rmtree(place)


def test_session_runs_as_it_stands_there(clone: Path) -> None:
    """Only the port is another one: 8470 may be taken on a machine that runs a broker."""
    text = session()
    assert PORT in text
    said, errors = clone / "said.txt", clone / "errors.txt"
    # Files, not pipes: what a failed session leaves running would hold them open.
    with said.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text.replace(PORT, str(free_port()))],
            cwd=clone,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    try:
        status = process.wait(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        status = -1
    finally:
        end_group(process.pid)
        process.wait()
    told = said.read_text()
    logs = [said, errors, *sorted((clone / "session").glob("*.log"))]
    assert status == 0, "\n---\n".join(path.read_text()[-600:] for path in logs)
    assert "kh.gpo: Accepted" in told
    assert "EXERCISE" in told
    assert "5012" in told
    assert "Nothing is wrong in what was checked." in told
    assert "4 of 4 entries opened" in told


def end_group(leader: int) -> None:
    """End whatever a failed session has left running."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_bulletin_of_the_session_is_the_one_of_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "demo"))
    import bulletins

    bulletins.write("case_statistics", tmp_path / "figures.json")
    assert (ROOT / "demo/figures.json").read_bytes() == (tmp_path / "figures.json").read_bytes()
