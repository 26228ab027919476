"""A file that a browser sends, kept sealed at the desk; it is never on the disk in clear.

It rests in memory that has no name in any folder until its length and digest are known: the parts
under which it is sealed are named by them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import BodyPartReader
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import KIB, LIMITS

from saphan.attaching import LocalFile, measure

PIECE: int = 64 * KIB


@asynccontextmanager
async def in_memory(part: BodyPartReader, role: str) -> AsyncIterator[LocalFile]:
    """The file of one part of a form, measured; its bytes last as long as the block.

    Raises:
        InvalidInput: `attachment_type`, `attachment_empty`, `attachments_too_large`.
    """
    handle = await asyncio.to_thread(os.memfd_create, "attachment", os.MFD_CLOEXEC)
    try:
        length = 0
        while data := await part.read_chunk(PIECE):
            length += len(data)
            if length > LIMITS.attachment_bytes:
                raise _too_large(part.filename or "")
            await asyncio.to_thread(os.write, handle, data)
        path = Path(f"/proc/self/fd/{handle}")
        yield await asyncio.to_thread(measure, path, role, part.filename or "file")
    finally:
        os.close(handle)


def _too_large(name: str) -> InvalidInput:
    return InvalidInput(
        "attachments_too_large",
        f"{name[:80]} has more than {LIMITS.attachment_bytes} bytes",
        field="attachments",
        hint="send it in parts, or in several bulletins",
    )
