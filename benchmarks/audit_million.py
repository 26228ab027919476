"""`saphan audit verify` over a seeded log: records/s, MB/s, memory, and what going on costs.

python -m benchmarks.audit_million FOLDER                 a million records; seeds FOLDER first
python -m benchmarks.audit_million FOLDER --records N     another length, called so

The audit runs as the command does, in processes of its own. Figures are of this machine while
others may use it: how much they did is said beside. Signatures come in batches of `--batch` items,
about; with 1 every record has a signature of its own, which is the worst case.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.machine import TICK, Others, described
from benchmarks.seeded.making import make

MB: Final = 1_000_000
LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Ran:
    """One audit: seconds of the wall, of all its processors; peak bytes of all its processes."""

    wall: float
    processor: float
    memory: int
    others: float


def main() -> int:
    """Seed unless it is there, audit twice, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit_million")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--processes", type=int)
    args = parser.parse_args()
    if not args.folder.exists():
        made = make(args.folder, args.records, seed=1, batch=args.batch, packs=12)
        _say(f"seeded: {made}")
    state = args.folder / "state"
    state.unlink(missing_ok=True)
    result = args.folder / f"result-{time.time_ns()}.json"
    first = _audit(args.folder, args.processes, "--state", state, "--result", result)
    _page(args.folder, result, first)
    again = _audit(args.folder, args.processes, "--state", state)
    _say(f"again from the state of its end, nothing left to judge: {_line(again)}")
    _say(f"state file: {state.stat().st_size / MB:.0f} MB")
    return 0


def _page(folder: Path, result: Path, ran: Ran) -> None:
    value = json.loads(result.read_bytes())
    seen = value["coverage"]["evidence"]
    read = sum(path.stat().st_size for path in _files(folder))
    for name, what in described().items():
        _say(f"{name}: {what}")
    _say(f"nothing wrong: {value['ok']}; {seen['opened']} of {seen['entries']} entries opened")
    _say(f"signatures of agencies that hold: {seen['signatures']}")
    _say(_line(ran))
    _say(f"{seen['leaves'] / ran.wall:,.0f} records/s, {read / MB / ran.wall:.1f} MB/s")


def _line(ran: Ran) -> str:
    return (
        f"{ran.wall:.0f} s, processor {ran.processor:.0f} s, memory of all processes at the most "
        f"{ran.memory / MB:.0f} MB, others used {ran.others:.2f} cores"
    )


def _files(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.pack")
    yield from (path for path in (folder / "logs").rglob("*") if path.is_file())


def _audit(folder: Path, processes: int | None, *more: object) -> Ran:
    packs = [word for path in sorted(folder.glob("*.pack")) for word in ("--pack", path)]
    beside = [] if processes is None else ["--processes", processes]
    words = [folder / "logs", "--pins", folder / "pins.json", *packs, *beside, *more]
    others, begun = Others(), time.monotonic()
    command = [sys.executable, "-m", "saphan", "audit", "verify", *map(str, words), "--json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        memory, processor = 0, 0.0
        while process.poll() is None:
            known = list(_family(process.pid))
            memory = max(memory, sum(_resident(pid) for pid in known))
            processor = max(processor, sum(_used(pid) for pid in known))
            time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise RuntimeError(f"the audit ended with status {process.returncode}")
    return Ran(time.monotonic() - begun, processor, memory, others.cores())


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _resident(pid: int) -> int:
    """Bytes in memory, pages that several processes share divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
