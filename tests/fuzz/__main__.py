"""`make fuzz`: many inputs over all targets, a table of what became of them.

    python -m fuzz [--inputs N] [--seed N] [--processes N] [--keep] [--json FILE] [TARGET ...]

Exits with 1 if there was a fault; its input then lies in the target's folder as a kept one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from math import ceil
from pathlib import Path
from typing import Final

from saphan_schemas.limits import MIB

from fuzz.apart import run_apart
from fuzz.kept import FAULT, keep, kept
from fuzz.running import Tally
from fuzz.table import TARGETS
from fuzz.target import Target

INPUTS: Final = 10_000_000
_HEAD: Final = (
    "target", "inputs", "/s", "taken", "answers", "slowest", "memory", "crashes", "hangs", "over",
)  # fmt: skip
_WIDTHS: Final = (34, 9, 8, 6, 8, 9, 8, 8, 6, 9)


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for."""
    asked = _options(arguments)
    chosen = [one for one in TARGETS if not asked.targets or one.name in asked.targets]
    for one in chosen:
        list(one.seeds())  # made once, here: the children have them too
    parts = sum(_parts(one) for one in chosen)
    begun = time.monotonic()
    print(
        f"fuzz: {len(chosen)} targets, {asked.inputs:,} inputs, seed {asked.seed}", file=sys.stderr
    )
    print(_row(_HEAD))
    tallies: list[Tally] = []
    for tally in _all(chosen, asked.inputs / parts, asked.seed, asked.processes):
        tallies.append(tally)
        _tell(tally)
        keep(tally.target, [fault.data for fault in tally.faults.values()], FAULT)
        if asked.keep:
            keep(tally.target, list(tally.answers.values()))
    return _end(tallies, time.monotonic() - begun, asked.json)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("--inputs", type=_some, default=INPUTS, help="over all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=_some, default=os.cpu_count() or 1)
    parser.add_argument("--keep", action="store_true", help="keep an input for each new answer")
    parser.add_argument("--json", type=Path, help="write the table there too")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.targets) - {one.name for one in TARGETS})
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}")
    if asked.json is not None:
        try:  # now, and not after hours
            asked.json.open("a").close()
        except OSError as error:
            parser.error(f"{asked.json} cannot be written: {error.strerror}")
    return asked


def _some(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and int(given) > 0):
        raise argparse.ArgumentTypeError(f"{given!r} is no number from 1 on")
    return int(given)


def _parts(target: Target) -> int:
    return 1 if target.slow else 10


def _all(chosen: Sequence[Target], part: float, seed: int, processes: int) -> Iterator[Tally]:
    """Tallies as they come; a thread waits for each child."""
    with ThreadPoolExecutor(processes) as pool:
        waiting = [
            pool.submit(run_apart, one, ceil(part * _parts(one)), seed, kept(one.name))
            for one in chosen
        ]
        for done in as_completed(waiting):
            yield done.result()


def _tell(tally: Tally) -> None:
    cells = (
        tally.target,
        f"{tally.inputs:,}",
        f"{tally.inputs / (tally.seconds or 1):,.0f}",
        f"{100 * tally.taken / max(tally.inputs, 1):.0f} %",
        str(len(tally.answers)),
        f"{1000 * tally.slowest:.0f} ms",
        f"{tally.grown / MIB:.0f} MiB",
        *(str(_count(tally, kind)) for kind in ("crash", "hang", "memory")),
    )
    print(_row(cells), flush=True)
    for fault in tally.faults.values():
        print(f"  {fault.kind}: {fault.said}: {fault.data[:60]!r}", flush=True)


def _end(tallies: Sequence[Tally], seconds: float, file: Path | None) -> int:
    inputs = sum(one.inputs for one in tallies)
    faults = sum(len(one.faults) for one in tallies)
    slowest, grown = (max(getattr(one, name) for one in tallies) for name in ("slowest", "grown"))
    print(
        f"{inputs:,} inputs in {seconds:,.0f} s, {inputs / seconds:,.0f}/s; {faults} faults; "
        f"slowest {1000 * slowest:.0f} ms, most memory {grown / MIB:.0f} MiB"
    )
    if file is not None:
        rows = [
            {
                "target": one.target,
                "inputs": one.inputs,
                "per_second": round(one.inputs / (one.seconds or 1)),
                "taken": one.taken,
                "answers": len(one.answers),
                "slowest_ms": round(1000 * one.slowest, 1),
                "memory_mib": round(one.grown / MIB, 1),
                "faults": [fault.said for fault in one.faults.values()],
            }
            for one in sorted(tallies, key=lambda one: one.target)
        ]
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if faults else 0


def _count(tally: Tally, kind: str) -> int:
    return sum(fault.kind == kind for fault in tally.faults.values())


def _row(cells: Sequence[str]) -> str:
    first, *rest = (
        cell.ljust(width) if not place else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    )
    return " ".join((first, *rest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
