"""The measurements keep working: every piece once, at toy size; no figure is judged."""

from __future__ import annotations

import subprocess
import sys

from support.rooms import ROOT


def test_every_piece_runs() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--toy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    for figure in (
        "(1) ingest",
        "(2) 20 senders",
        "(3) the whole way",
        "(4) latency",
        "(6) broker",
    ):
        assert f"| {figure}" in ended.stdout
    assert "| broker to recipient |" in ended.stdout
    assert "Broker after 128 bulletins" in ended.stdout
