"""Quotas: how much one agency may have logged (admission, step 14; only the broker asks).

Two buckets, of bulletins and of bytes: each takes what its period allows at once, is filled by what
is logged, and drains evenly, so that no instant is better than another for asking again. Beside
them the number of deliveries without an outcome. Everything is whole numbers: nothing is lost or
gained by rounding, however long a broker runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import DAY_MS, LIMITS, MINUTE_MS

HINT: Final = "the node sends it again by itself; for a larger quota ask the broker's operator"


@dataclass(frozen=True, slots=True)
class Quota:
    """What one agency may have logged.

    Args:
        bulletins_per_minute: consignments, and records of refusals; from 1.
        bytes_per_day: of consigned bulletins, everything that the broker keeps of them, and of
            records of refusals; a largest bulletin at least (`LIMITS.quota_bytes_least`).
        open_deliveries: bulletins times recipients without an outcome; from `LIMITS.recipients`.
    """

    bulletins_per_minute: int = LIMITS.quota_bulletins
    bytes_per_day: int = LIMITS.quota_bytes
    open_deliveries: int = LIMITS.quota_deliveries


class Use(NamedTuple):
    """How much of its quota an agency has used at the instant `at` (ms UTC).

    Args:
        sent: bulletins in the bucket, times the milliseconds of a minute.
        carried: bytes in the bucket, times the milliseconds of a day.
        open: deliveries without an outcome.
    """

    at: int = 0
    sent: int = 0
    carried: int = 0
    open: int = 0


UNUSED: Final = Use()


class Brought(NamedTuple):
    """Directory entries of one kind that an agency's sessions have brought, as a bucket.

    Args:
        entries: in the bucket at the instant `at` (ms UTC), times the milliseconds of a day.
    """

    at: int = 0
    entries: int = 0


NOTHING: Final = Brought()


class Share(NamedTuple):
    """The parts of a quota that are used, each from 0.0; above 1.0 after it was made smaller."""

    bulletins: float
    bytes: float
    deliveries: float


def spend(quota: Quota, use: Use, now: int, size: int = 0, deliveries: int = 0) -> Use:
    """What is used once one record more is logged.

    Args:
        now: the time of its entry (ms); one before `use.at` counts as that.
        size: bytes that are kept of it.
        deliveries: that it opens.

    Raises:
        Unavailable: `quota_rate`, `quota_bytes`, `quota_deliveries`, with the time after which the
            same is worth sending again, `LIMITS.quota_wait_most_ms` at most.
    """
    use = drained(quota, use, now)
    sent, carried = use.sent + MINUTE_MS, use.carried + size * DAY_MS
    over = sent - quota.bulletins_per_minute * MINUTE_MS
    if over > 0:
        raise _over(
            "quota_rate",
            f"this agency has used its {quota.bulletins_per_minute} bulletins a minute",
            -(-over // quota.bulletins_per_minute),
        )
    over = carried - quota.bytes_per_day * DAY_MS
    if size and over > 0:
        raise _over(
            "quota_bytes",
            f"this agency has used its {quota.bytes_per_day} bytes a day",
            -(-over // quota.bytes_per_day),
        )
    if deliveries and use.open + deliveries > quota.open_deliveries:
        raise _over(
            "quota_deliveries",
            f"{use.open} deliveries of this agency wait for an outcome, "
            f"of {quota.open_deliveries} that may",
            LIMITS.quota_open_wait_ms,
        )
    return Use(use.at, sent, carried, use.open + deliveries)


def bring(brought: Brought, now: int) -> Brought:
    """What is brought once one more operation, agreement or order is in the directory log.

    The same bound for everybody: `LIMITS.quota_directory` a day.

    Raises:
        Unavailable: `quota_directory`, with the time after which it is worth sending again.
    """
    passed, most = max(now - brought.at, 0), LIMITS.quota_directory
    entries = max(brought.entries - passed * most, 0) + DAY_MS
    over = entries - most * DAY_MS
    if over > 0:
        raise Unavailable(
            "quota_directory",
            f"this agency's sessions have brought {most} directory entries of this kind in a day",
            field="register",
            hint="send it again later; another party's node may bring it now",
            retry_after_ms=_wait(-(-over // most)),
        )
    return Brought(max(now, brought.at), entries)


def drained(quota: Quota, use: Use, now: int) -> Use:
    """The same use as it stands at `now`."""
    passed = now - use.at
    if passed <= 0:
        return use
    sent = use.sent - passed * quota.bulletins_per_minute
    carried = use.carried - passed * quota.bytes_per_day
    return Use(now, max(sent, 0), max(carried, 0), use.open)


def share(quota: Quota, use: Use, now: int) -> Share:
    """How much of each part of a quota is used at `now`."""
    use = drained(quota, use, now)
    return Share(
        use.sent / (quota.bulletins_per_minute * MINUTE_MS),
        use.carried / (quota.bytes_per_day * DAY_MS),
        use.open / quota.open_deliveries,
    )


def _over(code: str, message: str, wait_ms: int) -> Unavailable:
    return Unavailable(code, message, field="consignment", hint=HINT, retry_after_ms=_wait(wait_ms))


def _wait(wait_ms: int) -> int:
    return min(max(wait_ms, LIMITS.quota_wait_ms), LIMITS.quota_wait_most_ms)
