"""`python -m chaos`: rounds of real processes under load and faults, all drawn from one seed."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.machine import described
from chaos import namespaces, report, schedule, template
from chaos.rounds import Outcome, Table, allowed, play
from chaos.schedule import FORMS, Form, Schedule

SECONDS: Final = 45.0
"""Of load and faults in one round."""
PATIENCE_S: Final = 90.0
"""A node waits 30 s at most before it calls again; a process starts in seconds."""
SPECIAL: Final = ("disk_full", "slow_disk")
PAUSE: Final = (0.1, 0.5)
QUICK_PAUSE: Final = (0.5, 1.5)
"""Few bulletins: on a machine that is busy with other tests, these few must come through too."""
QUICK_SEED: Final = 3210
"""With it a node, a desk, both of Valkey's programs and the sequencer are killed, a replica is
promoted, lines and clocks break, and the broker's data is lost."""
QUICK: Final[tuple[tuple[Form, float], ...]] = (("lost", 10.0), ("valkey", 10.0))


def say(what: str) -> None:
    """With the time, to standard error."""
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


def main() -> int:
    """Parse options, play, write the page; 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    minutes = float(os.environ.get("CHAOS_MINUTES", "20"))
    parser.add_argument("--minutes", type=float, default=minutes, help="for how long (20)")
    parser.add_argument("--seed", type=int, help="of everything that is drawn; stated if not given")
    parser.add_argument("--round", type=int, help="only this round of the seed")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="load of one round (45)")
    parser.add_argument("--form", choices=FORMS, help="only worlds of this form")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="a round's schedule, again")
    parser.add_argument("--quick", action="store_true", help="two short rounds of a fixed seed")
    parser.add_argument("--out", type=Path, help="page and stories (build/chaos)")
    args = parser.parse_args()
    if args.out is None:  # what failed keeps its story beside that of its replay
        args.out = Path("build/chaos" if args.replay is None else "build/chaos/replay")
    args.out.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_until_told(args))


async def _until_told(args: argparse.Namespace) -> int:
    """SIGTERM ends it as an interrupt does: with everything that it has started."""
    task = asyncio.create_task(_main(args))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _main(args: argparse.Namespace) -> int:
    special, left_out = await asyncio.to_thread(allowed)
    forms = [one for one in FORMS if one != "network" or namespaces.allowed()]
    if len(forms) < len(FORMS):
        left_out.append("worlds in network namespaces: these need root and iproute2")
    seed = args.seed if args.seed is not None else int.from_bytes(os.urandom(4))
    if args.quick:
        seed = QUICK_SEED
    if args.replay is not None:
        seed = (await asyncio.to_thread(schedule.read, args.replay)).seed
    known = described()
    machine = f"{known['processor']}, {known['system']}, {known['Saphan']}"
    say(f"seed {seed}" + "".join(f"; left out: {one}" for one in left_out))
    begun = time.monotonic()
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/var/tmp") as place:
        table = Table({}, args.out, PATIENCE_S, QUICK_PAUSE if args.quick else PAUSE)
        schedules = _schedules(args, seed, forms, special, begun)
        # The quick rounds at once: most of a round is waiting.
        while some := list(islice(schedules, len(QUICK) if args.quick else 1)):
            found += await asyncio.gather(*(_round(one, table, Path(place)) for one in some))
            page = report.page(found, left_out, " ".join(sys.argv[1:]), machine)
            (args.out / "report.html").write_text(page, encoding="utf-8")
    say(f"the page: {args.out / 'report.html'}")
    lost = [outcome.schedule.number for outcome in found if outcome.losses]
    for number in lost:
        file = args.out / f"round-{number:03d}.json"
        paced = " --quick" if args.quick else ""
        say(f"round {number} fails; again: python -m chaos{paced} --replay {file}")
    return 1 if lost or not found else 0


async def _round(one: Schedule, table: Table, place: Path) -> Outcome:
    """Played, and what it came to is said."""
    carried = one.form == "valkey"
    if carried not in table.templates:
        made = place / f"template-{carried}"
        await template.make(made, carried=carried)
        table.templates[carried] = made
    say(f"round {one.number}: {one.form}, {len(one.faults)} faults in {one.seconds:.0f} s")
    outcome = await play(one, table)
    say(_line(outcome))
    for loss in outcome.losses:
        say(f"  {loss}")
    return outcome


def _schedules(
    args: argparse.Namespace, seed: int, forms: list[Form], special: list[str], begun: float
) -> Iterator[Schedule]:
    """Each round's schedule, for as long as there is time."""
    if args.replay is not None:
        yield schedule.read(args.replay)
        return
    without = {kind for kind in SPECIAL if kind not in special}
    if args.quick:
        for number, (form, seconds) in enumerate(QUICK, 1):
            yield schedule.draw(seed, number, form, seconds, without=without)
        return
    if args.form is not None:
        forms = [one for one in forms if one == args.form]
    if args.round is not None:
        form = forms[(args.round - 1) % len(forms)]
        yield schedule.draw(seed, args.round, form, args.seconds, without=without)
        return
    number = 0
    while time.monotonic() - begun < args.minutes * 60:
        number += 1
        form = forms[(number - 1) % len(forms)]
        yield schedule.draw(seed, number, form, args.seconds, without=without)


def _line(one: Outcome) -> str:
    ended = ", ".join(f"{count} {state}" for state, count in sorted(one.outcomes.items()))
    return (
        f"round {one.schedule.number}: {one.bulletins} bulletins, {one.deliveries} deliveries"
        f" ({ended}), {one.kills} kills, settled after {one.settled:.1f} s,"
        f" {len(one.losses)} losses, {one.seconds:.0f} s in all"
    )


if __name__ == "__main__":
    sys.exit(main())
