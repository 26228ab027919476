"""The power cut: the broker is killed in the middle of a stream, and nothing is lost."""

from __future__ import annotations

from typing import Any, Final

import bulletins
from houses import Bridge
from pictures import Screen
from stage import CAMBODIA, LAOS, DemoFailed

RETURNS: Final = 40
KILL_AFTER: Final = 20
"""The broker dies after so many of the returns were handed to the node in Vientiane."""


def power_cut(bridge: Bridge, screen: Screen) -> None:
    """The scene.

    Raises:
        DemoFailed: when something was lost or arrived twice.
    """
    screen.scene("The bridge loses power in the middle")
    screen.say(
        f"The case system in Vientiane pushes {RETURNS} invented returns to its node. After "
        f"{KILL_AFTER} of them the bridge is killed (SIGKILL: no goodbye, nothing saved)."
    )
    sent = [_push(bridge, number) for number in range(1, KILL_AFTER + 1)]
    bridge.broker.kill()
    before = _accepted(bridge, sent)
    screen.refused(
        f"The bridge is dead. {before} of these {KILL_AFTER} had their receipt, "
        f"{KILL_AFTER - before} were under way."
    )
    sent += [_push(bridge, number) for number in range(KILL_AFTER + 1, RETURNS + 1)]
    screen.say(
        f"Vientiane goes on working: its node keeps {RETURNS - KILL_AFTER} more in the meantime."
    )
    bridge.start_broker()
    bridge.stage.until("every receipt", lambda: _accepted(bridge, sent) == RETURNS)
    arrived = _arrived(bridge, sent)
    if sorted(arrived) != sorted(sent):
        raise DemoFailed(f"{len(sent)} were sent, {len(arrived)} arrived")
    screen.good(
        f"The bridge is started again: {RETURNS} of {RETURNS} accepted, each exactly once. "
        "Nothing is lost."
    )


def _push(bridge: Bridge, number: int) -> str:
    """One request to the local interface, as any case system would make it."""
    answer = bridge.node(LAOS).post("/v1/bulletins", bulletins.monthly_return(number))
    bulletin: str = answer["id"]
    return bulletin


def _accepted(bridge: Bridge, sent: list[str]) -> int:
    """How many of these have a signed receipt at the sender."""
    rows: list[dict[str, Any]] = bridge.node(LAOS).get("/v1/bulletins?limit=500")["bulletins"]
    states = {row["id"]: [one["state"] for one in row["deliveries"]] for row in rows}
    return sum(states.get(bulletin) == ["accepted"] for bulletin in sent)


def _arrived(bridge: Bridge, sent: list[str]) -> list[str]:
    """These bulletins as the recipient lists them; one that came twice would stand there twice."""
    rows = bridge.node(CAMBODIA).get("/v1/inbox?limit=500")["bulletins"]
    wanted = set(sent)
    return [row["id"] for row in rows if row["id"] in wanted]
