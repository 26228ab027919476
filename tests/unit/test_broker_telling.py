"""When a session is told a head without entries: soon for its own, seldom for that of others."""

from __future__ import annotations

from saphan_broker.logs.log_book import Cosigned, Published
from saphan_broker.sessions.telling import FIRST_PAUSE_MS, START_MS, News, Telling
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.limits import LIMITS

A, B, C = "la.ospp", "kh.gpo", "vn.vks"
NOW = 1_750_000_000_000
QUIET = LIMITS.head_quiet_ms


def head(size: int, now: int = NOW) -> Published:
    tree = TileTree(0, {}, lambda _level, _n: b"")
    return Published("origin", size, bytes(32), now // 1000, b"head %d %d" % (size, now), tree)


def cosigned(*heads: tuple[Published, str]) -> dict[int, Cosigned]:
    found: dict[int, Cosigned] = {}
    for one, agency in heads:
        before = found.get(one.size)
        found[one.size] = Cosigned(
            one, (before.lines if before else {}) | {agency: agency.encode()}
        )
    return found


def started(now: int = NOW, covered: int = 0) -> Telling:
    """A session of A that was told the head that it asks for at its start."""
    telling = Telling(A, 0, covered, now)
    first = head(5, now)
    assert telling.next(first, {}, 1, now) == (0, News(first, 5, {}))
    telling.told(first, now)
    return telling


def test_a_head_of_others_waits_until_the_session_is_due() -> None:
    telling = started()
    newer = head(6)
    assert telling.next(newer, {}, 1, NOW) == (QUIET, News(newer, 6, {}))
    assert telling.next(newer, {}, 1, NOW + QUIET) == (0, News(newer, 6, {}))
    telling.told(newer, NOW + QUIET)
    assert telling.next(newer, {}, 1, NOW + 9 * QUIET) is None


def test_a_start_waits_a_little_for_a_fresh_head() -> None:
    telling = Telling(A, 0, 0, NOW)
    old = head(5, NOW - 60_000)
    assert telling.next(old, {}, 1, NOW) == (START_MS, News(old, 5, {}))
    fresh = head(5, NOW + 1000)
    assert telling.next(fresh, {}, 1, NOW + 1000) == (0, News(fresh, 5, {}))


def test_who_is_asked_is_told_at_once_and_once() -> None:
    telling = started()
    telling.ask(NOW + 60_000)
    old, fresh = head(6), head(6, NOW + 60_000)
    assert telling.next(old, {}, 1, NOW + 60_000) == (QUIET - 60_000, News(old, 6, {}))
    assert telling.next(fresh, {}, 1, NOW + 60_000) == (0, News(fresh, 6, {}))
    telling.told(fresh, NOW + 60_000)
    later = head(7, NOW + 61_000)
    assert telling.next(later, {}, 1, NOW + 61_000) == (QUIET - 1000, News(later, 7, {}))


def test_lines_on_a_known_head_come_alone_and_only_of_others() -> None:
    telling, ours = started(), head(8)
    telling.told(ours, NOW, covered=8)
    assert telling.next(ours, cosigned((ours, A)), 1, NOW) is None
    wait, news = telling.next(head(9), cosigned((ours, A), (ours, B)), 1, NOW) or (None, None)
    assert (wait, news) == (FIRST_PAUSE_MS, News(None, 8, {B: B.encode()}))
    assert news is not None
    telling.showed(news, NOW + 1000)
    assert telling.next(ours, cosigned((ours, B), (ours, C)), 1, NOW + QUIET) is None


def test_a_head_that_it_does_not_know_comes_with_its_lines() -> None:
    telling = started()
    telling.told(head(8), NOW, covered=8)
    other = head(9)
    found = telling.next(head(10), cosigned((other, B)), 1, NOW)
    assert found == (FIRST_PAUSE_MS, News(other, 9, {B: B.encode()}))


def test_nothing_is_told_of_a_head_before_the_newest_known_or_before_its_entries() -> None:
    telling = started()
    telling.told(head(8), NOW, covered=8)
    assert telling.next(head(8), cosigned((head(6), B), (head(7), B)), 1, NOW) is None
    telling.told(head(12), NOW, covered=8)
    assert telling.next(head(12), cosigned((head(9), B)), 1, NOW) is None


def test_as_many_witnesses_as_the_agreements_want_each_after_a_longer_pause() -> None:
    telling, ours = started(), head(8)
    telling.told(ours, NOW, covered=8)
    first = telling.next(ours, cosigned((ours, B)), 2, NOW)
    assert first == (FIRST_PAUSE_MS, News(None, 8, {B: B.encode()}))
    telling.showed(first[1], NOW)
    second = telling.next(ours, cosigned((ours, B), (ours, C)), 2, NOW)
    assert second == (2 * FIRST_PAUSE_MS, News(None, 8, {C: C.encode()}))


def test_without_entries_no_witness_is_told() -> None:
    telling = started()
    assert telling.next(head(5), cosigned((head(5), B)), 1, NOW + QUIET) is None
    resumed = started(covered=4)
    found = resumed.next(head(5), cosigned((head(5), B)), 1, NOW)
    assert found == (FIRST_PAUSE_MS, News(None, 5, {B: B.encode()}))


def test_new_entries_want_a_witness_of_their_own_and_soon() -> None:
    telling, ours = started(), head(8)
    telling.told(ours, NOW, covered=8)
    telling.showed(News(None, 8, {B: b""}), NOW)
    newer = head(10)
    telling.told(newer, NOW, covered=10)
    assert telling.next(newer, cosigned((ours, B)), 1, NOW) is None
    found = telling.next(newer, cosigned((newer, B)), 1, NOW)
    assert found == (FIRST_PAUSE_MS, News(None, 10, {B: B.encode()}))


def test_under_load_lines_are_told_once_a_second_although_entries_come_all_the_time() -> None:
    """Timeline: entries every 100 ms; the witness signs a told head a second."""
    telling, told_at = started(), []
    lines: dict[int, Cosigned] = {}
    for tick in range(1, 60):
        now, size = NOW + 100 * tick, 10 + tick
        telling.told(head(size, now), now, covered=size)
        if tick % 11 == 0:
            lines |= cosigned((head(size - 2, now), B))
        found = telling.next(head(size, now), lines, 1, now)
        if found is not None and found[0] == 0 and found[1].lines:
            telling.showed(found[1], now)
            told_at.append((now - NOW, found[1].size))
    assert [at for at, _ in told_at] == [1100, 2200, 3300, 4400, 5500]
    assert [size for _, size in told_at] == [19, 30, 41, 52, 63]


def test_a_line_on_entries_in_between_is_told_and_the_rest_wait_for_the_next() -> None:
    telling = started()
    telling.told(head(8), NOW, covered=8)
    telling.told(head(12), NOW, covered=12)
    found = telling.next(head(12), cosigned((head(8), B)), 1, NOW)
    assert found == (FIRST_PAUSE_MS, News(None, 8, {B: B.encode()}))
    telling.showed(found[1], NOW)
    assert telling.next(head(12), cosigned((head(8), B)), 1, NOW) is None
    again = telling.next(head(12), cosigned((head(8), B), (head(12), B)), 1, NOW)
    assert again == (2 * FIRST_PAUSE_MS, News(None, 12, {B: B.encode()}))


def test_a_policys_witnesses_are_told_of_one_head() -> None:
    """B signed one head, then both signed a later one: only the later one has enough of them."""
    telling = started()
    telling.told(head(8), NOW, covered=8)
    telling.told(head(9), NOW)
    first = telling.next(head(9), cosigned((head(8), B)), 2, NOW)
    assert first == (FIRST_PAUSE_MS, News(None, 8, {B: B.encode()}))
    telling.showed(first[1], NOW)
    lines = cosigned((head(8), B), (head(9), B), (head(9), C))
    both = telling.next(head(9), lines, 2, NOW)
    assert both == (2 * FIRST_PAUSE_MS, News(None, 9, {B: B.encode(), C: C.encode()}))
    telling.showed(both[1], NOW)
    assert telling.next(head(9), lines, 2, NOW + QUIET) is None


def test_a_witness_that_is_away_does_not_keep_the_others_lines_from_later_entries() -> None:
    """One agreement wants two witnesses, C is away; another one is content with B."""
    telling = started()
    told = []
    for size in (8, 10, 12):
        now = NOW + 10_000 * size
        telling.told(head(size), now, covered=size)
        found = telling.next(head(size), cosigned((head(size), B)), 2, now + 1000)
        assert found is not None
        told.append(found[1])
        telling.showed(found[1], now + 1000)
        assert telling.next(head(size), cosigned((head(size), B)), 2, now + QUIET) is None
    assert told == [News(None, size, {B: B.encode()}) for size in (8, 10, 12)]


def test_where_its_own_line_counts_lines_come_for_the_head_that_it_stands_on() -> None:
    """A has cosigned 8, B the 9 after it; then both sign 10, which covers the same entries."""
    telling, ours, theirs, both = started(), head(8), head(9), head(10)
    telling.told(ours, NOW, covered=8)
    lines = cosigned((ours, A), (theirs, B))
    first = telling.next(both, lines, 2, NOW, own=True)
    assert first is not None
    assert first[1].size == 9
    telling.told(theirs, NOW)
    telling.showed(first[1], NOW)
    lines |= cosigned((both, A), (both, B))
    second = telling.next(both, lines, 2, NOW, own=True)
    assert second is not None
    assert (second[1].size, list(second[1].lines)) == (10, [B])
    telling.told(both, NOW)
    telling.showed(second[1], NOW)
    lines |= cosigned((both, A), (both, B), (both, C))
    assert telling.next(both, lines, 2, NOW + QUIET, own=True) is None
