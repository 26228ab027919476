"""How long after a fault the way that it had broken carries bulletins again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from chaos.load import Pushed
from chaos.schedule import AGENCIES, Fault, Schedule
from chaos.story import Story

KILLS: Final = ("kill", "promote")
"""Kinds of faults that are a SIGKILL, and that are over for whoever waits once all works again."""


class Recovered(msgspec.Struct, frozen=True):
    """One fault, when it really was, and the seconds until a bulletin that was pushed after it had
    begun was accepted over the same way; None: there was none before the end.

    Counted from the end of the fault, for a kill or a promotion from the kill. Other faults may
    have been going on at the same time: this is what an agency felt, not what one fault would have
    done alone.
    """

    kind: str
    target: str
    at: float
    seconds: float | None


def recoveries(schedule: Schedule, pushed: Sequence[Pushed], story: Story) -> list[Recovered]:
    """Of every fault of a round that has happened, in its order."""
    began = {(one["kind"], one["target"], one["at"]): one for one in story.all("fault")}
    ended = {(one["kind"], one["target"], one["begun"]): one for one in story.all("fault over")}
    found = []
    for fault in schedule.faults:
        if not ended[fault.kind, fault.target, fault.at]["struck"]:
            continue
        over = ended[fault.kind, fault.target, fault.at]["at"]
        begun = max(
            (
                at
                for kind, target, at in began
                if (kind, target) == (fault.kind, fault.target) and at <= over
            ),
            default=fault.at,
        )
        since = begun if fault.kind in KILLS else over
        found.append(
            Recovered(fault.kind, fault.target, begun, _seconds(fault, begun, since, pushed))
        )
    return found


def _seconds(fault: Fault, begun: float, since: float, pushed: Sequence[Pushed]) -> float | None:
    whose = {name for name in AGENCIES if name in fault.target}
    times = [
        when
        for one in pushed
        for to, (state, when) in one.outcomes.items()
        if state == "accepted"
        and one.at >= begun
        and (not whose or one.sender in whose or to in whose)
    ]
    return round(max(0.0, min(times) - since), 3) if times else None
