"""Attachments at a desk: kept sealed in parts, brought to the node or fetched from it in pieces.

A cut costs what was on the way: an upload goes on from what the node holds, a download from what
is kept here.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_protocol.pace import Pace
from saphan_schemas.codec import Record
from saphan_schemas.desk_frames import (
    AskEvidencePart,
    AskFetch,
    AskPart,
    AskUpload,
    DeskHeld,
    DeskPart,
)
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.limits import DAY_MS, KIB, LIMITS
from saphan_schemas.records import Blob

from saphan.attaching import LocalFile
from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.kept import KeptDays
from saphan.desk.line import LINE_ENDED, DeskLine
from saphan.desk.shelves import Shelf
from saphan.desk_errors import malformed

PART: Final = 16 * KIB
"""Of a file in one row and one message: 2 s at 64 kbit/s."""
DOWN: Final = b"down"
EVIDENCE: Final = 0
"""In place of an attachment's number: the bulletin's evidence, on its way to a file."""
WAITING_DAYS: Final = 30
"""That an attachment stays at the desk of whoever signs second, at most."""
PARTS_AT_ONCE: Final = 32
"""Parts of one transaction: 512 KiB, so that a disk's sync is paid once for them."""


class AttachedFile(Record, frozen=True):
    """A file that goes with a bulletin; its bytes are kept apart."""

    name: str
    media_type: str
    role: str
    blob: Blob


