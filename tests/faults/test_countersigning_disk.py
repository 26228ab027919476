"""A bulletin with a file that waits for a second officer, while the node's disk fails both ways."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from saphan.node.prepared import Waiting
from saphan.node.rows.db import Database
from saphan.node.service import NodeService
from saphan_schemas.errors import OperatorError
from support import officers
from support.bridge import LA, OFFICERS, Bridge, agreed, eventually, opened, states, wish
from support.desks import ready_bridge

DATA = b"%PDF-1.7 " + bytes(9_000)


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, *, kept: bool) -> Iterator[None]:
    """Every write is reported as failed; `kept` although it was done."""
    whole = Database.transaction

    @contextmanager
    def transaction(db: Database) -> Iterator[sqlite3.Connection]:
        with whole(db) as tx:
            yield tx
            if not kept:
                raise OperatorError("disk_full", "there is no room left")
        raise OperatorError("disk_full", "there is no room left")

    with monkeypatch.context() as broken:
        broken.setattr(Database, "transaction", transaction)
        yield


async def upload(node: NodeService, digest: bytes) -> None:
    one = node.uploads.begin(digest, 0, len(DATA))
    if one is not None:
        await asyncio.to_thread(one.append, DATA)
        assert await asyncio.to_thread(one.finish)
        one.close()


@pytest.mark.parametrize("kept", [False, True], ids=["not_kept", "kept_but_reported_failed"])
async def test_its_file_is_there_when_the_second_officer_signs(
    monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """Whether it was kept or not, the author sends it again, and it leaves whole, once."""
    file = officers.file("a.pdf", DATA)
    bridge: Bridge
    async with ready_bridge() as bridge, bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        await agreed(la)
        bounmy = await officers.first(bridge, la, OFFICERS[LA])
        chan = await officers.enrolled(bridge, la, "chan")
        await officers.settings(bridge, la, four_eyes=[{}])
        await upload(la, file.blob.digest)
        written = bounmy.prepare(wish(attachments=(file,)))
        draft = written.draft.header_id
        with failing(monkeypatch, kept=kept), pytest.raises(OperatorError, match="disk_full"):
            await asyncio.to_thread(la.second.countersigning.judge, written)
        assert (la.second.drafts.find(draft) is not None) is kept
        await upload(la, file.blob.digest)
        assert await la.send_signed(written) == Waiting(draft)
        bulletin = await chan.sign(draft)
        async with bridge.node("kh.gpo"):
            await eventually(lambda: states(la, bulletin) == ["accepted"])
