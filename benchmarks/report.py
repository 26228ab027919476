"""RESULTS.md: every figure with its spread, beside the floors of the same runs and its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

Run = Mapping[str, float]
"""Figures of one run by name."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach.

    Args:
        what: as the table says it.
        value: computed from one run, so that ratios compare what was measured side by side.
        bound: least value, or most, as `most` says.
    """

    what: str
    value: Callable[[Run], float]
    bound: float
    most: bool = False
    form: str = "{:,.0f}"

    def met(self, value: float) -> bool:
        """Whether the median is good enough."""
        return value <= self.bound if self.most else value >= self.bound


def _ratio(above: str, below: str) -> Callable[[Run], float]:
    return lambda run: run[above] / run[below]


def _figure(name: str) -> Callable[[Run], float]:
    return lambda run: run[name]


TARGETS: Final = (
    Target("(1) ingest, batches of 64, bulletins/s", _figure("ingest"), 5_000),
    Target("(1) over the unsigned loop", _ratio("ingest", "loop"), 0.25, form="{:.2f}"),
    Target(
        "(2) 20 senders, one at a time, over checks/s",
        _ratio("singles", "checks"),
        0.6,
        form="{:.2f}",
    ),
    Target("(3) the whole way, receipts/s", _figure("whole"), 1_200),
    Target("(4) latency at 50/s, p50 in ms", _figure("p50"), 20, True, "{:.1f}"),
    Target("(4) latency at 50/s, p99 in ms", _figure("p99"), 60, True, "{:.1f}"),
    Target("(5) bytes alone, the most of any party and direction", _figure("alone"), 32_000, True),
    Target("(5) bytes in a batch of 32, the same", _figure("of_32"), 14_000, True),
    Target("(6) broker memory after the last bulletin, MB", _figure("memory"), 150, True),
)

FIGURES: Final = {
    "checks": "floor: composite signature checks, one thread, per second",
    "signs": "floor: composite signatures made, one thread, per second",
    "commits": "floor: SQLite commits of one small row, per second",
    "loop": "floor: unsigned accept loop, envelopes of 4 KiB, per second",
    "ingest": "(1) ingest, one sender, batches of 64, per second",
    "ingest_us": "(1) broker's processor time per bulletin, us",
    "singles": "(2) ingest, 20 senders, batches of one, per second",
    "singles_us": "(2) broker's processor time per bulletin, us",
    "whole": "(3) the whole way, accepted receipts at the sender, per second",
    "whole_broker_us": "(3) broker's processor time per bulletin, us",
    "whole_sender_us": "(3) sender's node, us",
    "whole_recipient_us": "(3) recipient's node, us",
    "p50": "(4) the whole way at 50/s, p50, ms",
    "p99": "(4) the whole way at 50/s, p99, ms",
    "others": "processor used by other programs meanwhile, cores",
}


def middle(values: Sequence[float], form: str) -> str:
    """median [min..max]; one value stands alone."""
    if len(values) == 1:
        return form.format(values[0])
    low, high = min(values), max(values)
    return f"{form.format(median(values))} [{form.format(low)}..{form.format(high)}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _values(value: Callable[[Run], float], runs: Sequence[Run]) -> list[float]:
    found = []
    for run in runs:
        try:
            found.append(value(run))
        except KeyError:  # measured once, not in every run
            continue
    return found


def targets(runs: Sequence[Run], aims: Sequence[Target] = TARGETS) -> list[str]:
    """Each target with its figure and whether it is met."""
    rows = []
    for target in aims:
        values = _values(target.value, runs)
        if not values:
            continue
        sign = "at most" if target.most else "at least"
        verdict = "met" if target.met(median(values)) else "**not met**"
        bound = f"{sign} {target.form.format(target.bound)}"
        rows.append((target.what, middle(values, target.form), bound, verdict))
    return _table(("target", "measured", "aim", ""), rows)


def figures(runs: Sequence[Run], names: Mapping[str, str] = FIGURES) -> list[str]:
    """Every figure of every run."""
    rows = []
    for name, what in names.items():
        values = _values(_figure(name), runs)
        if values:
            form = "{:,.0f}" if median(values) >= 100 else "{:.2f}"
            rows.append((what, middle(values, form)))
    return _table(("figure", "median [min..max]"), rows)


def wire(alone: Mapping[str, float], batch: Mapping[str, float], size: int) -> list[str]:
    """Bytes per bulletin, per party and direction."""
    rows = [(name, f"{alone[name]:,.0f}", f"{batch[name]:,.0f}") for name in alone]
    rows.append(("all together", f"{sum(alone.values()):,.0f}", f"{sum(batch.values()):,.0f}"))
    return _table(("bytes per bulletin", "alone", f"in a batch of {size}"), rows)


def machine(described: Mapping[str, str]) -> list[str]:
    """What it was measured on."""
    return _table(("machine", ""), list(described.items()))
