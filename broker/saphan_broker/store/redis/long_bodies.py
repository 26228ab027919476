"""Long ciphertexts become objects before the commit that needs them, or stay in the server.

What a crash means: an object without a commit is put again, the same, with the resubmission. While
the store of objects fails or does not answer, nothing waits for it: a long ciphertext is kept in
the server's memory like a short one, and leaves it with its bulletin, by the archive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import KIB, LIMITS

from saphan_broker.objects.base import Objects
from saphan_broker.store.base import BulletinRow
from saphan_broker.store.redis import packing

_log = logging.getLogger("saphan.broker")

OBJECT_BYTES: Final = 64 * KIB
"""A longer ciphertext is an object; the server's memory is for what is in flight."""
PUTS: Final = 8
"""Objects on their way at a time: 768 KiB."""
PAUSE_SECONDS: Final = 30.0
"""After a failure, until objects are tried again: every commit would wait for them meanwhile."""


class LongBodies:
    """Puts them; `objects` None: everything stays in the server."""

    def __init__(self, objects: Objects | None) -> None:
        self._objects = objects
        self._again = 0.0

    async def put(self, rows: Sequence[BulletinRow]) -> list[bytes]:
        """Ids of those bulletins whose ciphertext is a durable object now."""
        long = [row for row in rows if len(row.ciphertext) > OBJECT_BYTES]
        now = asyncio.get_running_loop().time
        if self._objects is None or not long or now() < self._again:
            return []
        done: list[bytes] = []
        try:
            async with asyncio.timeout(LIMITS.object_commit_ms / 1000):
                for first in range(0, len(long), PUTS):
                    some = long[first : first + PUTS]
                    await asyncio.gather(*(self._put(self._objects, row) for row in some))
                    done += [row.id for row in some]
        except (OperatorError, Unavailable, TimeoutError) as error:
            self._again = now() + PAUSE_SECONDS
            _log.warning("long ciphertexts stay in the server's memory: %r", error)
        return done

    @staticmethod
    async def _put(objects: Objects, row: BulletinRow) -> None:
        await objects.put(packing.body_name(row.id), row.ciphertext)
