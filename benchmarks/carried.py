"""What a recorded line has carried: frames of sessions in clear, and what of them came twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from saphan_schemas.frames import (
    FetchPart,
    FromBroker,
    FromNode,
    Offer,
    Part,
    PartFetched,
)

_FROM: Final = {
    "up": msgspec.msgpack.Decoder(FromNode),
    "down": msgspec.msgpack.Decoder(FromBroker),
}


def frames(record: Path, way: str) -> Iterator[tuple[int, Any]]:
    """(connection, frame) of every message of sessions that arrived whole, in order."""
    for file in sorted(record.glob(f"*.{way}")):
        data = file.read_bytes()
        if b"\r\nSec-WebSocket-" not in data:
            continue
        for message in messages(data):
            yield int(file.stem), _FROM[way].decode(message)


def messages(data: bytes) -> Iterator[bytes]:
    """Binary WebSocket messages after the HTTP head; a cut one at the end is left out."""
    at = data.index(b"\r\n\r\n") + 4
    while at + 2 <= len(data):
        kind, length, masked = data[at] & 15, data[at + 1] & 127, data[at + 1] & 128
        at += 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + wide])
            at += wide
        mask = data[at : at + 4] if masked else b""
        at += len(mask)
        body = data[at : at + length]
        at += length
        if len(body) < length:
            return
        if kind == 2:
            yield _unmasked(body, mask)


def _unmasked(body: bytes, mask: bytes) -> bytes:
    if not mask:
        return body
    long = mask * (len(body) // 4 + 1)
    whole = int.from_bytes(body) ^ int.from_bytes(long[: len(body)])
    return whole.to_bytes(len(body))


def brought_twice(record: Path) -> int:
    """Bytes of attachments that arrived at the broker more than once."""
    offers: dict[tuple[int, int], Offer] = {}
    ranges = []
    for connection, frame in frames(record, "up"):
        if isinstance(frame, Offer):
            offers[connection, frame.request] = frame
        elif isinstance(frame, Part):
            blob = offers[connection, frame.request].blobs[frame.place]
            ranges.append((blob.digest, frame.offset, len(frame.data)))
    return _twice(ranges)


def fetched_twice(record: Path) -> int:
    """Bytes of parts that arrived at the recipient's node more than once."""
    asked = {
        (connection, frame.request): frame
        for connection, frame in frames(record, "up")
        if isinstance(frame, FetchPart)
    }
    ranges = []
    for connection, frame in frames(record, "down"):
        if isinstance(frame, PartFetched) and frame.data:
            of = asked[connection, frame.request]
            ranges.append((of.bulletin + bytes([of.place]), of.offset, len(frame.data)))
    return _twice(ranges)


def _twice(ranges: Iterable[tuple[bytes, int, int]]) -> int:
    """Bytes of (what, offset, length) above what all of them cover; their order does not matter."""
    twice = 0
    last: tuple[bytes, int] = (b"", 0)
    for what, offset, length in sorted(ranges):
        end = last[1] if last[0] == what else 0
        twice += max(0, min(end, offset + length) - offset)
        last = what, max(end, offset + length)
    return twice
