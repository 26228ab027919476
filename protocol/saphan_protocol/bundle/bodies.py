"""Sealed bytes of a bundle: what the bulletin id covers, opened as they are read (V16, V17)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby
from operator import attrgetter

from saphan_schemas.bundles import BundleBody
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Blob

from saphan_protocol.bundle.content import AttachmentSink, Content
from saphan_protocol.bundle.reading import BundleReader, disordered
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.subject import About
from saphan_protocol.bundle.trail import Trail


def read_bodies(
    reader: BundleReader,
    about: About,
    content: Content | None,
    sink: AttachmentSink | None,
    trail: Trail,
) -> tuple[int, ...]:
    """Steps V16 and V17 for every place shown; returns those places.

    Args:
        content: what opens them, where the key is disclosed.

    Raises:
        InvalidInput, Refused: where the trail stands.
    """
    shown: list[int] = []
    for place, pieces in groupby(reader.of(BundleBody), key=attrgetter("place")):
        if shown and place <= shown[-1]:
            raise disordered("sealed bytes stand by rising place")
        trail.at(BundleStep.BODIES)
        blob = _blob(about, place)
        if place == 0:
            _ciphertext(pieces, blob, content, trail)
        else:
            _attachment(place - 1, pieces, blob, content, sink, trail)
        shown.append(place)
    return tuple(shown)


def _ciphertext(
    pieces: Iterator[BundleBody], blob: Blob, content: Content | None, trail: Trail
) -> None:
    data = b"".join(_measured(0, pieces, blob))
    if content is not None:
        trail.at(BundleStep.CONTENT)
        content.open(data)


def _attachment(
    number: int,
    pieces: Iterator[BundleBody],
    blob: Blob,
    content: Content | None,
    sink: AttachmentSink | None,
    trail: Trail,
) -> None:
    opener = None if content is None else content.opener(number, sink)
    for data in _measured(number + 1, pieces, blob):
        if opener is not None:
            opener.take(data)
    if opener is not None:
        trail.at(BundleStep.CONTENT)
        opener.finish()


def _measured(place: int, pieces: Iterator[BundleBody], blob: Blob) -> Iterator[bytes]:
    """The bytes as they come; after the last one they must be those that the id covers."""
    digest, length = sha256(), 0
    for piece in pieces:
        length += len(piece.data)
        if length > blob.length:
            break
        digest.update(piece.data)
        yield piece.data
    if (length, digest.digest()) != (blob.length, blob.digest):
        raise InvalidInput(
            "body_differs",
            f"the sealed bytes of place {place} are not those that the bulletin id covers",
            field="bundle.body",
        )


def _blob(about: About, place: int) -> Blob:
    shown = about.first.shown
    blobs = (shown.ciphertext, *shown.attachments)
    blob = blobs[place] if place < len(blobs) else None
    if blob is None:
        raise disordered(f"the bulletin has no place {place}")
    return blob
