"""A receiver that does not read, a crowd of bulletins for it, what a process holds meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE
from saphan_protocol.content import open_content, seal_content
from saphan_protocol.identity import identity, sha256
from saphan_schemas.codec import encode
from saphan_schemas.records import Blob, Bulletin

from support.agency import Agency, Made
from support.session import Line


def resident_bytes(pid: int) -> int:
    """Resident memory of a process now (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has ended")


def plenty(sender: Agency, to: str, now: int, count: int) -> Iterator[Made]:
    """Bulletins of one content, sealed each on its own: only the recipient could tell them apart.

    The officer signs once, which saves most of the time; the broker cannot see inside.
    """
    first = sender.bulletin([to], now)
    plain = open_content(first.content_key, first.header_id, first.ciphertext)
    for _ in range(count):
        header = sender.header([to], now)
        header_bytes = encode(header)
        header_id, key = identity(HEADER_TYPE, header_bytes), sender.random()
        ciphertext = seal_content(key, header_id, plain)
        record = Bulletin(header_id, Blob(len(ciphertext), sha256(ciphertext)), ())
        bulletin_id = identity(BULLETIN_TYPE, encode(record))
        yield Made(header, header_bytes, header_id, ciphertext, key, bulletin_id)


async def stop_reading(line: Line) -> None:
    """The line stays open and nobody takes anything from its socket any more."""
    assert line._reading is not None
    line._reading.cancel()
    with suppress(asyncio.CancelledError):
        await line._reading


def read_again(line: Line) -> None:
    """Go on where `stop_reading` ended."""
    line._reading = asyncio.create_task(line._read())
