"""Places of several logs of one broker: as they are stored, as lists go on from them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from saphan.node.recall.recalls import Recalls
from saphan.node.rows.db import Database
from saphan.node.rows.places import MOST_LOGS, cursor_of, first_of, last_of, stored_at
from saphan_protocol.identity import sha256

SAFE = 2**53 - 1
"""The largest integer that every JSON reader takes as it is."""


def test_a_cursor_is_a_number_that_json_carries_and_goes_back_to_its_place() -> None:
    places = [
        first_of(log) + index for log in (1, 2, 3, MOST_LOGS) for index in (0, 1, 7, 2**43 - 1)
    ]
    cursors = [cursor_of(place) for place in places]
    assert cursors[:3] == [0, 1, 7]
    assert cursors == sorted(set(cursors))
    assert [stored_at(cursor) for cursor in cursors] == places
    assert cursor_of(last_of(MOST_LOGS)) == SAFE


def test_recalls_of_several_logs_are_paged_by_numbers_that_json_carries(tmp_path: Path) -> None:
    db = Database(tmp_path)
    places = [first_of(log) + index for log in (1, 2, 3) for index in (5, 9)]
    with db.transaction() as tx:
        tx.executemany(
            "INSERT INTO recalled VALUES (?, ?, 0, 'error', 0, NULL, NULL, NULL, NULL)",
            [(sha256(b"%d" % place), place) for place in places],
        )
    node = cast("Any", SimpleNamespace(db=db))
    after, found = 0, []
    while (page := Recalls.received(node, after, 1))["more"]:
        found += [(one["log"], one["index"]) for one in page["recalls"]]
        assert after < page["next"] <= SAFE
        after = page["next"]
    assert found == [(log, index) for log in (1, 2, 3) for index in (5, 9)]
    db.close()
