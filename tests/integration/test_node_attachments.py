"""Attachments over two real nodes and a real broker: sealed, brought, fetched, opened, shown."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.compose import Attached
from saphan.node.service import NodeService
from saphan_schemas.limits import LIMITS, MIB
from saphan_schemas.records import Blob
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish

PDF = b"%PDF-1.7\n"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


def pdf(length: int, seed: int = 1) -> bytes:
    """Bytes that look like a PDF and like nothing else."""
    return (PDF + random.Random(seed).randbytes(length))[:length]


def bring(node: NodeService, data: bytes, name: str = "warrant.pdf") -> Attached:
    """Upload as a client does."""
    digest = hashlib.sha256(data).digest()
    upload = node.uploads.begin(digest, 0, len(data))
    assert upload is not None
    try:
        for at in range(0, len(data), MIB):
            upload.append(data[at : at + MIB])
        assert upload.finish()
    finally:
        upload.close()
    blob = Blob(len(data), digest)
    return Attached(name=name, media_type="application/pdf", role="warrant", blob=blob)


async def send(node: NodeService, *attachments: bytes, **fields: object) -> bytes:
    """A bulletin with attachments 1.pdf, 2.pdf, ..."""
    attached = [
        await asyncio.to_thread(bring, node, data, f"{number}.pdf")
        for number, data in enumerate(attachments, 1)
    ]
    return await node.send(wish(attachments=tuple(attached), **fields))


@pytest.mark.parametrize("length", [9, 4096, 1 * MIB])
async def test_an_attachment_goes_the_whole_way(bridge: Bridge, length: int) -> None:
    data = pdf(length)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, data)
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert la.alarms.standing() == kh.alarms.standing() == []
