"""The session of the README works as it stands there: real commands, real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.rooms import ROOT

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PORT = "8470"


def session() -> str:
    """The one block of the README that begins a broker."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (found,) = [block for block in blocks if "saphan-broker init" in block]
    text: str = found
    return text


@pytest.fixture
def clone() -> Path:
    """What a clone has after `make demo`, as far as the session uses it.

    Unix sockets have short names only, and pytest's folders have long ones.
    """
    place = Path("/tmp") / f"r{os.getpid()}"
    place.mkdir()
    (place / "demo").mkdir()
    shutil.copy(ROOT / "demo/figures.json", place / "demo")
    commands = place / ".venv/bin"
    commands.mkdir(parents=True)
    for name, module in (("saphan", "saphan"), ("saphan-broker", "saphan_broker")):
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (commands / name).chmod(0o755)
    return place


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_session_runs_as_it_stands_there(clone: Path) -> None:
    """Only the port is another one: 8470 may be taken on a machine that runs a broker."""
    text = session()
    assert PORT in text
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", text.replace(PORT, free_port())],
        cwd=clone,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told, errors = process.communicate(timeout=100)
    finally:
        end_group(process.pid)
        shutil.rmtree(clone)
    assert process.returncode == 0, errors
    assert "kh.gpo: Accepted" in told
    assert "EXERCISE" in told
    assert "value: 5012" in told
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
