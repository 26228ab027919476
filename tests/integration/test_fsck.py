"""`saphan-broker fsck`: the auditor's checks over the broker's own store, and what they find."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.fsck import Checked, fsck, last_heads
from saphan_broker.moving.copying import copy_store
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import read_keys
from saphan_broker.store.base import DeliveryRow
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_reader import SqliteReader
from saphan_schemas.errors import OperatorError
from support.broker_command import saphan_broker_here
from support.brokers import World

Damage = Callable[[sqlite3.Connection], object]


@pytest.fixture
def house(carried_world: World) -> World:
    """It is only read."""
    return carried_world


def quiet(what: str, done: int, size: int) -> None:
    assert 0 <= done <= size


async def checked(house: World, data: Path) -> Checked:
    pins, _ = read_keys(house.keys)
    source = await SqliteReader.open(data)
    try:
        keys = DayKeys.open(house.keys)
        return await fsck(source, keys, pins, last_heads(house.keys, pins), quiet)
    finally:
        await source.close()


def damaged(house: World, place: Path, damage: Damage) -> Path:
    """A copy of the store in which something was changed behind the broker's back."""
    data = Path(shutil.copytree(house.data, place / "data"))
    with closing(sqlite3.connect(data / "broker.db")) as db, db:
        damage(db)
    return data


async def test_every_record_of_a_good_store_is_opened(house: World) -> None:
    found = await checked(house, house.data)
    assert found.good, found.report.finding
    seen = found.report.coverage
    assert seen.entries_opened == seen.entries > 10
    assert seen.agreements_opened == seen.agreements_logged == 1
    assert (seen.packs, seen.unseen, found.behind) == (1, 0, {})
    assert sum(row.events["submitted"] for row in found.report.statistics.days) >= 6


async def test_engines_are_checked_by_one_function(house: World) -> None:
    store, memory = await SqliteStore.open(house.data), MemoryStore()
    keys, (pins, _) = DayKeys.open(house.keys), read_keys(house.keys)
    try:
        await copy_store(store, memory, keys, quiet)
    finally:
        await store.close()
    found = await fsck(memory, keys, pins, last_heads(house.keys, pins), quiet)
    assert found == await checked(house, house.data)


class Swept(MemoryStore):
    """A sweep goes over the same page: some of it is destroyed between the first looks."""

    sweeps = 3

    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        found = await super().deliveries_of(ids)
        if self.sweeps == 0:
            return found
        self.sweeps -= 1
        return {id_: [replace(row, destroyed=9) for row in rows] for id_, rows in found.items()}


async def test_a_sweep_that_goes_on_meanwhile_is_no_damage(house: World) -> None:
    store, swept = await SqliteStore.open(house.data), Swept()
    swept.sweeps = 0
    keys, (pins, _) = DayKeys.open(house.keys), read_keys(house.keys)
    try:
        await copy_store(store, swept, keys, quiet)
    finally:
        await store.close()
    swept.sweeps = 3
    assert (await fsck(swept, keys, pins, last_heads(house.keys, pins), quiet)).good


@pytest.mark.parametrize(
    ("damage", "index", "step", "code"),
    [
        (
            "UPDATE leaf SET leaf = zeroblob(33) WHERE log = 1 AND idx = 3",
            3,
            "E2",
            "leaf_differs",
        ),
        (
            "DELETE FROM leaf WHERE log = 1 AND idx = (SELECT max(idx) FROM leaf WHERE log = 1)",
            None,
            "E2",
            "log_short",
        ),
        (
            "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE log = 1 AND level = 0",
            None,
            "E2",
            "root_differs",
        ),
        (
            "UPDATE leaf SET leaf = zeroblob(33) WHERE log = 0 AND idx = 1",
            1,
            "D2",
            "leaf_differs",
        ),
        ("UPDATE bulletin SET ciphertext_length = 1", None, "O5", "bulletin_id"),
    ],
)
async def test_what_was_changed_is_named(
    house: World, tmp_path: Path, damage: str, index: int | None, step: str, code: str
) -> None:
    data = damaged(house, tmp_path, lambda db: db.execute(damage))
    found = await checked(house, data)
    finding = found.report.finding
    assert finding is not None
    assert (finding.step.value, finding.code) == (step, code)
    assert index is None or finding.index == index
    assert not found.good


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM signature",
        "UPDATE {day} SET ciphertext = zeroblob(length(ciphertext))",
        "UPDATE {day} SET ciphertext = x''",
        "DELETE FROM body",
        "DELETE FROM stanza WHERE rowid = 1",
        "UPDATE delivery SET destroyed = 9",
        "UPDATE bulletin SET ciphertext_digest = zeroblob(32)",
    ],
)
async def test_what_is_lost_cannot_be_passed_over(
    house: World, tmp_path: Path, damage: str
) -> None:
    data = damaged(house, tmp_path, lambda db: on_every_day(db, damage))
    with pytest.raises(OperatorError) as caught:
        await checked(house, data)
    assert caught.value.code == "store_damaged"


def on_every_day(db: sqlite3.Connection, damage: str) -> None:
    """Ciphertexts lie in a table for each due-day."""
    for (day,) in db.execute("SELECT day FROM body_day").fetchall():
        db.execute(damage.format(day=f"body_{day}"))


async def test_a_store_behind_its_signer_is_no_good(house: World) -> None:
    """An old copy of the store is whole in itself: only the signer's file tells."""
    pins, _ = read_keys(house.keys)
    signed = last_heads(house.keys, pins)
    later = signed | {"evidence": signed["evidence"]._replace(size=signed["evidence"].size + 2)}
    source = await SqliteReader.open(house.data)
    try:
        found = await fsck(source, DayKeys.open(house.keys), pins, later, quiet)
    finally:
        await source.close()
    assert found.report.finding is None
    assert (found.behind, found.good) == ({"evidence": 2}, False)


def test_the_command_says_it_in_words_and_by_its_status(house: World, tmp_path: Path) -> None:
    words = ("fsck", "--keys", house.keys, "--data")
    ran = saphan_broker_here(*words, house.data)
    assert ran.out.startswith("Nothing is wrong in what was checked.")
    value = saphan_broker_here(*words, house.data, "--json").json
    assert (value["ok"], value["finding"], value["behind_signer"]) == (True, None, {})
    seen = value["coverage"]["evidence"]
    assert seen["opened"] == seen["entries"]
    change = "UPDATE leaf SET leaf = zeroblob(33) WHERE log = 1 AND idx = 3"
    data = damaged(house, tmp_path, lambda db: db.execute(change))
    ran = saphan_broker_here(*words, data, "--json", status=3)
    assert (ran.json["ok"], ran.json["finding"]["code"]) == (False, "leaf_differs")
    before = (house.data / "broker.db").read_bytes()
    saphan_broker_here(*words, house.data)
    assert (house.data / "broker.db").read_bytes() == before
