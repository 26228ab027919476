"""Attachments of tests: bytes that look like a PDF, uploaded as a client uploads them."""

from __future__ import annotations

import asyncio
import hashlib
import random
from pathlib import Path
from typing import Any

from saphan.compose import Attached
from saphan.node.service import NodeService
from saphan_schemas.limits import MIB
from saphan_schemas.records import Blob

from support.bridge import Bridge, wish

PDF = b"%PDF-1.7\n"


def pdf(length: int, seed: int = 1) -> bytes:
    """Bytes that look like a PDF and like nothing else."""
    return (PDF + random.Random(seed).randbytes(length))[:length]


def upload(node: NodeService, data: bytes, name: str = "warrant.pdf") -> Attached:
    """Bring an attachment to a node."""
    digest = hashlib.sha256(data).digest()
    begun = node.uploads.begin(digest, 0, len(data))
    if begun is not None:
        try:
            for at in range(0, len(data), MIB):
                begun.append(data[at : at + MIB])
            assert begun.finish()
        finally:
            begun.close()
    blob = Blob(len(data), digest)
    return Attached(name=name, media_type="application/pdf", role="warrant", blob=blob)


async def send(node: NodeService, *attachments: bytes, **fields: Any) -> bytes:
    """A machine's bulletin with attachments 1.pdf, 2.pdf, ...; its id."""
    attached = [
        await asyncio.to_thread(upload, node, data, f"{number}.pdf")
        for number, data in enumerate(attachments, 1)
    ]
    return await node.send(wish(attachments=tuple(attached), **fields))


async def shown(node: NodeService, bulletin: bytes, number: int) -> bytes:
    """An attachment as a case system gets it, which reads the bulletin first."""
    await node.read_by_system(bulletin)

    def look() -> bytes:
        return b"".join(node.readings.attachment(bulletin, number).pieces())

    return await asyncio.to_thread(look)


def stored(bridge: Bridge, agency: str, way: str) -> list[Path]:
    """Files of a node: `way` is in, out or uploads."""
    folder = bridge.place / agency / "node/data/blobs" / way
    return sorted(path for path in folder.rglob("*") if path.is_file())
