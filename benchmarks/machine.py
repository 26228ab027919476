"""What the figures were measured on, and how much of it others used meanwhile."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

PACKAGES: Final = ("aiohttp", "cryptography", "msgspec", "jsonschema-rs")
TICK: Final = os.sysconf("SC_CLK_TCK")


def described() -> dict[str, str]:
    """Names and versions of everything that the figures depend on."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": sys.version.split()[0],
        "SQLite": sqlite3.sqlite_version,
        **{name: version(name) for name in PACKAGES},
        "Saphan": f"commit {_commit()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        ended = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return ended.stdout.decode().strip()


class Others:
    """Processor time that other programs used since this was made, in cores.

    Our own is this process's and its ended children's; ask when no child runs.
    """

    def __init__(self) -> None:
        self._all, self._ours, self._wall = _busy(), _own(), _wall()

    def cores(self) -> float:
        """Cores that were busy with something else, on average; time stolen by a host included."""
        wall = _wall() - self._wall
        busy, own = _busy() - self._all, _own() - self._ours
        return max(0.0, (busy - own) / wall)


def _wall() -> float:
    return os.times().elapsed


def _own() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy() -> float:
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / TICK
