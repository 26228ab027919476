"""Of what the broker has destroyed no 32 bytes are in any file; an older copy opens nothing."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from saphan_broker.broker import open_broker
from saphan_broker.seeds import SEED_NAME, DayKeys
from saphan_broker.store.base import StanzaRow
from saphan_broker.store.sqlite import SqliteStore
from saphan_protocol import daykeys
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.agency import Made
from support.asked import A, B
from support.broker_attachments import PHOTO, REPORT
from support.brokers import World
from support.due import DUE_DAYS, carried, kept, row_of, stated, sweep, witnessed_after
from support.session import Line
from support.traces import traces


async def long_one(world: World, out: Line, into: Line) -> Made:
    """A bulletin with two attachments, fetched, accepted and read."""
    retain_until = world.clock() // DAY_MS + DUE_DAYS
    files = (PHOTO, REPORT)
    made = world.agencies[A].bulletin(
        [B], world.clock(), attachments=files, retain_until=retain_until
    )
    await out.bring(made.attachments)
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await out.submit(items, batch)
    assert result.code is None, result
    for event in (Event.HANDOVER, Event.ACCEPTED, Event.READ):
        assert await stated(world, into, made, event) is None
    return made


async def secrets_of(world: World, many: list[Made]) -> dict[str, bytes]:
    """All that must go: as it was submitted, and as it lies at rest."""
    found: dict[str, bytes] = {}
    stanzas = await world.broker.store.stanzas([(made.bulletin_id, B) for made in many])
    for at, made in enumerate(many):
        row = stanzas[made.bulletin_id, B]
        found[f"ciphertext {at}"] = made.ciphertext
        found[f"stanza at rest {at}"] = row.sealed
        for place, sealed in enumerate(made.attachments):
            found[f"attachment {at}.{place}"] = sealed
    return found


def day_secrets(keys: DayKeys, day: int) -> dict[str, bytes]:
    """The seed and the key of a day, as bytes and as the seed's file would write them."""
    seed = keys._ratchet.at(day)
    key = daykeys.day_key(seed)
    named = {"seed": seed, "key": key}
    return named | {f"{name} written": one.hex().encode() for name, one in named.items()}


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Two agencies enrolled, one agreement logged; nothing runs."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
    return world


async def test_no_window_of_it_is_in_any_file_and_an_older_copy_opens_nothing(
    world: World, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    async with world.running() as broker:
        out, into = await world.line(A), await world.line(B)
        gone = [await long_one(world, out, into)]
        gone += [await carried(world, out, into) for _ in range(8)]
        stay = await carried(world, out, into, DUE_DAYS + 9)
        stanzas = await into.stanzas(*(made.bulletin_id for made in gone))
        secrets = await secrets_of(world, gone)
        secrets |= {f"stanza {at}": one for at, one in enumerate(stanzas) if one is not None}
        due = (await row_of(world, gone[0])).due_day
        keys = day_secrets(broker.state.keys, due)
        await into.close()
        await out.close()
    await asyncio.to_thread(shutil.copytree, world.data, copy)
    here = await asyncio.to_thread(traces, world.data, secrets)
    assert here.keys() == secrets.keys() - {f"stanza {at}" for at in range(len(gone))}

    async with world.running() as broker:
        out = await witnessed_after(world, await world.line(A, resume=out), DUE_DAYS)
        await sweep(world).look()
        await out.close()
        world.clock.ahead += DAY_MS
        out = await witnessed_after(world, await world.line(A, resume=out), 0)
        await sweep(world).look()
        assert broker.state.keys.day == due + 1
        assert [await kept(world, made) for made in gone] == [(False, False)] * len(gone)
        into = await world.line(B, resume=into)
        for place in (0, 1):
            part = await into.fetch_part(gone[0].bulletin_id, place, 0, 10)
            assert (part.data, part.code) == (None, "part_withdrawn")
        assert await kept(world, stay) == (True, True)
        # It runs, its write-ahead log and all: nothing waits for a clean end.
        for folder in (world.data, world.keys):
            assert await asyncio.to_thread(traces, folder, secrets | keys) == {}
    for folder in (world.data, world.keys):
        assert await asyncio.to_thread(traces, folder, secrets | keys) == {}
    staying = await asyncio.to_thread(traces, world.data, {"stays": stay.ciphertext})
    assert staying == {"stays": "broker.db"}
    await opens_nothing(world, copy, gone)


async def opens_nothing(world: World, copy: Path, gone: list[Made]) -> None:
    """The copy has every stanza at rest; neither today's seed nor a lost one opens one."""
    store = await SqliteStore.open(copy)
    try:
        rows = await store.stanzas([(made.bulletin_id, B) for made in gone])
    finally:
        await store.close()
    assert len(rows) == len(gone)
    keys = await asyncio.to_thread(DayKeys.open, world.keys)
    for row in rows.values():
        with pytest.raises(OperatorError, match="day_key_destroyed"):
            opened(keys, row)
    broker = await open_broker(copy, world.keys, clock=world.clock)
    try:
        with pytest.raises(OperatorError, match="store_behind_signer"):
            await broker.start()
    finally:
        await broker.stop()
    await asyncio.to_thread((world.keys / SEED_NAME).unlink)
    with pytest.raises(OperatorError, match="key_file_missing"):
        await asyncio.to_thread(DayKeys.open, world.keys)


def opened(keys: DayKeys, row: StanzaRow) -> bytes:
    return keys.unwrap(row.due_day, row.sealed, b"")


def test_the_search_finds_any_window_of_32_bytes(tmp_path: Path) -> None:
    secret = bytes(range(200))
    for at in range(len(secret) - 31):
        (tmp_path / "file").write_bytes(bytes(77) + secret[at : at + 32] + bytes(11))
        assert traces(tmp_path, {"it": secret}) == {"it": "file"}
