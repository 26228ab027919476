"""The local API's attachments: uploaded in pieces before a bulletin names them, streamed after.

What is given out is bytes to keep, nothing to render: no media type that a browser would open, and
the length before the first byte, so that whoever is cut off notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.exports import SAVED
from saphan_schemas.limits import LIMITS

from saphan.node.api.app import SERVICE, view_of
from saphan.node.api.requests import json_response, number
from saphan.node.callers import caller_of, owner_of
from saphan.node.files.attachments import Shown
from saphan.node.files.blobs import PIECE_BYTES
from saphan.node.files.uploads import Upload
from saphan.node.service import NodeService

log = logging.getLogger("saphan.node")

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
UPLOADS_PATH: Final = "/v1/attachments/{digest}"
SHOWN_PATH: Final = "/v1/bulletins/{id}/attachments/{number}"


def routes() -> list[web.RouteDef]:
    """Paths of attachments."""
    return [
        web.get(UPLOADS_PATH, _held, allow_head=False),
        web.put(UPLOADS_PATH, _upload),
        web.get(SHOWN_PATH, _shown, allow_head=False),
    ]


async def _held(request: web.Request) -> web.Response:
    service, digest = request.app[SERVICE], _digest(request)
    look = partial(service.uploads.held, digest, owner_of(caller_of(request)))
    return _answer(*await service.engine.in_reading(look))


async def _upload(request: web.Request) -> web.Response:
    """The bytes from ?offset= on, of ?length= in all; what came before a cut is kept."""
    service, digest = request.app[SERVICE], _digest(request)
    offset = number(request, "offset", 0, LIMITS.attachment_bytes)
    length = number(request, "length", 0, 2**53)
    owner = owner_of(caller_of(request))
    begin = partial(service.uploads.begin, digest, offset, length, owner)
    upload = await service.engine.in_reading(begin)
    if upload is None:
        held = partial(service.uploads.held, digest, owner)
        return _answer(*await service.engine.in_reading(held))
    try:
        await _receive(request, service, upload)
        whole = await service.engine.in_reading(upload.finish)
        return _answer(upload.held, whole)
    finally:
        await service.engine.in_reading(upload.close)


async def _receive(request: web.Request, service: NodeService, upload: Upload) -> None:
    """Write the body as it comes; a sender that stalls is let go, and may come again.

    Raises:
        InvalidInput: `too_slow`, `attachment_digest`; OperatorError: the disk.
    """
    while True:
        try:
            async with asyncio.timeout(LIMITS.api_patience_ms / 1000):
                data = await request.content.read(PIECE_BYTES)
        except TimeoutError:
            raise InvalidInput(
                "too_slow",
                f"nothing came for {LIMITS.api_patience_ms // 1000} s",
                field="body",
                hint="what came is kept: ask how much, and go on from there",
            ) from None
        if not data:
            return
        await service.engine.in_reading(partial(upload.append, data))


async def _shown(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    view = view_of(request)
    look = partial(view.resolve, request.match_info["id"])
    bulletin = await service.engine.in_reading(look)
    wanted = attachment_number(request)
    shown = await service.attachment(bulletin, wanted, view.reader(), view.officer)
    exports, taker = service.subjects.exports, caller_of(request).label
    note = partial(exports.note, bulletin, SAVED, taker, wanted)
    if await service.engine.in_sealing(note):
        service.line.wake_statements()
    return await streamed(request, shown, bulletin)


def attachment_number(request: web.Request) -> int:
    """The {number} of the path.

    Raises:
        InvalidInput: `attachment_unknown`.
    """
    wanted = request.match_info["number"]
    if not wanted.isascii() or not wanted.isdecimal() or len(wanted) > 3:
        raise InvalidInput(
            "attachment_unknown", "an attachment's number is 1, 2, ...", field="number"
        )
    return int(wanted)


async def streamed(request: web.Request, shown: Shown, bulletin: bytes) -> web.StreamResponse:
    """The bytes from ?offset= on; of a received bulletin they are fetched again if they are lost.

    Raises:
        InvalidInput: `malformed` (the offset).
    """
    service = request.app[SERVICE]
    offset = number(request, "offset", 0, shown.blob.length)
    response = web.StreamResponse(headers=_headers(shown))
    response.content_length = shown.blob.length - offset
    await response.prepare(request)
    try:
        with contextlib.closing(shown.pieces(offset)) as pieces:
            await _send(response, service, bulletin, pieces)
    except (OperatorError, Refused, TimeoutError) as error:
        # Too late for an answer that says so: the bytes end before their announced length.
        log.warning("attachment of %s: %s", bulletin.hex()[:16], str(error) or "nobody took it")
        if request.transport is not None:
            request.transport.abort()
        if isinstance(error, OperatorError):
            await service.fetch_again(bulletin)
    return response


async def _send(
    response: web.StreamResponse, service: NodeService, bulletin: bytes, pieces: Iterator[bytes]
) -> None:
    def take() -> bytes | None:
        """The next piece, if the bulletin was not taken back or erased meanwhile."""
        service.readings.check_shown(bulletin)
        return next(pieces, None)

    while (data := await service.engine.in_reading(take)) is not None:
        async with asyncio.timeout(LIMITS.api_patience_ms / 1000):
            await response.write(data)
    await response.write_eof()


def _headers(shown: Shown) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Saphan-Name": quote(shown.name, safe=""),
        "Saphan-Media-Type": shown.media_type,
        "Saphan-SHA256": shown.blob.digest.hex(),
    }


def _digest(request: web.Request) -> bytes:
    text = request.match_info["digest"]
    if not _DIGEST.fullmatch(text):
        raise InvalidInput(
            "attachment_digest",
            "an attachment is named by its SHA-256, 64 hexadecimal digits",
            field="digest",
        )
    return bytes.fromhex(text)


def _answer(held: int, whole: bool) -> web.Response:
    value: dict[str, Any] = {"held": held, "whole": whole}
    return json_response(value)
