"""Thousands of bulletins whose parts are missing: the store is not searched anew for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import saphan.node.wire.fetching
from saphan.node.files.blobs import BlobFiles
from saphan.node.files.parts import WAITING, next_missing
from saphan.node.rows.db import Database
from saphan.node.wire.fetching import Fetching
from saphan_protocol.identity import sha256
from saphan_schemas.frames import FetchPart, PartFetched
from support.bridge import eventually

T = TypeVar("T")
COUNT = 150
DATA = b"sealed"


def arrived(db: Database, numbers: range) -> None:
    """Received bulletins, each with one attachment that is not here."""
    with db.transaction() as tx:
        for number in numbers:
            name = bytes([number]) * 32
            tx.execute(
                "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrap_day,"
                " stored) VALUES (?1, 'la.ospp', ?1, ?1, ?1, ?1, 1, 1)",
                (name,),
            )
            tx.execute(
                "INSERT INTO deliveries (bulletin, recipient, sender, state, code, changed)"
                " VALUES (?, 'kh.gpo', 'la.ospp', 'submitted', ?, 1)",
                (name, WAITING),
            )
            tx.execute("INSERT INTO parts VALUES (?, 1, 6, ?, 0)", (name, sha256(DATA)))


async def test_a_backlog_is_looked_for_by_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def look(*given: Any) -> Any:
        found = next_missing(*given)
        looks.append(len(found))
        return found

    monkeypatch.setattr(saphan.node.wire.fetching, "next_missing", look)
    db, requests, fetched = Database(tmp_path), iter(range(1, 1_000)), []

    async def run(work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)

    engine: Any = SimpleNamespace(
        db=db,
        agency="kh.gpo",
        budget=SimpleNamespace(least=0),
        in_reading=run,
        in_frames=run,
        quiet=lambda _: None,
    )

    async def send(frame: Any) -> None:
        assert isinstance(frame, FetchPart)
        fetching.take(PartFetched(frame.request, DATA, None))

    async def came(bulletin: bytes) -> None:
        fetched.append(bulletin[0])
        if bulletin[0] == 10:  # something new, in the middle of it
            await run(lambda: arrived(db, range(COUNT, COUNT + 1)))
            fetching.wake()

    fetching = Fetching(engine, BlobFiles(tmp_path / "blobs"), send, requests.__next__, came)
    await run(lambda: arrived(db, range(COUNT)))
    task = asyncio.create_task(fetching.run())
    await eventually(lambda: len(fetched) > COUNT)
    task.cancel()
    assert fetched == list(range(COUNT + 1))
    assert len(looks) <= 5
    db.close()
