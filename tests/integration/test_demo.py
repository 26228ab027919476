"""`make demo` tells the truth: run as people run it, in real processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.rooms import ROOT

TIMELINE = re.compile(
    r"#\d+ +[\d:.]+ +(\S+) +submitted: .*\n"
    r" +#\d+ +[\d:.]+ +(\S+) +handover: .*\n"
    r" +#\d+ +[\d:.]+ +\2 +accepted: .*\n"
    r" +#\d+ +[\d:.]+ +\2 +read: ",
)
COVERAGE = re.compile(r"events +(\d+) of (\d+) opened")

POINTS = (
    "5,012",
    "1,422",
    "ຍຶດຢາບ້າ",
    "រឹបអូស",
    "methamphetamine tablets",
    "of the text: none has them",
    "refused it (bulletin_id)",
    "writes the answer, signs it: all without a line",
    "goes out once, and only once",
    "files of the desk for words of the texts: none has them",
    "question 1 answered question 2 interim",
    "its copy of the seizure says that another one has taken its place",
    "SIGKILL",
    "40 of 40 accepted, each exactly once",
    "No private key at the auditor",
    "46 accepted",
    "cosigned by kh.gpo and la.ospp",
    "(leaf_differs)",
)


def play(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The demo with `place` as its temporary folder."""
    return subprocess.run(
        [sys.executable, ROOT / "demo/run.py", *words],
        env=environment(TMPDIR=str(place)),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unix sockets have short names only, and the folders of tests have long ones."""
    made = tmp_path_factory.mktemp("d")
    if len(os.fsencode(made)) > 50:
        made = Path("/tmp") / f"d{os.getpid()}"
        made.mkdir()
    return made


def test_demo_shows_every_point_and_leaves_nothing_behind(short_path: Path) -> None:
    """Bulletins, a flipped bit, a question, a power cut, an audit; then the folder is gone."""
    ended = play(short_path)
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout
    assert TIMELINE.findall(told) == [
        ("la.ospp", "kh.gpo"),
        ("kh.gpo", "la.ospp"),
        ("la.ospp", "kh.gpo"),
    ]
    text = " ".join(told.split())  # sentences are wrapped
    for point in POINTS:
        assert point in text, point
    coverage = COVERAGE.search(told)
    assert coverage is not None
    assert coverage[1] == coverage[2]
    assert "\x1b" not in told, "colours belong on a terminal"
    assert list(short_path.iterdir()) == []


def test_failure_says_what_failed_and_keeps_the_logs(short_path: Path) -> None:
    """A folder too deep for the broker's socket: a sentence and a place to look, no traceback."""
    deep = short_path / ("d" * 90)
    deep.mkdir()
    ended = play(deep)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    what, hint = ended.stderr.strip().splitlines()
    assert what.startswith("demo: broker ended while waiting for the broker: ")
    assert "too long for a Unix socket" in what
    logs = Path(hint.removeprefix("hint: the programs' logs are in "))
    assert (logs / "broker.log").is_file()
