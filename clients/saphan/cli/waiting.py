"""Waiting for what the node will do by itself: for scripts, and for people who start everything."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from saphan_schemas.errors import Unavailable

from saphan.local_api import LocalNode

STEP_S: Final = 0.2
PATIENCE_S: Final = 120.0
OUTCOMES: Final = frozenset({"accepted", "rejected", "recalled", "expired", "refused"})
"""States of a delivery after which nothing more happens to it."""


def ready_for(node: LocalNode, agencies: set[str]) -> None:
    """Wait until the node runs, its line is open, and its directory has these agencies.

    Raises:
        Unavailable: `waited_in_vain`; and what the node answers otherwise.
    """

    def ready() -> bool:
        with suppress(Unavailable):  # the node may not even run yet
            identity = node.get("/v1/identity")
            return identity["line"]["state"] == "open" and agencies <= set(identity["agencies"])
        return False

    _until("the node's line and the directory", ready)


def in_force(node: LocalNode, reference: str) -> None:
    """Wait until the node has this agreement from the log; raises as `ready_for`."""

    def found() -> bool:
        agreements = node.get("/v1/identity")["agreements"]
        return any(one["reference"] == reference for one in agreements)

    _until(f"agreement {reference}", found)


def outcomes(node: LocalNode, bulletin: str) -> dict[str, Any]:
    """The status of a bulletin once every recipient has an outcome; raises as `ready_for`."""
    status: dict[str, Any] = {}

    def decided() -> bool:
        status.update(node.get(f"/v1/bulletins/{bulletin}"))
        return all(one["state"] in OUTCOMES for one in status["deliveries"])

    _until("an outcome", decided)
    return status


def _until(what: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > end:
            raise Unavailable(
                "waited_in_vain",
                f"waited {PATIENCE_S:.0f} s for {what}",
                hint="look what is wrong: saphan node status; then give the same command again",
            )
        time.sleep(STEP_S)
