"""Reads long ciphertexts, which are objects: at once for a feed, or with patience for one alone.

A feed goes on without a ciphertext that is lost, or that cannot be read right now: its recipient
asks for it alone, and waits for it there, while the rest of the mailbox comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan_broker.objects.base import Objects

_log = logging.getLogger("saphan.broker")

PAUSE_SECONDS: Final = 10.0
"""After a failure, until a feed asks again."""


class BodyObjects:
    """Objects that hold ciphertexts; None: there are none."""

    def __init__(self, objects: Objects | None) -> None:
        self._objects = objects
        self._again = 0.0

    async def whole(self, names: Mapping[bytes, str]) -> dict[bytes, bytes]:
        """Ciphertexts by bulletin, of the objects with these names.

        Raises:
            OperatorError: `object_missing`, and those of `Objects`; Unavailable: of `Objects`.
        """
        found: dict[bytes, bytes] = {}
        for id_, name in names.items():
            data = await self._objects.get(name) if self._objects is not None else None
            if data is None:
                raise OperatorError(
                    "object_missing",
                    f"the store of objects does not hold {name}, which a committed bulletin needs",
                    field="blobs",
                    hint="check --blobs, or put the object back from a backup; others are served",
                )
            found[id_] = data
        return found

    async def soon(self, names: Mapping[bytes, str]) -> dict[bytes, bytes]:
        """The same; what is lost or does not come soon has no bytes."""
        bodies = await asyncio.gather(*(self._soon(name) for name in names.values()))
        return dict(zip(names, bodies, strict=True))

    async def _soon(self, name: str) -> bytes:
        now = asyncio.get_running_loop().time
        if self._objects is None or now() < self._again:
            return b""
        try:
            async with asyncio.timeout(LIMITS.object_commit_ms / 1000):
                return await self._objects.get(name) or b""
        except (OperatorError, Unavailable, TimeoutError) as error:
            if now() >= self._again:
                _log.warning("feeds go on without long ciphertexts: %r", error)
            self._again = now() + PAUSE_SECONDS
            return b""
