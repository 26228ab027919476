"""What breaks when: made from the seed before anything runs, written down, and read again.

The same seed and round give the same schedule. What real processes do between two of its lines is
the machine's affair: a replay repeats what was done to them, not the order of their threads.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Literal

import msgspec

Form = Literal["sqlite", "valkey", "network", "lost"]
FORMS: Final[tuple[Form, ...]] = ("sqlite", "valkey", "lost", "network")
AGENCIES: Final = ("kh.gpo", "la.ospp", "vn.vks")
DESKS: Final = ("desk:kh.gpo", "desk:vn.vks")
BROKER: Final = "broker"
SEQUENCER: Final = "sequencer"
PRIMARY: Final = "valkey"
REPLICA: Final = "replica"

SUCCESSION_S: Final = 8.0
"""After its data was lost the broker itself is left alone for so long; nodes and lines are not."""
PROMOTION_S: Final = 2.0
"""Before a promotion both servers are left alone for so long."""
CALM_S: Final = 2.0
"""At the beginning and the end of a round nothing breaks."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is done to one target.

    Attributes:
        at: seconds after the load began.
        seconds: how long it lasts; of a kill, until the process is started again.
        amount: bytes, milliseconds, or what else the kind counts.
    """

    at: float
    kind: str
    target: str
    seconds: float
    amount: int = 0

    @property
    def end(self) -> float:
        """When it is over, in seconds after the load began."""
        return round(self.at + self.seconds, 2)


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One round: what runs, for how long, under what."""

    seed: int
    number: int
    form: Form
    seconds: float
    replicas: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How faults of one kind are drawn: how often, on whom, how long, how much."""

    name: str
    weight: int
    targets: tuple[str, ...]
    seconds: tuple[float, float]
    amount: tuple[int, int] = (0, 0)


def line(one: str, other: str) -> str:
    """Name of the line on which `one` calls `other`."""
    return f"{one}>{other}"


def lines(form: Form) -> tuple[str, ...]:
    """Every line of a world of that form that passes through a proxy of ours."""
    if form == "network":
        return ()
    found = [line(agency, BROKER) for agency in AGENCIES]
    found += [line(desk, desk.removeprefix("desk:")) for desk in DESKS]
    if form == "valkey":
        found += [line(BROKER, PRIMARY), line(REPLICA, PRIMARY)]
    return tuple(found)


def _kinds(form: Form) -> list[_Kind]:
    brokers = (BROKER, BROKER, SEQUENCER) if form == "valkey" else (BROKER, BROKER)
    servers = (PRIMARY, PRIMARY, REPLICA) if form == "valkey" else ()
    parties = (*brokers, *AGENCIES, *DESKS, *servers)
    disks = (PRIMARY, *AGENCIES) if form == "valkey" else (BROKER, *AGENCIES)
    clocks = (BROKER, *AGENCIES)
    found = [
        _Kind("kill", 10, parties, (0.05, 1.5)),
        _Kind("stop", 6, parties, (0.3, 4.0)),
        _Kind("file_limit", 3, disks, (0.5, 2.5), (0, 64)),
        _Kind("slow_disk", 3, disks, (1.0, 4.0), (20, 300)),
        _Kind("clock_step", 3, clocks, (1.0, 5.0), (-45_000, 45_000)),
        _Kind("clock_leap", 1, clocks, (1.0, 3.0), (-900_000, 900_000)),
        _Kind("clock_drift", 1, clocks, (2.0, 5.0), (-20_000, 20_000)),
    ]
    if form == "network":
        return [*found, _Kind("unplug", 12, (BROKER, *AGENCIES), (0.3, 5.0))]
    if form != "valkey":
        found.append(_Kind("disk_full", 2, (BROKER,), (0.5, 2.5)))
    all_lines = lines(form)
    # Bytes said twice are refused where the program promises it: not between broker and Valkey,
    # whose plain line nobody but the operator may reach.
    ours = tuple(name for name in all_lines if not name.endswith(PRIMARY))
    return [
        *found,
        _Kind("cut", 6, all_lines, (2.0, 5.0), (1, 15_000)),
        _Kind("drop", 4, all_lines, (0.2, 3.0)),
        _Kind("hold", 4, all_lines, (0.3, 4.0), (0, 1)),
        _Kind("hold_one_way", 3, all_lines, (0.3, 4.0), (0, 3)),
        _Kind("delay", 3, all_lines, (1.0, 4.0), (20, 400)),
        _Kind("throttle", 3, all_lines, (1.0, 4.0), (2_000, 60_000)),
        _Kind("repeat", 4, ours, (2.0, 5.0), (1, 8_000)),
    ]


def draw(
    seed: int, number: int, form: Form, seconds: float, *, without: Collection[str] = ()
) -> Schedule:
    """The schedule of a round.

    Args:
        without: kinds of faults that this machine does not allow.
    """
    chance = Random(f"saphan chaos {seed} {number} {form} {seconds}")
    # Drawn before kinds are left out: on another machine the rest stays as much the same as it can.
    kinds = _kinds(form)
    replicas = chance.randint(0, 1) if form == "valkey" else 0
    faults, busy = _certain(chance, form, seconds, replicas)
    at = CALM_S
    while (at := at + chance.uniform(0.3, 1.6)) < seconds - CALM_S:
        kind = chance.choices(kinds, [one.weight for one in kinds])[0]
        target = chance.choice(kind.targets)
        lasts = min(chance.uniform(*kind.seconds), seconds - CALM_S / 2 - at)
        amount = chance.randint(*kind.amount)
        fault = Fault(round(at, 2), kind.name, target, round(lasts, 2), amount)
        before = busy.setdefault(target, [])
        if kind.name in without or any(_overlap(fault, one) for one in before):
            continue
        before.append(fault)
        faults.append(fault)
    faults.sort(key=lambda fault: fault.at)
    return Schedule(seed, number, form, seconds, replicas, tuple(faults))


def _certain(
    chance: Random, form: Form, seconds: float, replicas: int
) -> tuple[list[Fault], dict[str, list[Fault]]]:
    """What every round of its form has, whatever else is drawn; and who is left alone when."""
    if form == "lost":
        middle = round(seconds * chance.uniform(0.4, 0.6), 2)
        lost = Fault(middle, "lose_data", BROKER, round(chance.uniform(0.0, 1.0), 2))
        return [lost], {BROKER: [Fault(middle - 1.0, "lose_data", BROKER, 1.0 + SUCCESSION_S)]}
    if form != "valkey":
        return [], {}
    # Four parts of the round, in an order that is drawn.
    wanted = [("kill", SEQUENCER), ("kill", REPLICA), ("kill", PRIMARY)]
    if replicas:  # where a commit waits for nobody, a promoted replica may lack some
        wanted.append(("promote", PRIMARY))
    chance.shuffle(wanted)
    part = (seconds - 2 * CALM_S) / len(wanted)
    busy: dict[str, list[Fault]] = {}
    faults = []
    for number, (kind, target) in enumerate(wanted):
        at = CALM_S + part * (number + chance.uniform(0.1, 0.5))
        fault = Fault(round(at, 2), kind, target, round(chance.uniform(0.05, part * 0.4), 2))
        faults.append(fault)
        # Before a promotion there is time to be in step; both servers are part of it.
        quiet = Fault(fault.at - PROMOTION_S, kind, target, fault.seconds + PROMOTION_S)
        for server in (PRIMARY, REPLICA) if kind == "promote" else (target,):
            busy.setdefault(server, []).append(quiet if kind == "promote" else fault)
    return faults, busy


def _overlap(one: Fault, other: Fault) -> bool:
    return one.at <= other.end and other.at <= one.end


def write(schedule: Schedule, file: Path) -> None:
    """Write it down before the round begins."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(schedule)) + b"\n")


def read(file: Path) -> Schedule:
    """A schedule as `write` wrote it.

    Raises:
        msgspec.ValidationError: it is something else.
    """
    return msgspec.json.decode(file.read_bytes(), type=Schedule)
