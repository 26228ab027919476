"""Quotas: two buckets and a count, exact to the millisecond (admission, step 14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.quota import UNUSED, Quota, Use, share, spend
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import DAY_MS, LIMITS, MINUTE_MS, SECOND_MS
from support.ceremony import NOW

QUOTA = Quota(bulletins_per_minute=6, bytes_per_day=DAY_MS, open_deliveries=3)


def refused(call: Callable[[], Use]) -> tuple[str, int]:
    with pytest.raises(Unavailable) as caught:
        call()
    return caught.value.code, caught.value.retry_after_ms


def after(quota: Quota, count: int, use: Use = UNUSED, now: int = NOW) -> Use:
    for _ in range(count):
        use = spend(quota, use, now)
    return use


def test_a_minute_s_bulletins_pass_at_once_and_then_one_for_each_sixth_of_a_minute() -> None:
    full = after(QUOTA, 6)
    assert refused(lambda: spend(QUOTA, full, NOW)) == ("quota_rate", 10 * SECOND_MS)
    assert refused(lambda: spend(QUOTA, full, NOW + 9_999)) == ("quota_rate", SECOND_MS)
    again = spend(QUOTA, full, NOW + 10_000)
    assert refused(lambda: spend(QUOTA, again, NOW + 10_000)) == ("quota_rate", 10 * SECOND_MS)
    assert after(QUOTA, 6, again, NOW + 10_000 + MINUTE_MS).sent == 6 * MINUTE_MS


def test_bytes_drain_over_a_day_and_a_record_without_bytes_does_not_wait_for_them() -> None:
    full = spend(QUOTA, UNUSED, NOW, DAY_MS)
    # One byte drains in one millisecond here.
    assert refused(lambda: spend(QUOTA, full, NOW, 90_000)) == ("quota_bytes", 90_000)
    assert spend(QUOTA, full, NOW + 90_000, 90_000).carried == DAY_MS * DAY_MS
    assert spend(QUOTA, full, NOW).carried == full.carried


def test_a_wait_is_never_longer_than_an_operator_s_change_of_mind() -> None:
    full = spend(QUOTA, UNUSED, NOW, DAY_MS)
    code, wait = refused(lambda: spend(QUOTA, full, NOW, DAY_MS))
    assert (code, wait) == ("quota_bytes", LIMITS.quota_wait_most_ms)


def test_open_deliveries_are_counted_for_each_recipient() -> None:
    two = spend(QUOTA, UNUSED, NOW, 1, 2)
    assert refused(lambda: spend(QUOTA, two, NOW, 1, 2)) == (
        "quota_deliveries",
        LIMITS.quota_open_wait_ms,
    )
    assert spend(QUOTA, two, NOW, 1, 1).open == 3
    over = two._replace(open=9)  # the quota was made smaller: what opens nothing still passes
    assert spend(QUOTA, over, NOW, 1, 0).open == 9


def test_a_refused_one_uses_nothing() -> None:
    use = spend(QUOTA, UNUSED, NOW, DAY_MS, 3)
    for size, deliveries in ((DAY_MS, 0), (0, 1)):
        refused(lambda size=size, many=deliveries: spend(QUOTA, use, NOW, size, many))  # type: ignore[misc]
    assert use == spend(QUOTA, UNUSED, NOW, DAY_MS, 3)


def test_a_clock_that_goes_back_gives_nothing_back_and_takes_nothing() -> None:
    full = after(QUOTA, 6)
    assert refused(lambda: spend(QUOTA, full, NOW - DAY_MS)) == ("quota_rate", 10 * SECOND_MS)
    early = spend(QUOTA, full._replace(sent=0), NOW - DAY_MS)
    assert early.at == NOW


def test_shares_are_of_the_quota_as_it_is_now() -> None:
    use = spend(QUOTA, after(QUOTA, 2), NOW, DAY_MS // 2, 3)
    assert share(QUOTA, use, NOW) == (0.5, 0.5, 1.0)
    assert share(QUOTA, use, NOW + MINUTE_MS).bulletins == 0.0
    smaller = replace(QUOTA, bulletins_per_minute=1)
    assert share(smaller, use, NOW).bulletins == 3.0


@given(
    quota=st.builds(
        Quota,
        bulletins_per_minute=st.integers(1, 100_000),
        bytes_per_day=st.integers(LIMITS.quota_bytes_least, 2**53),
    ),
    steps=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 2**26)), max_size=60),
)
def test_what_passes_in_any_stretch_is_a_full_bucket_and_what_drains_meanwhile(
    quota: Quota, steps: list[tuple[int, int]]
) -> None:
    now, use, passed, carried = NOW, UNUSED, 0, 0
    for pause, size in steps:
        now += pause
        try:
            use = spend(quota, use, now, size)
        except Unavailable:
            continue
        passed, carried = passed + 1, carried + size
        assert passed * MINUTE_MS <= quota.bulletins_per_minute * (MINUTE_MS + now - NOW)
        assert carried * DAY_MS <= quota.bytes_per_day * (DAY_MS + now - NOW)


@given(
    quota=st.builds(Quota, bulletins_per_minute=st.integers(1, 10_000)),
    used=st.integers(0, 10_000),
    now=st.integers(NOW, NOW + MINUTE_MS),
)
def test_after_the_time_that_a_refusal_names_one_more_passes(
    quota: Quota, used: int, now: int
) -> None:
    use = Use(NOW, min(used, quota.bulletins_per_minute) * MINUTE_MS)
    try:
        spend(quota, use, now)
    except Unavailable as error:
        spend(quota, use, now + error.retry_after_ms)
