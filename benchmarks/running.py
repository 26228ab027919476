"""What the three measurements share: their options, a folder on a disk, where the page goes."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

Plan = TypeVar("Plan")
RESULTS: Final = Path(__file__).parent


def say(what: str) -> None:
    """Print with the time what is measured now, to standard error."""
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


def measured_by(command: str) -> str:
    """The first words of a page: when, and by which command."""
    now = f"{datetime.now(UTC):%d %B %Y, %H:%M}"
    return f"Measured {now} UTC by `{command}`; how and what is in README.md. "


def run(
    what: str,
    page: str,
    measured: Callable[[Plan, Path], Coroutine[None, None, str]],
    *,
    full: Plan,
    toy: Plan,
    quick: Plan | None = None,
) -> int:
    """Parse options, measure, print the page and, of the full plan, write it to the file `page`."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=what)
    size = parser.add_mutually_exclusive_group()
    if quick is not None:
        words = "one run of short blocks, only printed"
        size.add_argument("--quick", action="store_const", const=quick, dest="plan", help=words)
    words = "every piece once; figures mean nothing"
    size.add_argument("--toy", action="store_const", const=toy, dest="plan", help=words)
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp"), help="where stores are made")  # noqa: S108
    args = parser.parse_args()
    plan = full if args.plan is None else args.plan
    # Short, because Unix sockets have short names; on a disk, because /tmp may be memory.
    place = Path(tempfile.mkdtemp(prefix="sb", dir=args.disk))
    try:
        text = asyncio.run(measured(plan, place))
    finally:
        shutil.rmtree(place)
    print(text)
    if plan is full:
        (RESULTS / page).write_text(text, encoding="utf-8")
    return 0
