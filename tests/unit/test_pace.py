"""How many bytes may be on their way: a line with a rate and a round trip is computed, not run."""

from __future__ import annotations

from dataclasses import dataclass, field

from saphan_protocol.pace import LEAST, SLOW, Pace

KIB = 1024
PART = 16 * KIB


@dataclass
class Road:
    """A line computed in milliseconds: bytes leave one after another, then take the way."""

    rate: float
    """Bytes a second."""
    round_trip: float
    free_at: float = 0.0
    acks: list[tuple[float, int]] = field(default_factory=list)

    def send(self, size: int, now: float) -> None:
        self.free_at = max(self.free_at, now) + size / self.rate * 1000
        self.acks.append((self.free_at + self.round_trip, size))


def carried(pace: Pace, road: Road, size: int, most: int = PART) -> tuple[float, int]:
    """Send `size` bytes in pieces; seconds it took, and the most that was on its way."""
    now, left, peak = 0.0, size, 0
    while left or road.acks:
        while left and (piece := min(left, pace.piece(most))):
            road.send(piece, now)
            pace.sent(piece, now)
            left -= piece
            peak = max(peak, pace.on_way)
        now, acked = road.acks.pop(0)
        pace.acknowledged(acked, now)
    return now / 1000, peak


def test_a_satellite_line_is_kept_full_with_little_on_its_way() -> None:
    pace, road = Pace(), Road(rate=8_000, round_trip=1_200)
    seconds, peak = carried(pace, road, 1_000_000)
    assert seconds < 1.25 * 125, "the line carries 8,000 bytes a second"
    assert peak <= 1.5 * PART, "a second's worth waits, and what the way itself holds"
    assert pace.slow
    assert pace.on_way == 0


def test_a_fast_line_opens_wide() -> None:
    pace, road = Pace(), Road(rate=10_000_000, round_trip=40)
    seconds, peak = carried(pace, road, 16_000_000)
    assert seconds < 1.5 * 1.6
    assert peak >= 256 * KIB
    assert not pace.slow


def test_a_long_round_trip_alone_is_no_slow_line() -> None:
    pace, road = Pace(), Road(rate=2_000_000, round_trip=1_500)
    carried(pace, road, 16_000_000)
    assert not pace.slow
    assert pace.window > SLOW


def test_late_acknowledgements_shrink_the_window_once_a_round() -> None:
    pace = Pace(first=64 * KIB)
    for _ in range(4):
        pace.sent(PART, 0)
    pace.acknowledged(PART, 100)
    for at in (2_000, 2_100, 2_200):
        pace.acknowledged(PART, at)
    assert pace.window == (64 + 16) * KIB * 3 // 4
    assert pace.slow is (pace.window <= SLOW)
    pace.sent(LEAST, 3_000)
    pace.acknowledged(LEAST, 60_000)
    assert pace.window == (64 + 16) * KIB * 3 // 8, "very late: by half"


def test_the_window_never_closes_and_never_passes_its_most() -> None:
    pace = Pace(most=32 * KIB)
    now = 0.0
    for _ in range(50):
        pace.sent(pace.piece(PART), now)
        pace.acknowledged(PART, now + 1)
        now += 2
    assert pace.window <= 32 * KIB
    windows = []
    for late in range(50):
        pace.sent(size := pace.piece(PART), now)
        now += 10_000 * (late + 1)
        pace.acknowledged(size, now)
        windows.append(pace.window)
        assert pace.piece(PART) >= LEAST
    assert min(windows) == LEAST


def test_a_full_window_waits_and_an_uncut_thing_goes_alone() -> None:
    pace = Pace()
    assert pace.may_send(10_000_000), "nothing else is on its way"
    pace.sent(10_000_000, 0)
    assert not pace.may_send(1)
    assert pace.piece(PART) == 0
    pace.acknowledged(9_999_000, 50)
    assert pace.on_way == 1_000
    assert pace.may_send(LEAST - 1_000)


def test_acknowledgements_may_cover_parts_of_pieces_and_more_than_was_sent() -> None:
    pace = Pace()
    pace.sent(8 * KIB, 0)
    pace.sent(4 * KIB, 0)
    pace.acknowledged(10 * KIB, 10)
    assert pace.on_way == 2 * KIB
    pace.acknowledged(100 * KIB, 20)
    assert pace.on_way == 0


def test_a_cut_forgets_what_was_on_its_way() -> None:
    pace = Pace()
    carried(pace, Road(rate=10_000_000, round_trip=40), 1_000_000)
    pace.sent(PART, 0)
    pace.cut()
    assert pace.on_way == 0
    assert pace.window == LEAST


def test_a_way_that_has_become_longer_is_no_slow_line_for_ever() -> None:
    """From a cable to a satellite in the middle of a session."""
    pace, road = Pace(), Road(rate=2_000_000, round_trip=20)
    carried(pace, road, 4_000_000)
    far = Road(rate=2_000_000, round_trip=1_500)
    seconds, _ = carried(pace, far, 16_000_000)
    assert pace.window > SLOW
    assert seconds < 90, "24 s with the widest window, and the time to find out"
