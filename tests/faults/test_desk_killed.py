"""A desk that is killed at each effect of an erasure: whole afterwards, and nothing of it left."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from saphan.desk.days import DeskDays
from saphan.desk.files import download_name
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.desk.store import DeskStore, Shelf
from saphan.keys.keyfiles import SecretKey, new_key
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role
from support.bare_desk import bare_desk, row
from support.desks import everything
from support.killed import killed

CANARY = b"what the bulletin said, as the desk kept it"
BULLETIN = b"b" * 32


PLACES = [
    (DeskStore, "remove", 1, False),
    (DeskStore, "remove", 3, True),
    (DeskStore, "put", 2, True),
    (DeskStore, "drop_due", 1, True),
    (DeskStore, "end_days", 1, False),
    (DeskDays, "destroy", 1, False),
    (DeskDays, "destroy", 1, True),
    (Keeping, "erase", 1, True),
]


def prepared(folder: Path, key: SecretKey) -> int:
    """A desk with a bulletin, its attachment and its place in the list; gives its last day."""
    with bare_desk(folder, key, lambda: ("one", 0)) as desk:
        day = desk.clock() // DAY_MS + 2
        header = row(1, retain_until=day) | {"id": BULLETIN.hex()}
        said = {"about": {"note": CANARY.decode()}, "body": {}}
        Inbox(desk).keep({"id": BULLETIN.hex(), "header": header, "content": said})
        desk.store.put(Shelf.INBOX, bytes(8), msgspec.json.encode(header), day)
        desk.store.put_part(download_name(BULLETIN, 1), 0, CANARY, day)
        Keeping(desk).told([], desk.clock())
        Keeping(desk).sweep()
        return day


def swept(folder: Path, key: SecretKey) -> None:
    with bare_desk(folder, key, lambda: ("one", 2 * DAY_MS)) as desk:
        Keeping(desk).sweep()


@pytest.mark.parametrize("place", PLACES, ids=lambda one: f"{one[1]}-{one[2]}-{one[3]}")
def test_an_erasure_goes_on_where_it_was_killed(
    tmp_path: Path, place: tuple[type, str, int, bool]
) -> None:
    owner, name, calls, after = place
    key = new_key(Role.OFFICER, "dao")
    prepared(tmp_path, key)
    killed(owner, name, calls, lambda: swept(tmp_path, key), after=after)
    swept(tmp_path, key)
    with bare_desk(tmp_path, key, lambda: ("one", 2 * DAY_MS)) as desk:
        store = desk.store
        shelves = (Shelf.OPENED, Shelf.KEEPING, Shelf.INBOX)
        assert [store.count(shelf) for shelf in shelves] == [0, 0, 0]
        assert store.parts(download_name(BULLETIN, 1)) == 0
        assert store.days.known() == frozenset()
        assert store.has(Shelf.ERASED, BULLETIN)  # it will be confirmed
    assert CANARY not in everything(tmp_path)
