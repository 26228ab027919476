"""What has left the server's memory: read after the server itself, never instead of it.

The archive gives back what the server held, as it held it: a hash's fields. So each row is packed
and unpacked in one place (`packing`), wherever its bytes come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from saphan_broker.store.base import Log

Fields = Mapping[bytes, bytes]
"""A hash of the server."""


class Archive(Protocol):
    """Reads what was moved out; each method may raise OperatorError `object_missing`."""

    async def block(self, log: Log, n: int) -> Fields | None:
        """Fields of `keys.block(n)`: index in the block -> leaf and entry; None: not archived."""

    async def signatures(self, n: int) -> Fields | None:
        """Fields of `keys.signatures(n)` of the evidence log; None: not archived."""

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        """A full tile; None: not archived."""

    async def box(self, agency: str, after: int, below: int, limit: int) -> list[int]:
        """Archived indices of a mailbox with after < index < below, the first `limit` in order."""

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, Fields]:
        """Fields of `keys.bulletin(id)` when it was archived, without ciphertext and stanzas."""

    async def bodies(self, ids: Iterable[bytes], *, lost_too: bool = False) -> dict[bytes, Fields]:
        """The rest of them: ciphertext (unless an object of its own holds it) and stanzas.

        Args:
            lost_too: one whose object is missing or damaged is left out; else it is an error.
        """

    async def nonces(self, keys: Iterable[tuple[str, bytes]]) -> dict[tuple[str, bytes], bytes]:
        """Bulletin ids by (sender, nonce)."""


class NothingArchived:
    """The archive of a store from which nothing was ever moved."""

    async def block(self, log: Log, n: int) -> Fields | None:
        return None

    async def signatures(self, n: int) -> Fields | None:
        return None

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        return None

    async def box(self, agency: str, after: int, below: int, limit: int) -> list[int]:
        return []

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, Fields]:
        return {}

    async def bodies(self, ids: Iterable[bytes], *, lost_too: bool = False) -> dict[bytes, Fields]:
        return {}

    async def nonces(self, keys: Iterable[tuple[str, bytes]]) -> dict[tuple[str, bytes], bytes]:
        return {}
