"""Which ciphertexts go with their entries on lines that are slow, or have shown nothing yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saphan_broker.sessions import deferring
from saphan_broker.sessions.deferring import LOOK_BYTES, READ_BYTES, choose, wanted_bytes
from saphan_broker.store.base import BulletinRow, FeedRow
from saphan_schemas.limits import KIB, MIB
from support.store_commits import Story

SHORT, LONG = 5 * KIB, 64 * KIB
UNKNOWN: Mapping[str, Any] = {"most": deferring.SHORT, "idle": True}
SLOW: Mapping[str, Any] = {"most": 0, "idle": True}


def rows(*lengths: int) -> list[FeedRow]:
    """Entries with bulletins of these ciphertext lengths; 0: an entry without one."""
    made = []
    for length in lengths:
        commit = Story(body_bytes=length).bulletins(1)
        made.append(FeedRow(commit.entries[0], commit.bulletins[0] if length else None, None))
    return made


def here(chosen: list[tuple[FeedRow, bool]]) -> list[bool]:
    return [goes for _row, goes in chosen]


def routine(_body: BulletinRow) -> Any:
    return "routine"


def immediate_if_long(body: BulletinRow) -> Any:
    return "immediate" if len(body.ciphertext) == LONG else "priority"


def test_an_unknown_line_gets_what_is_short_and_what_is_immediate() -> None:
    given = rows(SHORT, LONG, 0, SHORT)
    assert here(choose(given, MIB, routine, **UNKNOWN)) == [True, False, True, True]
    assert here(choose(given, MIB, immediate_if_long, **UNKNOWN)) == [True, True, True, True]
    edge = rows(deferring.SHORT, deferring.SHORT + 1)
    assert here(choose(edge, MIB, routine, **UNKNOWN)) == [True, False]
    assert here(choose(given, MIB, routine, most=LONG, idle=False)) == [True, True, True, True]


def test_a_slow_line_gets_entries_first_and_immediate_bulletins() -> None:
    given = rows(SHORT, LONG, 0, SHORT)
    assert here(choose(given, MIB, routine, **SLOW)) == [False, False, True, False]
    assert here(choose(given, MIB, immediate_if_long, **SLOW)) == [False, True, True, False]


def test_a_short_bulletin_alone_comes_at_once() -> None:
    assert here(choose(rows(SHORT), MIB, routine, most=0, idle=True)) == [True]
    assert here(choose(rows(SHORT), MIB, routine, most=0, idle=False)) == [False]
    assert here(choose(rows(LONG), MIB, routine, most=0, idle=True)) == [False]


def test_a_frame_holds_what_has_room_and_at_least_one() -> None:
    given = rows(*[SHORT] * 20)
    assert len(choose(given, 1, routine, **SLOW)) == 1
    few = choose(given, 1000, routine, **SLOW)
    assert sum(row.weight - SHORT for row, _ in few) <= 1000
    assert len(few) > 3
    assert len(choose(given, 3 * (SHORT + 200), routine, **UNKNOWN)) <= 3
    assert choose(given, MIB, routine, **UNKNOWN) == [(row, True) for row in given]


def test_so_much_is_read_for_a_frame() -> None:
    assert wanted_bytes(4096, True) == LOOK_BYTES
    assert wanted_bytes(4096, False) == 4096
    assert wanted_bytes(10 * MIB, False) == wanted_bytes(10 * MIB, True) == READ_BYTES
