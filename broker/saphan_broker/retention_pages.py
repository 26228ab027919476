"""The operator's requests about retention, on the running broker's own socket (`admin`).

POST /retention/plan {"days": N}, POST /retention/arm, POST /retention/confirm {"reason": "..."}.
Where several processes serve one store, whichever answers tells the others with its next beat.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS, SECOND_MS

from saphan_broker.broker import Broker
from saphan_broker.clock import day_of
from saphan_broker.retention.rule import RULE
from saphan_broker.retention.whole import MOST_DAYS

REASON_CHARACTERS: Final = 200
_log = logging.getLogger("saphan.broker")


class PlanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /retention/plan."""

    days: Annotated[int, Meta(ge=0, le=MOST_DAYS)]


class ArmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /retention/arm."""


class ConfirmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /retention/confirm."""

    reason: str


async def plan(broker: Broker, asked: PlanRequest) -> dict[str, object]:
    """What would go within so many days, how much and why; whoever asks has seen the rule."""
    retention = broker.retention
    found = await retention.plan(day_of(broker.state.clock()), asked.days)
    _log.warning("the operator has seen the plan of %d days", asked.days)
    return {
        "today": day_text(found.today),
        "armed": found.armed,
        "leaps": found.leaps,
        "rule": msgspec.structs.asdict(RULE),
        "digest": RULE.digest.hex(),
        "days": [
            {
                "day": day_text(one.day),
                "overdue": one.day <= found.today,
                "deliveries": one.deliveries,
                "bytes": one.bytes,
                "held": one.held,
            }
            for one in found.counts
        ],
        "deliveries": sum(one.deliveries for one in found.counts),
        "bytes": sum(one.bytes for one in found.counts),
        "held": sum(one.held for one in found.counts),
    }


async def arm(broker: Broker, _asked: ArmRequest) -> dict[str, object]:
    """Let the rule act that the operator has seen."""
    before = await broker.retention.arm()
    if not before:
        _log.warning("the operator has armed the rule of retention %s", RULE.digest.hex()[:16])
    return {"armed_before": before, "digest": RULE.digest.hex()}


async def confirm(broker: Broker, asked: ConfirmRequest) -> dict[str, object]:
    """Go on after a leap of time: a person has compared the clocks."""
    reason = asked.reason.strip()
    if not 1 <= len(reason) <= REASON_CHARACTERS or not reason.isprintable():
        raise InvalidInput(
            "reason_malformed",
            f"a reason is one line of at most {REASON_CHARACTERS} characters",
            field="reason",
        )
    leaps = broker.retention.guard.leaps()
    now = await broker.retention.confirm()
    _log.warning("the operator has confirmed the time: %s", reason)
    return {"leapt": leaps, "witnessed_at": now // SECOND_MS or None, "reason": reason}


def retention_now(broker: Broker) -> dict[str, object]:
    """Retention as the operator's status shows it; numbers since the start."""
    retention, state = broker.retention, broker.state
    return {
        "armed": retention.armed.armed,
        "leaps": retention.guard.leaps(),
        "lag_seconds": retention.sweep.lag_ms // SECOND_MS,
        "first_key": day_text(state.keys.day),
        "destroyed": state.counters.destroyed,
        "rewrapped": state.counters.rewrapped,
        "forgotten": state.counters.forgotten,
    }


def day_text(day: int) -> str:
    """A day since 1970-01-01 as people write it."""
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%Y-%m-%d")
