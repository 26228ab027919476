"""A child process under strace, whose system calls fail or kill it where a test says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import count as counting
from itertools import islice
from pathlib import Path
from typing import Final, Literal

import pytest

from support.rooms import ROOT

Fault = Literal["EIO", "ENOSPC", "SIGKILL"]
FAULTS: Final[tuple[Fault, ...]] = ("EIO", "ENOSPC", "SIGKILL")
CALLS: Final = (
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "openat",
    "unlink",
)
WHOLE: Final = "SAPHAN_SYSCALLS"
"""Set to `all`: each call is made to fail, in each way. Else a few of each."""
FEW: Final = 5
"""Of each call, spread over all of them, in turn in each way, where not each is asked for."""
CHILD_S: Final = 120.0
PATIENCE_S: Final = 3600
"""For one sweep: the whole one of writes has some thousand children."""


@cache
def _refusal() -> str | None:
    """Why nothing can be traced here; None: it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt-get install strace)"
    tried = subprocess.run(
        ["strace", "-qq", "-e", "trace=none", sys.executable, "-c", ""],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        return f"this system does not let strace trace: {tried.stderr.strip()[-200:]}"
    return None


def need_strace() -> None:
    """Or the test is skipped; where `.ci/setup` could install it, it must be there."""
    why = _refusal()
    if why is None:
        return
    if shutil.which("strace") is None and os.environ.get("CI") and os.getuid() == 0:
        pytest.fail(f"{why}; .ci/setup installs it")
    pytest.skip(why)


@dataclass(frozen=True)
class Ran:
    """What became of the child.

    Args:
        said: its lines; noise: what it wrote to its standard error.
        hit: a call was made to fail, or killed it.
    """

    said: list[str]
    noise: str
    status: int
    hit: bool

    def sizes(self, word: str) -> list[int]:
        """Numbers behind a word that it said."""
        return [int(line.split()[1]) for line in self.said if line.startswith(f"{word} ")]


def run(
    module: str, arguments: Sequence[str], paths: Sequence[Path], call: str, fault: Fault, at: int
) -> Ran:
    """Run `python -m module`; the call number `at` of each thread on these paths is hit."""
    inject = "signal=SIGKILL" if fault == "SIGKILL" else f"error={fault}"
    inject = f"inject={call}:{inject}:when={at}"
    return _traced(module, arguments, paths, call, ["-e", inject])[0]


def count(module: str, arguments: Sequence[str], paths: Sequence[Path], call: str) -> int:
    """How many of these calls the busiest of its threads makes, if nothing fails."""
    ran, log = _traced(module, arguments, paths, call, [])
    assert ran.said[-1] == "done", (ran.said, ran.noise)
    threads = [line.split()[0] for line in log.splitlines() if f"{call}(" in line]
    return max((threads.count(thread) for thread in set(threads)), default=0)


def sweep(count: Callable[[], int], hit: Callable[[tuple[int, Fault]], Ran]) -> list[Ran]:
    """Hit one call after the other, two at a time; gives the runs in which something was hit.

    Args:
        count: how many calls there are, asked where not each of them is hit.
        hit: runs a child, of which this call is hit in this way, and judges what it left.
    """
    todo = _each() if os.environ.get(WHOLE) == "all" else _few(count())
    done: list[Ran] = []
    with ThreadPoolExecutor(2) as pool:
        while some := list(islice(todo, 2 * len(FAULTS))):
            found = list(pool.map(hit, some))
            done += [ran for ran in found if ran.hit]
            if not any(ran.hit for ran in found):
                break  # no thread makes so many calls: undisturbed
    return done


def _each() -> Iterator[tuple[int, Fault]]:
    for at in counting(1):
        for fault in FAULTS:
            yield at, fault


def _few(most: int) -> Iterator[tuple[int, Fault]]:
    spread = {1 + round(step * (most - 1) / (FEW - 1)) for step in range(FEW)} if most else ()
    for turn, at in enumerate(sorted(spread)):
        yield at, FAULTS[turn % len(FAULTS)]


def said(found: Sequence[Ran]) -> str:
    """How they ended, counted."""
    ends = [ran.said[-1] if ran.status == 0 else "killed" for ran in found]
    return ", ".join(f"{ends.count(end)} {end}" for end in sorted(set(ends)))


def _traced(
    module: str, arguments: Sequence[str], paths: Sequence[Path], call: str, more: Sequence[str]
) -> tuple[Ran, str]:
    log = paths[0].with_name(f"{paths[0].name}.strace")
    only = [word for path in paths for word in ("-P", str(path))]
    found = subprocess.run(
        [
            *("strace", "-f", "-qq", "-o", str(log), *only, "-e", f"trace={call}", *more),
            *(sys.executable, "-m", module, *arguments),
        ],
        cwd=ROOT / "tests",
        capture_output=True,
        text=True,
        check=False,
        timeout=CHILD_S,
    )
    text = log.read_text(encoding="utf-8", errors="replace")
    log.unlink()
    killed = found.returncode != 0 and "killed by SIGKILL" in text
    hit = killed or "(INJECTED)" in text
    return Ran(found.stdout.splitlines(), found.stderr, found.returncode, hit), text
