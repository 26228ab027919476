"""What a desk keeps goes on its day, on the node's word, and for good; and never before."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import time
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest
from saphan.cli.desk_officer import _save
from saphan.desk import uptime
from saphan.desk.days import DeskDays
from saphan.desk.desk import Desk, number_name
from saphan.desk.drafts import Drafts
from saphan.desk.files import download_name
from saphan.desk.inbox import Inbox, Opened
from saphan.desk.keeping import Keeping
from saphan.desk.kept import Kept
from saphan.desk.outbox import Outbox
from saphan.desk.shelves import APPLICATION_ID, SCHEMA
from saphan.desk.store import DeskStore, Shelf, store_key
from saphan.keys.keyfiles import SecretKey, new_key
from saphan.saving import Saving
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Role
from support.bare_desk import bare_desk, row
from support.bridge import LA
from support.desk_letters import letter
from support.desks import everything

CANARY = b"the canary of a destroyed bulletin's content, in full " + os.urandom(32).hex().encode()


class Machine:
    """A machine's uptime, and its starts."""

    def __init__(self) -> None:
        self.boot, self.up = 1, 5_000

    def __call__(self) -> tuple[str, int]:
        return f"boot {self.boot}", self.up

    def restart(self) -> None:
        self.boot, self.up = self.boot + 1, 0


class Place:
    """A desk that is opened again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key: SecretKey = new_key(Role.OFFICER, "dao")
        self.machine = Machine()

    def open(self) -> AbstractContextManager[Desk]:
        """The desk, as one command has it."""
        return bare_desk(self.folder, self.key, self.machine)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def content(bulletin: bytes, day: int) -> dict[str, object]:
    """What a node gives for a reading, with the canary in it."""
    said = {"about": {"note": CANARY.decode()}, "body": {}}
    return {"id": bulletin.hex(), "header": row(1, retain_until=day), "content": said}


def read_here(desk: Desk, days: int) -> bytes:
    """A bulletin that was opened at the desk, with an attachment; its last day is `days` away."""
    bulletin = os.urandom(32)
    day = desk.clock() // DAY_MS + days
    Inbox(desk).keep(content(bulletin, day))
    listed = row(1, retain_until=day) | {"id": bulletin.hex()}
    desk.store.put(Shelf.INBOX, number_name(1), msgspec.json.encode(listed), day)
    desk.store.put_part(download_name(bulletin, 1), 0, CANARY, day)
    return bulletin


def told(desk: Desk, bulletin: bytes, **said: object) -> list[bytes]:
    """The node's word on one copy."""
    kept = Keeping(desk).kept.find(bulletin)
    assert kept is not None
    one = {"id": bulletin.hex(), "day": kept.day, "held": False, "sealed": False, "gone": False}
    return Keeping(desk).told([one | said], desk.clock())


def nothing_left(desk: Desk, bulletin: bytes) -> bool:
    """Whether no shelf has anything of it but that it has gone."""
    shelves = (Shelf.OPENED, Shelf.STATUS, Shelf.KEEPING, Shelf.INBOX, Shelf.OUTBOX)
    return (
        not any(desk.store.count(shelf) for shelf in shelves)
        and desk.store.parts(download_name(bulletin, 1)) == 0
        and desk.store.has(Shelf.ERASED, bulletin)
    )


def test_on_its_day_everything_goes_and_an_old_copy_opens_nothing(
    place: Place, tmp_path: Path
) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        Keeping(desk).told([], desk.clock())
        assert Keeping(desk).sweep() == 0
        assert Inbox(desk).opened(bulletin.hex()) is not None
    copied = tmp_path / "copy"
    copied.mkdir()
    shutil.copy(place.folder / "desk.db", copied / "desk.db")
    place.machine.up += 3 * DAY_MS
    with place.open() as desk:
        assert Keeping(desk).sweep() == 1
        assert nothing_left(desk, bulletin)
        assert desk.store.days.known() == frozenset()
        assert Keeping(desk).sweep() == 0
    sealed = everything(place.folder)
    assert CANARY not in sealed
    # The copy from before has every row, and the officer's key; the day's key is gone.
    old = DeskStore(copied / "desk.db", store_key(place.key.seed, place.key.key_id))
    assert old.count(Shelf.OPENED) == 1
    assert old.get(Shelf.OPENED, bulletin) is None
    assert old.part(download_name(bulletin, 1), 0) is None
    old.close()


