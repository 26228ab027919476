"""Parts of received bulletins, fetched from the broker: attachments, and ciphertexts put off.

Urgent bulletins first, then as they came; one bulletin at a time, a few requests on their way. What
is on disk is not asked for again, whatever cut the line. A bulletin is handed over when every part
is durable and its digest right, and not before: the handover says that the bytes are here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from saphan_protocol.pace import Pace
from saphan_schemas.errors import InvalidInput, OperatorError, Unavailable
from saphan_schemas.frames import FetchPart, PartFetched
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob

from saphan.node.engine import Engine
from saphan.node.files.blobs import DISK_FULL, BlobFiles, PartFile
from saphan.node.files.parts import HERE, Missing, mark, next_missing
from saphan.node.rows.schema import KEEP_BODY
from saphan.node.wire.pumps import ANSWER_S, FIRST_BYTES

Send = Callable[[object], Awaitable[None]]
TRIES: Final = 2
"""Times that a part may come whole with a wrong digest before it is left for the next session."""
ROOM_WAIT_MS: Final = 60_000
"""Before a bulletin is tried again whose attachments the disk had no room for."""


class Fetching:
    """The downloads of one session.

    Args:
        send: writes one frame; request: gives an unused number; came: called when every part of a
            bulletin is here.
    """

    def __init__(
        self,
        engine: Engine,
        files: BlobFiles,
        send: Send,
        request: Callable[[], int],
        came: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._files = files
        self._send = send
        self._request = request
        self._came = came
        self._pace = Pace(first=FIRST_BYTES)
        self._turn = asyncio.Event()
        self._look = True
        self._found: list[Missing] = []
        self._asked: dict[int, tuple[int, int]] = {}
        self._answers: list[tuple[int, PartFetched]] = []
        self._came_early: dict[int, bytes] = {}
        self._wrong: Counter[tuple[bytes, int]] = Counter()
        self._skipped: set[bytes] = set()

    def wake(self) -> None:
        """Something new may be to be fetched."""
        self._look = True
        self._turn.set()

    def take(self, frame: PartFetched) -> None:
        """The broker has answered.

        Raises:
            InvalidInput: `part_length`: not as many bytes as were asked for, or none were.
        """
        offset, size = self._asked.pop(frame.request, (0, 0))
        came = size if frame.data is None else len(frame.data)
        if not size or came != size:
            raise InvalidInput(
                "part_length",
                f"{size} bytes of a bulletin were asked for, {came} came",
                hint="the broker is at fault; they are asked for again",
            )
        self._pace.acknowledged(size, _now())
        self._answers.append((offset, frame))
        self._turn.set()

    async def run(self) -> None:
        """Fetch what is missing, for ever."""
        while True:
            job = await self._next()
            if job is None:
                while not self._look:
                    self._turn.clear()
                    await self._turn.wait()
            elif await self._bulletin(job):
                self._found = [one for one in self._found if one.bulletin != job.bulletin]
                await self._came(job.bulletin)
            else:
                self._look = True

    async def _next(self) -> Missing | None:
        """What goes first; the store is asked after somebody woke us, or when all found is done."""
        if self._look or not self._found:
            self._look = False
            db, skipped = self._engine.db, frozenset(self._skipped)
            agency = self._engine.agency
            self._found = await self._engine.in_reading(lambda: next_missing(db, agency, skipped))
        first = self._found[0] if self._found else None
        return first if first is not None and first.urgency >= self._engine.budget.least else None

    async def _bulletin(self, job: Missing) -> bool:
        """Whether every part of it is here now; not if something more urgent came between."""
        if not await self._has_room(job):
            return False
        for place, blob in job.parts:
            file = await self._engine.in_reading(
                partial(self._files.open_incoming, job.bulletin, place, blob)
            )
            try:
                if not await self._part(job, place, blob, file):
                    return False
                whole = await self._engine.in_reading(file.finish)
            finally:
                file.close()
            if not whole:
                self._count_wrong(job.bulletin, place)
                return False
            await self._engine.in_frames(partial(self._keep, job.bulletin, place))
        return True

    async def _has_room(self, job: Missing) -> bool:
        """Whether the disk takes it; if not, others go on, and it is tried again by itself."""
        wanted = sum(blob.length for _, blob in job.parts)
        try:
            await self._engine.in_reading(partial(self._files.require_room, wanted))
        except OperatorError as error:
            self._engine.sound(error)
            self._skipped.add(job.bulletin)
            wait = ROOM_WAIT_MS / 1000
            asyncio.get_running_loop().call_later(wait, self._again, job.bulletin)
            return False
        self._engine.quiet(DISK_FULL)
        return True

    def _again(self, bulletin: bytes) -> None:
        self._skipped.discard(bulletin)
        self.wake()

    async def _part(self, job: Missing, place: int, blob: Blob, file: PartFile) -> bool:
        """Fetch what the file lacks; False if the bulletin must wait.

        Requests that are on their way are waited for in any case: their bytes are kept.
        """
        asked, going_on = file.held, True
        self._came_early.clear()
        while file.held < blob.length:
            going_on = going_on and not await self._overtaken(job)
            while going_on and (size := self._piece(blob.length - asked)):
                request = self._request()
                self._asked[request] = (asked, size)
                self._pace.sent(size, _now())
                await self._send(FetchPart(request, job.bulletin, place, asked, size))
                asked += size
            if not (self._asked or self._answers):
                return False
            await self._answered()
            going_on = await self._write(job, file) and going_on
        return True

    async def _answered(self) -> None:
        """Until the broker has answered something.

        Raises:
            Unavailable: `no_answer`.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                while not self._answers:
                    self._turn.clear()
                    await self._turn.wait()
        except TimeoutError:
            raise Unavailable("no_answer", "the broker does not give what was asked for") from None

    def _piece(self, left: int) -> int:
        return self._pace.piece(min(LIMITS.part_bytes, left)) if left else 0

    async def _overtaken(self, job: Missing) -> bool:
        """Whether something more urgent is to be fetched; looked for only when somebody woke us."""
        if job.urgency < self._engine.budget.least:
            return True
        if not self._look:
            return False
        first = await self._next()
        return first is not None and first.urgency > job.urgency

    async def _write(self, job: Missing, file: PartFile) -> bool:
        """Write what has come, together; False if the broker does not give it.

        Raises:
            OperatorError: the disk.
        """
        answers, self._answers = self._answers, []
        given = True
        for offset, answer in answers:
            if answer.data is None:
                given = False
                self._not_given(job, answer.code)
            else:
                self._came_early[offset] = answer.data
        data, end = [], file.held
        while (piece := self._came_early.pop(end, None)) is not None:
            data.append(piece)
            end += len(piece)
        await self._engine.in_reading(partial(file.append, b"".join(data)))
        return given

    def _not_given(self, job: Missing, code: str | None) -> None:
        """Recalled, expired, or lost: a person hears of what the broker cannot give."""
        if job.bulletin in self._skipped:
            return
        self._skipped.add(job.bulletin)
        if code == "part_withdrawn":
            return  # the feed says it too; what came of it goes at the next start
        why = code if code in ("part_missing", "part_unknown") else "without a reason"
        self._engine.sound(
            OperatorError(
                "attachment_gone",
                f"the broker does not give parts of bulletin {job.bulletin.hex()[:16]} ({why})",
                hint="it is asked again with the next session; tell the broker's operator",
            )
        )

    def _count_wrong(self, bulletin: bytes, place: int) -> None:
        """Bytes that changed on the way are fetched again, once."""
        self._wrong[bulletin, place] += 1
        if self._wrong[bulletin, place] < TRIES:
            return
        self._skipped.add(bulletin)
        self._engine.sound(
            OperatorError(
                "attachment_digest",
                f"part {place} of bulletin {bulletin.hex()[:16]} came with a wrong digest twice",
                hint="it is fetched again with the next session; tell the broker's operator",
            )
        )

    def _keep(self, bulletin: bytes, place: int) -> None:
        """The file is durable: note it; a ciphertext moves to where ciphertexts are."""
        path = self._files.received(bulletin, place)
        with self._engine.db.transaction() as tx:
            if place == 0:
                tx.execute(KEEP_BODY, (bulletin, path.read_bytes()))
                tx.execute("DELETE FROM parts WHERE bulletin = ? AND place = 0", (bulletin,))
            else:
                mark(tx, bulletin, HERE, place)
        if place == 0:
            path.unlink(missing_ok=True)


def _now() -> float:
    return asyncio.get_running_loop().time() * 1000
