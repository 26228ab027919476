"""How many deliveries the broker destroys in one commit, by what that costs those who send."""

from __future__ import annotations

from saphan_broker.counters import Counters
from saphan_broker.retention.pace import LEAST, LEAST_SECONDS, MOST_SECONDS, TIMES, Pace
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
    assert took(pace, counters, 2 * MOST_SECONDS, 0) == LIMITS.retention_batch
    assert pace.alone


def test_beside_others_it_shrinks_until_they_hardly_wait_and_grows_slowly() -> None:
    counters = Counters()
    pace = Pace(counters)
    slow, quick = 2 * LEAST_SECONDS, LEAST_SECONDS / 2
    sizes = [took(pace, counters, slow, 3) for _ in range(6)]
    assert sizes == [96, 72, 54, 40, LEAST, LEAST]
    assert not pace.alone
    grown = [took(pace, counters, quick, 1) for _ in range(20)]
    step = LIMITS.retention_items
    assert grown[:3] == [LEAST + step, LEAST + 2 * step, LEAST + 3 * step]
    assert grown[-1] == LIMITS.retention_batch


def test_what_is_slow_is_measured_by_what_others_take_by_themselves() -> None:
    counters = Counters()
    counters.published(0.02)
    pace = Pace(counters)
    assert took(pace, counters, TIMES * 0.02, 3) == LIMITS.retention_batch
    assert took(pace, counters, TIMES * 0.021, 3) < LIMITS.retention_batch
    for _ in range(100):
        counters.published(1.0)  # a disk that stands still lets nobody be slow for ever
    before = pace.batch
    assert took(pace, counters, MOST_SECONDS * 1.01, 3) < before


def test_once_the_others_are_silent_it_takes_its_most_at_once() -> None:
    counters = Counters()
    pace = Pace(counters)
    took(pace, counters, 2 * MOST_SECONDS, 50)
    assert took(pace, counters, 2 * MOST_SECONDS, 0) == LIMITS.retention_batch
