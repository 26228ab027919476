"""What binds here is offered again soon to a broker whose disk could not take it just now."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from saphan.node import looking
from saphan_broker.store.base import Commit, CommitUnknown
from saphan_broker.store.sqlite import SqliteStore
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, wish
from support.hold_files import hold_file


async def test_a_hold_that_could_not_be_logged_is_offered_again_soon(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after an hour, not as refused by the broker: that would give its number to the next."""
    monkeypatch.setattr(looking, "AGAIN_S", 0.05)
    really, failed = SqliteStore.commit, False

    async def commit(store: SqliteStore, commit: Commit, sign: Any = None) -> None:
        nonlocal failed
        if commit.log == "directory" and not failed:
            failed = True
            raise CommitUnknown("injected: not done")
        await really(store, commit, sign)

    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await la.send(wish())
            monkeypatch.setattr(SqliteStore, "commit", commit)
            file = await asyncio.to_thread(hold_file, bridge, KH, ids=(bulletin,))
            taken = await kh.holds.take(file.package, file.terms, file.salt)
            assert failed
            assert kh.holds.orders.refused() == []
            assert kh.holds.orders.next_number() == 2
            await eventually(lambda: kh.holds.orders.is_logged(bytes.fromhex(taken["name"])))
