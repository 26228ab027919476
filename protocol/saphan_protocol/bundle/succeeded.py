"""What a bundle shows of the logs before and after its own (step V18)."""

from __future__ import annotations

from saphan_schemas.bundles import BundleSuccession

from saphan_protocol.bundle.facts import SuccessionSeen
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.reading import BundleReader, disordered
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.pins import origin_number
from saphan_protocol.succession import Named, check_step


def read_successions(reader: BundleReader, logs: Logs, trail: Trail) -> tuple[SuccessionSeen, ...]:
    """The succession that led to the bundle's log, and the one that followed it.

    What a successor denies of this log stays proven here: its keys have signed both.

    Raises:
        InvalidInput: `evidence_order`, and what `check_step` raises.
    """
    lasting, own = origin_number(logs.pins.evidence.origin)
    found: list[SuccessionSeen] = []
    last = max(1, own - 1)  # nothing leads to the first log
    for item in reader.of(BundleSuccession):
        step = item.step
        trail.at(BundleStep.SUCCESSION)
        number = origin_number(step.evidence)[1]
        if not last < number <= own + 1:
            raise disordered(f"a succession to {step.evidence} in a bundle of log {own}")
        last = number
        named = check_step(logs.pins, f"{lasting}/{number - 1}", step)
        if number == own + 1:
            _compare(named, logs, trail)
        found.append(SuccessionSeen(named.origin, step.evidence, named.size, named.root))
    return tuple(found)


def _compare(named: Named, logs: Logs, trail: Trail) -> None:
    for size, head in logs.heads.items():
        if size > named.size or (size == named.size and head.root != named.root):
            trail.gap("successor_denies", count=size)