@dataclass(frozen=True, slots=True)
class Files:
    """Attachments of one desk."""

    desk: Desk

    # --- kept here --------------------------------------------------------------------------------

    def take(self, path: Path, blob: Blob) -> None:
        """Keep a file that will be attached; it may vanish afterwards.

        Raises:
            OperatorError: `file_unreadable`, `desk_disk_full`; InvalidInput: `attachment_mismatch`.
        """
        store, name = self.desk.store, upload_name(blob)
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file, store.transaction():
                for n in range(_parts(blob)):
                    data = file.read(PART)
                    digest.update(data)
                    store.put_part(name, n, data)
                more = file.read(1)
                if more or digest.digest() != blob.digest:
                    raise InvalidInput(
                        "attachment_mismatch",
                        f"{path} has changed while it was read",
                        field="attachments",
                        hint="attach it again",
                    )
        except OSError as error:
            raise OperatorError(
                "file_unreadable", f"{path} cannot be read: {error.strerror}", field="attachments"
            ) from None

    def attach(self, files: Sequence[LocalFile]) -> tuple[AttachedFile, ...]:
        """Keep measured files; gives what a bulletin says of them.

        Raises:
            OperatorError, InvalidInput: as `take`.
        """
        for file in files:
            self.take(file.path, file.attached.blob)
        return tuple(
            AttachedFile(one.name, one.media_type, one.role, one.blob)
            for one in (file.attached for file in files)
        )

    def take_over(self, bulletin: bytes, number: int, blob: Blob) -> None:
        """Keep an attachment that was fetched as one that will be attached; under the fetched name
        it goes.

        Raises:
            OperatorError: `desk_store_damaged`, `desk_disk_full`.
        """
        store, name = self.desk.store, upload_name(blob)
        with store.transaction():
            for n, data in enumerate(self.pieces(download_name(bulletin, number), blob)):
                store.put_part(name, n, data)
            store.drop_parts(download_name(bulletin, number))

    def has(self, name: bytes, blob: Blob) -> bool:
        """Whether all of it is here."""
        return self.desk.store.parts(name) == _parts(blob)

    def pieces(self, name: bytes, blob: Blob) -> Iterator[bytes]:
        """Its bytes in parts.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        for n in range(_parts(blob)):
            yield self._part(name, n)

    def _part(self, name: bytes, n: int) -> bytes:
        data = self.desk.store.part(name, n)
        if data is None:
            raise OperatorError(
                "desk_store_damaged", "a part of an attachment is missing", field="attachments"
            )
        return data

    def _bytes(self, name: bytes, offset: int, length: int) -> bytes:
        """At most `length` bytes; fewer at the end of a part."""
        n, begin = divmod(offset, PART)
        return self._part(name, n)[begin : begin + length]

    # --- to the node ------------------------------------------------------------------------------

    async def upload(self, line: DeskLine, blob: Blob) -> None:
        """Bring an attachment, from where the node has it on.

        Raises:
            SaphanError: of the line, the node, the disk.
        """
        name = upload_name(blob)
        asked = AskUpload(line.number(), blob)
        await line.send(asked)
        held = _held(await line.answer(asked.request))

        async def send(offset: int, length: int) -> tuple[int, int]:
            data = await in_thread(self._bytes, name, offset, length)
            frame = AskPart(line.number(), blob, offset, data)
            await line.send(frame)
            return frame.request, len(data)

        async def take(request: int) -> None:
            _held(await line.answer(request))

        await _piecewise(line, held, blob.length, send, take)

    # --- from the node ----------------------------------------------------------------------------

    async def fetch(self, line: DeskLine, bulletin: bytes, number: int, blob: Blob) -> None:
        """Get an attachment of a bulletin that the officer has read; kept sealed.

        Raises:
            SaphanError: of the line, the node, the disk; Unavailable: `attachment_cut`.
        """

        def ask(offset: int, length: int) -> AskFetch:
            return AskFetch(line.number(), bulletin, number, offset, length)

        await self._fetch(line, bulletin, number, blob, ask)

    async def fetch_evidence(self, line: DeskLine, bulletin: bytes, blob: Blob) -> None:
        """Get the evidence that the node has made on this line; kept sealed until `drop_evidence`.

        Raises:
            SaphanError: as `fetch`.
        """

        def ask(offset: int, length: int) -> AskEvidencePart:
            return AskEvidencePart(line.number(), bulletin, offset, length)

        await in_thread(self.drop_evidence, bulletin)  # of an earlier one
        await self._fetch(line, bulletin, EVIDENCE, blob, ask)

    def drop_evidence(self, bulletin: bytes) -> None:
        """Take away what `fetch_evidence` has brought; idempotent.

        Raises:
            OperatorError: the disk.
        """
        self.desk.store.drop_parts(download_name(bulletin, EVIDENCE))

    async def _fetch(
        self,
        line: DeskLine,
        bulletin: bytes,
        number: int,
        blob: Blob,
        ask: Callable[[int, int], AskFetch | AskEvidencePart],
    ) -> None:
        name = download_name(bulletin, number)
        begin = await in_thread(self.desk.store.parts, name)
        day = await in_thread(self._day, bulletin)
        keeping = _Keeping(self.desk, name, begin, day)

        async def send(offset: int, length: int) -> tuple[int, int]:
            frame = ask(offset, length)
            await line.send(frame)
            asked[frame.request] = length
            return frame.request, length

        async def take(request: int) -> None:
            found = await line.answer(request)
            if not isinstance(found, DeskPart) or len(found.data) != asked.pop(request):
                raise _cut(number)
            await in_thread(keeping.add, found.data)

        asked: dict[int, int] = {}
        try:
            await _piecewise(line, begin * PART, blob.length, send, take)
        finally:
            await in_thread(keeping.flush, blob.length)
        await in_thread(self._check, name, number, blob)

    def _day(self, bulletin: bytes) -> int:
        """Its bulletin's; of what waits for this officer's signature, one by which it has left."""
        kept = KeptDays(self.desk).find(bulletin)
        return self.desk.clock() // DAY_MS + WAITING_DAYS if kept is None else kept.under

    def _check(self, name: bytes, number: int, blob: Blob) -> None:
        digest = hashlib.sha256()
        for data in self.pieces(name, blob):
            digest.update(data)
        if digest.digest() != blob.digest:
            self.desk.store.drop_parts(name)
            raise _cut(number)


class _Keeping:
    """Bytes that come, kept in whole parts; the last one may be shorter."""

    def __init__(self, desk: Desk, name: bytes, parts: int, day: int) -> None:
        self._day = day
        self._desk = desk
        self._name = name
        self._parts = parts
        self._rest = b""

    def add(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) >= PARTS_AT_ONCE * PART:
            self._keep(len(self._rest) // PART * PART)

    def flush(self, length: int) -> None:
        """What has come before an end, or a cut; a part that is not whole comes again."""
        whole = self._parts * PART + len(self._rest) == length
        self._keep(len(self._rest) if whole else len(self._rest) // PART * PART)

    def _keep(self, length: int) -> None:
        if not length:
            return
        store = self._desk.store
        with store.transaction():
            bulletin, number = self._name[len(DOWN) : -1], self._name[-1]
            if number != EVIDENCE and store.has(Shelf.ERASED, bulletin):
                raise _erased()  # what is on its way is kept no more; evidence opens nothing
            for begin in range(0, length, PART):
                data = self._rest[begin : min(begin + PART, length)]
                store.put_part(self._name, self._parts + begin // PART, data, self._day)
        self._parts += -(-length // PART)
        self._rest = self._rest[length:]


async def _piecewise(
    line: DeskLine,
    begin: int,
    end: int,
    send: Callable[[int, int], Awaitable[tuple[int, int]]],
    take: Callable[[int], Awaitable[None]],
) -> None:
    """Ask for all pieces from `begin` to `end`, as many at once as the line carries in a second."""
    pace, waiting = Pace(), deque[tuple[int, int]]()
    while begin < end or waiting:
        while begin < end and (size := pace.piece(min(PART, end - begin))):
            if len(waiting) >= LIMITS.desk_parts_ahead:
                break
            request, length = await send(begin, size)
            waiting.append((request, length))
            pace.sent(length, _now())
            begin += length
        request, length = waiting.popleft()
        try:
            await take(request)
        except SaphanError as error:
            if error.code not in LINE_ENDED:
                await line.drain(request for request, _ in waiting)
            raise
        pace.acknowledged(length, _now())


def upload_name(blob: Blob) -> bytes:
    """The name of an attachment that waits to be sent."""
    return b"up" + blob.digest


def download_name(bulletin: bytes, number: int) -> bytes:
    """The name of a received attachment; `number` from 1, or `EVIDENCE`."""
    return DOWN + bulletin + bytes([number])


def _parts(blob: Blob) -> int:
    return -(-blob.length // PART)


def _held(answer: object) -> int:
    if not isinstance(answer, DeskHeld):
        raise malformed("the node said something that was not asked for")
    return answer.held


def _cut(number: int) -> Unavailable:
    return Unavailable(
        "attachment_cut",
        f"attachment {number} did not come as it was signed",
        field="attachments",
        hint="try again; what came is not shown",
    )


def _now() -> float:
    return time.monotonic() * 1000


def _erased() -> Refused:
    return Refused(
        "bulletin_erased",
        "the bulletin was erased at this desk while its attachment came",
        field="id",
        hint="see why it went: saphan inbox",
    )
