"""What processes over a Redis server have destroyed is in no file of any of them, nor of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.store.redis import store as engine
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.agency import Made
from support.archives import archive_all
from support.asked import A, B, witnessed_now
from support.crews import PATIENCE_S, Crew, until
from support.due import DUE_DAYS, consigned, kept, stated
from support.session import Line
from support.traces import traces

NOTHING_KEPT = Policy(keep_blocks=0, keep_bulletins=0, keep_box=1, least_bulletins=1, least_box=1)


@pytest.fixture
async def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crew]:
    """Two members, of which none leaves in memory what is signed and can leave."""
    monkeypatch.setattr(engine, "Policy", lambda: NOTHING_KEPT)
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        yield crew


async def accepted(crew: Crew, out: Line, into: Line, days: int = DUE_DAYS) -> Made:
    made = await consigned(crew, out, days)
    for event in (Event.HANDOVER, Event.ACCEPTED):
        assert await stated(crew, into, made, event) is None
    return made


def store_of(crew: Crew) -> RedisStore:
    store = crew.holder.broker.state.store
    assert isinstance(store, RedisStore)
    return store


async def secrets_of(crew: Crew, many: list[Made], into: Line) -> dict[str, bytes]:
    """As it was submitted, and as it lies at rest."""
    rows = await store_of(crew).stanzas([(made.bulletin_id, B) for made in many])
    given = await into.stanzas(*(made.bulletin_id for made in many))
    found = {f"ciphertext {at}": made.ciphertext for at, made in enumerate(many)}
    found |= {f"at rest {at}": row.sealed for at, row in enumerate(rows.values())}
    assert len(rows) == len(many)
    return found | {f"stanza {at}": one for at, one in enumerate(given) if one is not None}


async def left(crew: Crew, secrets: dict[str, bytes]) -> bool:
    """Whether something of them is in a file; a file that goes while it is read may be one."""
    try:
        return bool(await asyncio.to_thread(traces, crew.place, secrets))
    except FileNotFoundError:
        return True


async def test_no_window_of_it_is_in_any_file_of_the_server_or_of_a_process(crew: Crew) -> None:
    out, into = await crew.line_at(crew.members[1], A), await crew.line_at(crew.members[1], B)
    packed = [await accepted(crew, out, into) for _ in range(4)]
    await archive_all(store_of(crew))
    gone = [*packed, await accepted(crew, out, into)]
    stays = await accepted(crew, out, into, DUE_DAYS + 9)
    secrets = await secrets_of(crew, gone, into)
    for line in (into, out):
        await line.close()
    found = await asyncio.to_thread(traces, crew.place, secrets)
    assert {name for name in secrets if not name.startswith("stanza")} <= found.keys()
    crew.clock.ahead += DUE_DAYS * DAY_MS
    out = await crew.line_at(crew.members[1], A, resume=out)
    await witnessed_now(crew, out)
    state = crew.holder.broker.state
    await until(lambda: state.counters.destroyed == len(gone))
    async with asyncio.timeout(PATIENCE_S):
        while await left(crew, secrets):  # noqa: ASYNC110 - another's files
            await asyncio.sleep(0.2)
    assert [await kept(crew, made) for made in gone] == [(False, False)] * len(gone)
    assert await kept(crew, stays) == (True, True)
    staying = await asyncio.to_thread(traces, crew.place, {"stays": stays.ciphertext})
    assert staying.keys() == {"stays"}
