"""How many deliveries the broker destroys in one commit, by what that costs those who send."""

from __future__ import annotations

from saphan_broker.counters import Counters
from saphan_broker.retention.pace import LEAST, TARGET_SECONDS, Pace
from saphan_schemas.limits import LIMITS


def took(pace: Pace, counters: Counters, seconds: float, others: int) -> int:
    """A batch of eight items, beside so many of others; gives the next batch's size."""
    counters.logged += 8 + others
    pace.took(seconds, 8)
    return pace.batch


def test_alone_it_takes_its_most_however_slow_the_disk_is() -> None:
    counters = Counters()
    pace = Pace(counters)
    assert not pace.alone
    assert took(pace, counters, 100 * TARGET_SECONDS, 0) == LIMITS.retention_batch
    assert pace.alone


def test_beside_others_it_halves_until_they_hardly_wait_and_grows_slowly() -> None:
    counters = Counters()
    pace = Pace(counters)
    slow, quick = 2 * TARGET_SECONDS, TARGET_SECONDS / 2
    sizes = [took(pace, counters, slow, 3) for _ in range(4)]
    assert sizes == [LIMITS.retention_batch // 2, LEAST, LEAST, LEAST]
    assert not pace.alone
    grown = [took(pace, counters, quick, 1) for _ in range(20)]
    step = LIMITS.retention_items
    assert grown[:3] == [LEAST + step, LEAST + 2 * step, LEAST + 3 * step]
    assert grown[-1] == LIMITS.retention_batch


def test_once_the_others_are_silent_it_takes_its_most_at_once() -> None:
    counters = Counters()
    pace = Pace(counters)
    took(pace, counters, 2 * TARGET_SECONDS, 50)
    assert took(pace, counters, 2 * TARGET_SECONDS, 0) == LIMITS.retention_batch
