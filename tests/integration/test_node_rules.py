"""An officer reads at the node itself what its rules show them, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from saphan.doctor import examine
from saphan.node.service import NodeService
from saphan.node.serving import run_until_told
from saphan.office import Office
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.records import OfficerRead
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, bridged, eventually, wish


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def set_rules(bridge: Bridge, *rules: dict[str, Any]) -> None:
    path = bridge.place / KH / "node" / "settings.json"
    path.write_text(json.dumps({"saphan": "settings/1", "rules": rules}))
    path.chmod(0o600)


async def read(bridge: Bridge, kh: NodeService, bulletin: bytes) -> tuple[int, dict[str, Any]]:
    """What the local API answers to the officer who has signed that they read it."""
    key = await asyncio.to_thread(bridge.officer, KH)
    record = encode(OfficerRead(bulletin, KH, OFFICERS[KH], key.key_id, bridge.node_clock()))
    signature = encode(sign_one(key, "saphan/officer_read/1", record, os.urandom(32)))
    body = {
        "record": base64.b64encode(record).decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    token = await asyncio.to_thread(kh.config.token_file.read_text)
    headers = {"Authorization": f"Bearer {token.strip()}"}
    connector = aiohttp.UnixConnector(str(kh.config.socket))
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as http,
        http.post(f"http://node/v1/bulletins/{bulletin.hex()}/read", json=body) as answer,
    ):
        found: dict[str, Any] = await answer.json()
        return answer.status, found


async def test_what_the_rules_do_not_show_cannot_be_read(bridge: Bridge) -> None:
    """Timeline: the rules name another type; then the one that came; the node is told so."""
    set_rules(bridge, {"officers": [OFFICERS[KH]], "schemas": ["saphan/arrest_notice/1"]})
    async with bridge.node(LA) as la, bridge.node_with_api(KH) as kh:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: kh.bulletins.inbox(0, 10))
        status, answer = await read(bridge, kh, bulletin)
        assert (status, answer["code"]) == (404, "bulletin_unknown")
        assert kh.db.rows("SELECT 1 FROM readings") == []
        assert kh.db.rows("SELECT 1 FROM statements WHERE event = 'read'") == []
        assert await hidden(bridge) == ["doctor.shown_nobody"]

        set_rules(bridge, {"officers": [OFFICERS[KH]], "schemas": ["saphan/case_statistics/1"]})
        await kh.reread_settings()
        status, answer = await read(bridge, kh, bulletin)
        assert (status, answer["id"]) == (200, bulletin.hex())
        assert len(kh.db.rows("SELECT 1 FROM readings WHERE handle IS NOT NULL")) == 1
        assert await hidden(bridge) == []


async def hidden(bridge: Bridge) -> list[str]:
    """What the doctor warns of the rules."""
    found = await asyncio.to_thread(examine, Office(bridge.place / KH), bridge.clock())
    return [one.key for one in found if one.check == "settings" and one.level == "warn"]


async def test_a_running_node_reads_its_settings_again_when_it_is_told_to(bridge: Bridge) -> None:
    """Timeline: a node runs; its file changes; SIGHUP; SIGTERM."""
    started: asyncio.Queue[NodeService] = asyncio.Queue()
    running = asyncio.create_task(run_until_told(bridge.config(KH), started.put_nowait))
    kh = await started.get()
    assert kh.settings.now.rules is None
    set_rules(bridge, {"officers": ["nobody"]})
    os.kill(os.getpid(), signal.SIGHUP)
    await eventually(lambda: kh.settings.now.rules)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
