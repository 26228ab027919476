"""Two short rounds with a fixed seed, whole: the same program as `make chaos`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.rooms import ROOT
from support.servers import need

from chaos.__main__ import QUICK, QUICK_SEED
from chaos.clocks import PATHS
from chaos.schedule import AGENCIES, DESKS, PRIMARY, REPLICA, SEQUENCER, Schedule, read


@pytest.mark.timeout(900)  # a minute on two quiet cores; other tests may have them
def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    need("valkey")
    ended = subprocess.run(
        [sys.executable, "-m", "chaos", "--quick", "--out", tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*PATHS[1:], ROOT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-6_000:]
    page = (tmp_path / "report.html").read_text()
    assert f"seed <b>{QUICK_SEED}</b>" in page
    assert "0 losses" in page
    for number, (form, _) in enumerate(QUICK, 1):
        played = read(tmp_path / f"round-{number:03d}.json")
        assert (played.form, played.seed) == (form, QUICK_SEED)
        assert sure(played) <= happened(tmp_path / f"round-{number:03d}.story.jsonl")


def sure(played: Schedule) -> set[tuple[str, str]]:
    """(kind, target) of what breaks for certain, whatever the machine: the log is lost, a replica
    is promoted, and the sequencer, Valkey's programs, a node and a desk are killed."""
    killed = {SEQUENCER, PRIMARY, REPLICA, *AGENCIES, *DESKS}
    return {
        (one.kind, one.target)
        for one in played.faults
        if one.kind in ("lose_data", "promote") or (one.kind == "kill" and one.target in killed)
    }


def happened(story: Path) -> set[tuple[str, str]]:
    """(kind, target) of what was felt."""
    events = map(json.loads, story.read_text().splitlines())
    return {
        (one["kind"], one["target"])
        for one in events
        if one["what"] == "fault over" and one["struck"]
    }
