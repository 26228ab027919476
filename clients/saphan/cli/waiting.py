"""Waiting for what the node will do by itself: for scripts, and for people who start everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from saphan_schemas.errors import Refused, Unavailable

from saphan.cli.options import now_ms
from saphan.corridors import in_force as in_force_at
from saphan.local_api import LocalNode

STEP_S: Final = 0.2
PATIENCE_S: Final = 120.0
IN_VAIN: Final = "waited_in_vain"
OUTCOMES: Final = frozenset({"accepted", "read", "rejected", "recalled", "expired", "refused"})
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


def in_force(node: LocalNode, reference: str, identity: bytes) -> None:
    """Wait until the node has this very agreement from the log, not an older one of the same
    reference; raises as `ready_for`."""

    def found() -> bool:
        agreements = node.get("/v1/identity")["agreements"]
        return any(one["identity"] == identity.hex() for one in agreements)

    _until(f"agreement {reference}", found)


def order_logged(node: LocalNode, taken: dict[str, Any]) -> dict[str, Any]:
    """Wait until the log shows an order that binds here already; not while the line is down.

    Args:
        taken: what the node answered when it was handed over.

    Raises:
        Refused: the broker's code, if it will not take the order; else as `ready_for`.
    """
    rows = [taken]

    def settled() -> bool:
        found = node.get("/v1/bound")["bound"]
        rows.extend(row for row in found if row["identity"] == taken["identity"])
        down = node.get("/v1/identity")["line"]["state"] != "open"
        return down or rows[-1]["logged"] or rows[-1]["broker"] is not None

    try:
        _until("the order in the log", settled)
    except Unavailable as error:
        if error.code != IN_VAIN:
            raise
        return rows[-1]  # it binds here, and is offered until the log shows it: nothing is to do
    code = rows[-1]["broker"]
    if code is not None and not rows[-1]["logged"]:
        raise Refused(
            code,
            "the broker does not take the order; it binds this node all the same",
            hint="look how the agreement stands: saphan agreement list",
        )
    return rows[-1]


def hold_logged(node: LocalNode, taken: dict[str, Any], name: str) -> dict[str, Any]:
    """Wait until the log shows a hold order that the node has taken; not while the line is down.

    Args:
        taken: the hold as the node answered; name: of the order.

    Raises:
        Refused: the broker's code, if it will not take the order; else as `ready_for`.
    """
    rows = [taken]

    def order() -> dict[str, Any]:
        (found,) = (one for one in rows[-1]["orders"] if one["name"] == name)
        return dict(found)

    def settled() -> bool:
        rows.append(node.get(f"/v1/holds/{taken['name']}?limit=1"))
        down = node.get("/v1/identity")["line"]["state"] != "open"
        ends = order()["action"] == "release" and rows[-1]["in_force"]
        return down or (order()["logged"] and not ends) or order()["broker"] is not None

    try:
        _until("the hold order in the log", settled)
    except Unavailable as error:
        if error.code != IN_VAIN:
            raise
    ended = order()["action"] == "release" and not rows[-1]["in_force"]
    if order()["broker"] is not None and not order()["logged"] and not ended:
        raise Refused(
            order()["broker"],
            "the broker does not take the hold order; what it holds is held here all the same",
            hint="see how it stands: saphan hold list",
        )
    return rows[-1]


def permitted(node: LocalNode, to: Sequence[str]) -> None:
    """Wait until agreements let the node send to all of these; raises as `ready_for`."""

    def allowed() -> bool:
        with suppress(Unavailable):  # the node may not even run yet
            found = node.get("/v1/identity")
            holding = [one for one in found["agreements"] if in_force_at(one, now_ms())]
            rules = [rule for agreement in holding for rule in agreement["rules"]]
            open_to = {rule["recipient"] for rule in rules if rule["sender"] == found["agency"]}
            return open_to.issuperset(to)
        return False

    _until("an agreement with " + ", ".join(to), allowed)


def unread(rows: Callable[[], list[dict[str, Any]]], *, wait: bool) -> str:
    """Id of the oldest bulletin of the inbox that nobody has read.

    Args:
        rows: the inbox, oldest first.
        wait: until there is one.

    Raises:
        Unavailable: `nothing_unread`, `waited_in_vain`, what the node answers.
    """
    found: list[str] = []

    def looked() -> bool:
        found.extend(row["id"] for row in rows() if not (row["read"] or row.get("recalled")))
        return bool(found)

    if wait:
        _until("a bulletin that nobody has read", looked)
    elif not looked():
        raise Unavailable(
            "nothing_unread",
            "there is no bulletin that nobody has read yet",
            hint="saphan read --wait waits for one; saphan inbox lists those that were read",
        )
    return found[0]


def outcomes(node: LocalNode, bulletin: str) -> dict[str, Any]:
    """The status of a bulletin once every recipient has an outcome; raises as `ready_for`."""
    status: dict[str, Any] = {}

    def look() -> bool:
        status.update(node.get(f"/v1/bulletins/{bulletin}"))
        return decided(status)

    _until("an outcome", look)
    return status


def decided(status: dict[str, Any]) -> bool:
    """Whether every recipient has an outcome."""
    return all(one["state"] in OUTCOMES for one in status["deliveries"])


def _until(what: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > end:
            raise Unavailable(
                IN_VAIN,
                f"waited {PATIENCE_S:.0f} s for {what}",
                hint="look what is wrong: saphan node status; then give the same command again",
            )
        time.sleep(STEP_S)
