"""A connected witness is behind from the oldest head that it was told and has not answered."""

from __future__ import annotations

from saphan_broker.alarms import Alarms
from saphan_broker.witness_lag import BEHIND, WitnessLag
from saphan_schemas.limits import LIMITS, MINUTE_MS

A, B = "la.ospp", "kh.gpo"


class Now:
    """A clock, and a directory in which only A has a witness key."""

    def __init__(self) -> None:
        self.time = 1_750_000_000_000
        self.alarms = Alarms()
        self.lag = WitnessLag(lambda: self, self.alarms, lambda: self.time)  # type: ignore[arg-type, return-value]

    def keys(self, agency: str, _role: object) -> list[str]:
        return ["key"] if agency == A else []

    def later(self, minutes: float) -> None:
        self.time += int(minutes * MINUTE_MS)
        self.lag.look()

    @property
    def codes(self) -> list[str]:
        return [alarm.code for alarm in self.alarms.active()]


def test_ten_minutes_of_silence_are_an_alarm_until_the_witness_answers() -> None:
    now = Now()
    now.lag.told(A, 5)
    now.later(LIMITS.witness_lag_ms / MINUTE_MS - 1)
    assert now.codes == []
    now.lag.told(A, 9)  # what comes later does not begin the time anew
    now.later(1)
    assert now.codes == [BEHIND]
    assert A in now.alarms.active()[0].message
    assert now.lag.worst_seconds() == LIMITS.witness_lag_ms / 1000
    now.lag.cosigned(A, 9)
    now.later(0)
    assert now.codes == []
    assert now.lag.worst_seconds() == 0


def test_a_witness_may_skip_to_the_newest_head() -> None:
    now = Now()
    for size in (5, 7, 9):
        now.lag.told(A, size)
    now.lag.cosigned(A, 9)
    now.later(60)
    assert now.codes == []


def test_an_answer_to_an_older_head_leaves_the_newer_one_owed_from_when_it_was_told() -> None:
    now = Now()
    now.lag.told(A, 5)
    now.later(8)
    now.lag.told(A, 9)
    now.lag.cosigned(A, 4)  # covers nothing that it owes
    assert now.lag.behind() == {A: 8 * MINUTE_MS}
    now.lag.cosigned(A, 6)
    assert now.lag.behind() == {A: 0}
    now.later(10)
    assert now.codes == [BEHIND]


def test_who_has_left_has_no_witness_key_or_has_signed_before_owes_nothing() -> None:
    now = Now()
    now.lag.told(A, 5)
    now.lag.left(A)
    now.lag.told(B, 5)
    now.lag.cosigned(A, 7)
    now.lag.told(A, 7)
    now.later(60)
    assert (now.codes, now.lag.behind()) == ([], {})