def test_no_page_of_the_store_holds_what_was_erased(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        sealed = [
            bytes(value)
            for table in ("rows WHERE day IS NOT NULL", "parts")
            for (value,) in desk.store._db.execute(f"SELECT sealed FROM {table}")  # noqa: S608
        ]
        assert len(sealed) == 4  # row of the list, content, what is searched in it, attachment
        assert all(one in everything(place.folder) for one in sealed)
        Keeping(desk).erase([bulletin])
        left = everything(place.folder)
        for one in sealed:
            windows = (one[at : at + 32] for at in range(len(one) - 31))
            assert not any(window in left for window in windows)


def test_the_clock_on_the_wall_erases_nothing_and_shows_nothing_either(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        Keeping(desk).told([], desk.clock())
        desk.clock.ahead = 365 * DAY_MS  # type: ignore[attr-defined]
        assert Keeping(desk).sweep() == 0
        assert Inbox(desk).opened(bulletin.hex()) is None
        desk.clock.ahead = 0  # type: ignore[attr-defined]
        assert Inbox(desk).opened(bulletin.hex()) is not None


def test_nothing_goes_before_any_node_was_heard(place: Place) -> None:
    with place.open() as desk:
        read_here(desk, 3)
        place.machine.up += 1_000 * DAY_MS
        assert Keeping(desk).sweep() == 0


def test_a_machine_that_was_off_counts_only_what_it_was_on(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        Keeping(desk).told([], desk.clock())
    place.machine.up += DAY_MS
    with place.open() as desk:
        assert Keeping(desk).sweep() == 0
    place.machine.restart()  # nobody knows for how long it was off
    place.machine.up += 2 * DAY_MS - 60_000
    with place.open() as desk:
        desk.clock.ahead = 30 * DAY_MS  # type: ignore[attr-defined]
        before = Keeping(desk).time.now()
        assert before is not None
        assert before <= desk.clock() - 27 * DAY_MS
        assert Keeping(desk).sweep() == 0 or before // DAY_MS >= desk.clock() // DAY_MS - 27
    place.machine.up += DAY_MS
    with place.open() as desk:
        Keeping(desk).sweep()
        assert nothing_left(desk, bulletin)


def test_a_folder_on_a_machine_that_was_up_for_months_erases_nothing_early(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 30)
        Keeping(desk).told([], desk.clock())
    place.machine.restart()  # another machine: its uptime says nothing of this desk
    place.machine.up = 400 * DAY_MS
    with place.open() as desk:
        assert Keeping(desk).sweep() == 0
        now = Keeping(desk).time.now()
        assert now is not None
        assert now <= desk.clock()
    place.machine.up += 31 * DAY_MS  # from here on its clock counts, whatever the wall says
    with place.open() as desk:
        desk.clock.ahead = -365 * DAY_MS  # type: ignore[attr-defined]
        assert Keeping(desk).sweep() == 1
        assert nothing_left(desk, bulletin)


def test_where_the_system_tells_of_no_start_a_process_counts_only_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uptime, "_BOOT", tmp_path / "none")
    monkeypatch.setattr(time, "monotonic_ns", lambda: uptime._BEGAN_NS + 7_000_000)
    assert uptime.system_uptime()[1] == 7


def test_a_node_that_lies_about_the_time_is_believed_up_to_the_own_clock(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        Keeping(desk).told([], desk.clock() + 365 * DAY_MS)
        assert Keeping(desk).sweep() == 0
        assert Inbox(desk).opened(bulletin.hex()) is not None


def test_the_node_word_erases_before_the_day(place: Place) -> None:
    with place.open() as desk:
        one, other = read_here(desk, 30), os.urandom(32)
        Inbox(desk).keep(content(other, desk.clock() // DAY_MS + 30))
        assert told(desk, one, gone=True) == [one]
        assert desk.store.has(Shelf.ERASED, one)
        assert Inbox(desk).opened(one.hex()) is None
        assert Inbox(desk).opened(other.hex()) is not None
        assert told_again(desk, one) == [one]  # a word that comes twice


def told_again(desk: Desk, bulletin: bytes) -> list[bytes]:
    one = {"id": bulletin.hex(), "day": 1, "held": False, "sealed": False, "gone": True}
    return Keeping(desk).told([one], None)


def test_an_earlier_day_is_kept_under_its_own_key(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 300)
        today = desk.clock() // DAY_MS
        told(desk, bulletin, day=today + 2)
        Keeping(desk).erase([])
        assert desk.store.days.known() == {today + 2}
        assert desk.store.part(download_name(bulletin, 1), 0) == CANARY
        place.machine.up += 2 * DAY_MS
        assert Keeping(desk).sweep() == 1
        assert desk.store.days.known() == frozenset()


def test_no_word_of_a_node_keeps_anything_beyond_the_day_of_its_header(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        today = desk.clock() // DAY_MS
        for day, kept in ((today + 2, today + 2), (today + 900, today + 3)):
            told(desk, bulletin, day=day)
            found = Keeping(desk).kept.find(bulletin)
            assert found is not None
            assert found.day == kept


def test_what_is_held_outlives_its_day_and_goes_when_it_is_released(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        day = desk.clock() // DAY_MS + 3
        told(desk, bulletin, held=True)
        place.machine.up += 10 * DAY_MS
        desk.clock.ahead = 10 * DAY_MS  # type: ignore[attr-defined]
        assert Keeping(desk).sweep() == 0
        assert desk.store.days.known() == {0}  # the day's own key is gone all the same
        assert Inbox(desk).opened(bulletin.hex()) is not None
        assert Keeping(desk).kept.find(bulletin) == Kept(day, held=True, retain=day)
        told(desk, bulletin)
        assert Keeping(desk).sweep() == 1
        assert nothing_left(desk, bulletin)


def test_what_is_sealed_is_here_and_not_shown(place: Place) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        told(desk, bulletin, held=True, sealed=True)
        assert Inbox(desk).opened(bulletin.hex()) is None
        told(desk, bulletin, held=True)
        assert Inbox(desk).opened(bulletin.hex()) is not None


def test_an_end_between_the_rows_and_the_key_is_made_good(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        Keeping(desk).told([], desk.clock())
        place.machine.up += 3 * DAY_MS

        def die(_: DeskDays, day: int) -> None:
            raise OperatorError("file_unwritable", f"killed before the key of {day} went")

        monkeypatch.setattr(DeskDays, "destroy", die)
        with pytest.raises(OperatorError, match="killed"):
            Keeping(desk).sweep()
        assert desk.store.days.known()
        monkeypatch.undo()
    with place.open() as desk:
        assert Keeping(desk).sweep() == 0
        assert desk.store.days.known() == frozenset()
        assert nothing_left(desk, bulletin)


def test_an_end_between_the_key_and_the_rows_is_made_good(place: Place) -> None:
    """As a restored copy of the store has it: rows of a day whose key is gone."""
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        for day in desk.store.days.known():
            desk.store.days.destroy(day)
        assert desk.store.get(Shelf.OPENED, bulletin) is None
        assert desk.store.all(Shelf.OPENED) == []
        Keeping(desk).sweep()
        Keeping(desk).erase([])
        assert desk.store.count(Shelf.OPENED) == 0


def test_what_is_sent_goes_with_its_copy_in_the_outbox(place: Place) -> None:
    with place.open() as desk:
        queued = Outbox(desk).queue(letter(LA), {})
        bulletin = os.urandom(32)
        Outbox(desk)._sent(queued, bulletin)
        assert [one.bulletin for one in Outbox(desk).all()] == [bulletin]
        assert told_again(desk, bulletin) == [bulletin]
        assert Outbox(desk).all() == []
        assert desk.store.days.known() == frozenset()


def test_a_draft_that_nobody_touches_goes_after_half_a_year(place: Place) -> None:
    with place.open() as desk:
        Drafts(desk).add(letter(LA))
        Keeping(desk).told([], desk.clock())
        place.machine.up += LIMITS.desk_draft_ms - DAY_MS
        Keeping(desk).sweep()
        assert len(Drafts(desk).all()) == 1
        place.machine.up += 2 * DAY_MS
        Keeping(desk).sweep()
        assert Drafts(desk).all() == []


def test_a_desk_of_an_older_release_brings_its_rows_under_days(place: Place) -> None:
    old = sqlite3.connect(place.folder / "desk.db")
    old.executescript(
        f"{SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
    )
    old.close()
    with pytest.raises(OperatorError, match="desk_key_differs"), place.open() as desk:
        pass  # it has no mark yet: that of a desk's key
    (place.folder / "desk.db").unlink()
    with place.open() as desk:
        bulletin, day = os.urandom(32), desk.clock() // DAY_MS + 3
        kept = encode(Opened(msgspec.json.encode(content(bulletin, day)), 1))
        desk.store.put(Shelf.OPENED, bulletin, kept)
        listed = row(1, retain_until=day) | {"id": bulletin.hex()}
        desk.store.put(Shelf.INBOX, number_name(1), msgspec.json.encode(listed))
        desk.store.put_part(download_name(bulletin, 1), 0, CANARY)
        queued = Outbox(desk).queue(letter(LA), {})
        desk.store.put(Shelf.OUTBOX, number_name(queued.number), encode(queued))
        desk.store._db.executescript(
            "DROP INDEX rows_day; DROP INDEX parts_day; ALTER TABLE rows DROP COLUMN day;"
            " ALTER TABLE parts DROP COLUMN day; PRAGMA user_version = 1;"
        )
    with place.open() as desk:
        assert Keeping(desk).sweep() == 0
        assert Inbox(desk).opened(bulletin.hex()) is not None
        assert Keeping(desk).kept.find(bulletin) == Kept(day, retain=day)
        assert day in desk.store.days.known()
        assert desk.store.parts(download_name(bulletin, 1)) == 0  # it comes again
        unsealed = "SELECT count(*) FROM rows WHERE day IS NULL AND shelf IN (2, 3, 4, 6)"
        assert desk.store._db.execute(unsealed).fetchone() == (0,)
        Keeping(desk).told([], desk.clock())
        place.machine.up += 4 * DAY_MS
        assert Keeping(desk).sweep() == 1


def test_a_saving_is_recorded_before_its_first_byte(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.open() as desk:
        bulletin = read_here(desk, 3)
        digest = hashlib.sha256(CANARY).hexdigest()
        listed = [{"name": "a.pdf", "length": len(CANARY), "sha256": digest}]

        def crash(_: Saving, __: bytes) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Saving, "write", crash)
        with pytest.raises(KeyboardInterrupt):
            _save(desk, {"id": bulletin.hex(), "attachments": listed}, 1, tmp_path / "a.pdf")
        assert desk.store.count(Shelf.EXPORTS) == 1
