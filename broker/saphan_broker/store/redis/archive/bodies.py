"""Reads bodies of archived bulletins: those that lie side by side in one piece.

Who catches up asks for many that were packed one after the other; a question to an S3 service takes
some 30 ms, however much it answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import KIB, MIB

from saphan_broker.store.redis.archive.cache import Cache
from saphan_broker.store.redis.archive.envelope import UNREADABLE
from saphan_broker.store.redis.archive.formats import BodyRef, Fields, open_section

READS_AT_ONCE: Final = 8
SPAN_BYTES: Final = 1 * MIB
"""Of one piece, unless one body is longer."""
GAP_BYTES: Final = 32 * KIB
"""Between two bodies that are read in one piece; what lies there is read for nothing."""


class BodyReader:
    """Reads sections of packs, a few pieces at a time; owned by one event loop."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def read(
        self, places: Mapping[bytes, tuple[str, BodyRef]], *, lost_too: bool = False
    ) -> dict[bytes, Fields]:
        """Bodies by id.

        Args:
            places: name of the pack, and where the body is in it.
            lost_too: what is missing or damaged is left out; else it is an error.

        Raises:
            OperatorError: `object_missing`, `object_damaged`, and those of `Objects`.
        """
        pieces = spans(places)
        read = (self._piece(name, refs, lost_too) for name, refs in pieces)
        found: dict[bytes, Fields] = {}
        for bodies in await asyncio.gather(*read):
            found |= bodies
        return found

    async def _piece(
        self, name: str, refs: Mapping[bytes, BodyRef], lost_too: bool
    ) -> dict[bytes, Fields]:
        start = min(ref.offset for ref in refs.values())
        stop = max(ref.offset + ref.length for ref in refs.values())
        found: dict[bytes, Fields] = {}
        try:
            async with self._reads:
                data = await self._cache.section(name, start, stop - start)
        except OperatorError as error:
            if lost_too and error.code in UNREADABLE:
                return {}
            raise
        for id_, ref in refs.items():
            section = data[ref.offset - start :][: ref.length]
            try:
                found[id_] = open_section(self._cache.full_name(name), ref, section)
            except OperatorError:
                self._cache.note_lost(name)
                if not lost_too:
                    raise
        return found


def spans(
    places: Mapping[bytes, tuple[str, BodyRef]],
) -> Iterable[tuple[str, dict[bytes, BodyRef]]]:
    """What is read in one piece: bodies of one pack, close to each other."""
    pieces: list[tuple[str, dict[bytes, BodyRef]]] = []
    start = stop = 0
    order = sorted(places.items(), key=lambda place: (place[1][0], place[1][1].offset))
    for id_, (name, ref) in order:
        end = ref.offset + ref.length
        near = ref.offset <= stop + GAP_BYTES and end - start <= SPAN_BYTES
        if pieces and pieces[-1][0] == name and near:
            pieces[-1][1][id_] = ref
        else:
            pieces.append((name, {id_: ref}))
            start = ref.offset
        stop = end
    return pieces
