"""Attachments in a desk's session, piece by piece: brought for a bulletin, or fetched.

Both go on where they stopped. What is open stays open between two pieces of one session, so that
nothing is read or opened from its beginning for each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from saphan_schemas.desk_frames import AskFetch, AskPart, AskUpload, DeskHeld, DeskPart
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.records import Blob

from saphan.node.desks.login import DeskPeer
from saphan.node.files.attachments import Shown
from saphan.node.files.blobs import DAMAGED
from saphan.node.files.uploads import Upload
from saphan.node.service import NodeService

Bringing = dict[tuple[str, bytes], "DeskParts"]
"""Officer and SHA-256 to the session that brings it, for all desks of a node."""


class DeskParts:
    """The open ends of one session; `close` when it is over.

    Args:
        bringing: shared by all sessions; a desk that comes back takes its upload from the session
            whose line has died without the node noticing.
    """

    def __init__(self, service: NodeService, peer: DeskPeer, bringing: Bringing) -> None:
        self._service = service
        self._peer = peer
        self._bringing = bringing
        self._lock = asyncio.Lock()
        self._upload: Upload | None = None
        self._blob: Blob | None = None
        self._fetch: _Fetch | None = None

    async def held(self, asked: AskUpload) -> DeskHeld:
        """How much of an upload is here."""
        await self._take_over(asked.blob.digest)
        look = partial(self._service.uploads.held, asked.blob.digest, self._peer.label)
        held, _ = await self._service.engine.in_reading(look)
        return DeskHeld(asked.request, held)

    async def append(self, asked: AskPart) -> DeskHeld:
        """The next bytes; durable when all of it is held.

        Raises:
            InvalidInput: `attachment_offset`, `attachment_digest`, `attachment_empty`,
                `attachments_too_large`. Unavailable: `attachment_busy`, `uploads_full`.
            OperatorError: the disk.
        """
        async with self._lock:
            try:
                return DeskHeld(asked.request, await self._append(asked))
            except BaseException:
                await self._let_go()
                raise

    async def fetch(self, asked: AskFetch) -> DeskPart:
        """The next bytes of an attachment of a bulletin that this officer has read.

        Raises:
            InvalidInput: `attachment_unknown`. Refused: `attachment_unread`, `not_readable`;
                `bulletin_recalled` and `bulletin_erased`, also between two pieces.
            OperatorError: `attachment_damaged`, `archive_key_gone`.
        """
        engine, fetch = self._service.engine, self._fetch
        if fetch is None or not fetch.continues(asked):
            self._fetch = None
            shown = await self._shown(asked.bulletin, asked.number)
            fetch = self._fetch = _Fetch(asked, shown.pieces(asked.offset))

        def take() -> bytes:
            self._service.readings.check_shown(asked.bulletin)
            return fetch.take(asked.length)

        try:
            return DeskPart(asked.request, await engine.in_reading(take))
        except SaphanError as error:
            self._fetch = None
            if error.code == DAMAGED:
                await self._service.fetch_again(asked.bulletin)
            raise

    async def close(self) -> None:
        """Keep what came, for the next session."""
        async with self._lock:
            await self._let_go()
        self._fetch = None

    async def _shown(self, named: bytes, number: int) -> Shown:
        service, peer = self._service, self._peer
        look = partial(service.second.drafts.find, named)
        if await service.engine.in_reading(look) is not None:
            return await service.second.attachment(peer.handle, named, number)
        return await service.attachment(named, number, peer.key, peer.handle)

    # --- inside -----------------------------------------------------------------------------------

    async def _append(self, asked: AskPart) -> int:
        engine = self._service.engine
        if self._upload is None or self._blob != asked.blob:
            await self._let_go()
            await self._take_over(asked.blob.digest)
            blob, owner = asked.blob, self._peer.label
            begin = partial(
                self._service.uploads.begin, blob.digest, asked.offset, blob.length, owner
            )
            upload = await engine.in_reading(begin)
            if upload is None:
                return asked.blob.length
            self._upload, self._blob = upload, asked.blob
            self._bringing[owner, asked.blob.digest] = self
        upload = self._upload
        if upload.held != asked.offset:
            raise InvalidInput(
                "attachment_offset",
                f"{upload.held} bytes of this attachment are here, not {asked.offset}",
                field="offset",
                hint="ask how much is here, and go on from there",
            )
        await engine.in_reading(partial(upload.append, asked.data))
        if await engine.in_reading(upload.finish):
            await self._let_go()
        return upload.held

    async def _take_over(self, digest: bytes) -> None:
        other = self._bringing.get((self._peer.label, digest))
        if other is not None and other is not self:
            await other.close()

    async def _let_go(self) -> None:
        upload, blob = self._upload, self._blob
        self._upload = self._blob = None
        if upload is not None and blob is not None:
            name = (self._peer.label, blob.digest)
            if self._bringing.get(name) is self:
                del self._bringing[name]
            await self._service.engine.in_reading(upload.close)


class _Fetch:
    """An attachment that is being read from its beginning to its end."""

    def __init__(self, asked: AskFetch, pieces: Iterator[bytes]) -> None:
        self._of = (asked.bulletin, asked.number)
        self._at = asked.offset
        self._pieces = pieces
        self._rest = b""

    def continues(self, asked: AskFetch) -> bool:
        """Whether the next bytes of this are the ones asked for."""
        return (asked.bulletin, asked.number, asked.offset) == (*self._of, self._at)

    def take(self, length: int) -> bytes:
        """That many bytes, or what is left."""
        while len(self._rest) < length:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        data, self._rest = self._rest[:length], self._rest[length:]
        self._at += len(data)
        return data
