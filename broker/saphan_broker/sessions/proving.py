"""Paths under heads that a node holds: the same answer from every process of a broker.

Whoever is logged in may ask for any of them: paths are hashes, and the log's tiles show them all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace
from saphan_protocol.shared_paths import SharedPaths
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import SECOND_MS
from saphan_schemas.proof_frames import AskProofs, Proofs

from saphan_broker.logs.cosigned import cosigned
from saphan_broker.logs.log_book import LogBook
from saphan_broker.sequencing.work import NewHead, Submit
from saphan_broker.state import State

BREATH: Final = 4
"""Paths made before other tasks of the event loop get their turn: each may need some tiles read."""
PATH_BYTES: Final = 1024
"""What a path takes in an answer, about, if it shares nothing with its neighbours."""

Path = tuple[bytes, ...]


def answer_bytes(frame: AskProofs) -> int:
    """What the answer to a question weighs, about."""
    return PATH_BYTES * (len(frame.indices) + len(frame.sizes))


async def prove(state: State, submit: Submit, frame: AskProofs) -> Proofs:
    """The paths asked for; without them the code says why: `head_unknown`, `proof_unknown`.

    A head that another process has signed a moment ago is waited for, not refused.

    Raises:
        OperatorError: the store's, which end the session.
    """
    book = state.head_of(frame.head)
    if book is None:
        return _none(frame, "head_unknown")
    if not await book.showed(frame.head):
        await state.catch_up()
        if not await book.showed(frame.head):
            return _none(frame, "head_unknown")
    size = frame.head.size
    if any(index >= size for index in frame.indices) or any(old > size for old in frame.sizes):
        return _none(frame, "proof_unknown")
    found = await _paths(book, frame)
    if frame.fresh:
        with contextlib.suppress(SaphanError):  # the paths are good without it
            return replace(found, note=await _fresh_note(state, submit, book, frame))
    return found


async def _paths(book: LogBook, frame: AskProofs) -> Proofs:
    # One tree for all of them: it may grow meanwhile, and is replaced by another one then.
    tree, size, shared = book.tree, frame.head.size, SharedPaths()

    async def made(asked: Iterable[int], one: Callable[[TileTree, int], Path]) -> list[Path]:
        found = []
        for place, number in enumerate(asked):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            path = await book.source.prove(lambda: one(tree, number))  # noqa: B023
            found.append(path)
        return found

    inclusion = await made(frame.indices, lambda tree, index: tree.inclusion(index, size))
    consistency = await made(frame.sizes, lambda tree, old: tree.consistency(old, size))
    places = [shared.add(path) for path in (*inclusion, *consistency)]
    cut = len(inclusion)
    return Proofs(frame.request, None, shared.hashes, tuple(places[:cut]), tuple(places[cut:]))


async def _fresh_note(state: State, submit: Submit, book: LogBook, frame: AskProofs) -> bytes:
    """The note that the log has signed last over this head's tree, with its witnesses' lines;
    empty once the log has grown.

    One that is older than what is asked for is signed anew first, and shown to all who witness it.

    Raises:
        SaphanError: why none is signed now.
    """
    found, since = book.published, min(frame.fresh, state.clock())
    if found is not None and (found.time + 1) * SECOND_MS <= since:
        await submit(NewHead()).outcome
        await state.catch_up()
        found = book.published
    if found is None or found.ref != frame.head:
        return b""
    if book.log == "directory":
        state.listeners.show_directory(found.time, state.clock())
    else:
        state.listeners.show_evidence(found.time, state.clock())
    return await cosigned(state.store, book.log, found.size, found.note)


def _none(frame: AskProofs, code: str) -> Proofs:
    return Proofs(frame.request, code, (), (), ())
