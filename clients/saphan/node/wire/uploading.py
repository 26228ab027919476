"""Attachments on their way to the broker: offered, brought in parts, and then their bulletin sent.

One bulletin at a time, urgent ones first; a more urgent one that comes meanwhile is brought first,
and the other goes on where it was. The broker says after every part how much it holds, so nothing
is sent twice but what a cut has swallowed: at most what the line's pace had on its way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError, Unavailable
from saphan_schemas.frames import Answer, Held, Offer, Part, Result
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob

from saphan.node.engine import Engine
from saphan.node.files.attachments import measure_file
from saphan.node.files.blobs import BlobFiles, damaged
from saphan.node.files.parts import BROUGHT, Outgoing, mark, next_outgoing
from saphan.node.wire.pumps import ANSWER_S, Pumps

Send = Callable[[object], Awaitable[None]]
STALLS: Final = 8
"""Times that an offer may begin again where the broker stands, before its bulletin waits."""
LACKS: Final = 3
"""Submissions of a session that the broker may answer with `attachment_missing` at once."""
DIGEST_WAIT_MS: Final = 60_000
"""Before attachments are brought again that the broker found wrong, or not, and they are right."""


@dataclass(slots=True)
class _Offered:
    """One offer: how far each blob is sent, and how far the broker holds it.

    Attributes:
        held: None until the broker has answered; refused: why it takes no more of it.
        since: when the broker said something of it, or when it came to owe an answer (s).
        stalls: how often parts were not taken as they were sent; looked: at how many of them the
            files were looked at.
    """

    job: Outgoing
    sent: list[int] = field(default_factory=list)
    held: list[int] | None = None
    refused: Result | None = None
    since: float = field(default_factory=lambda: _now())
    stalls: int = 0
    looked: int = 0

    @property
    def whole(self) -> bool:
        """Whether the broker holds every blob."""
        return self.held == [blob.length for blob in self.job.blobs]

    def take(self, held: list[int]) -> int:
        """Note what the broker holds; gives the bytes that are on their way no more."""
        before = self.held
        self.held = held
        if before is None:
            self.sent = list(held)
            return 0
        if any(now < then for now, then in zip(held, before, strict=True)) or held == before:
            # A blob was dropped (its digest was wrong, or room was needed): on from what is held.
            done = sum(self.sent) - sum(before)
            self.sent = list(held)
            self.stalls += 1
            return done
        self.sent = [max(pair) for pair in zip(self.sent, held, strict=True)]
        return sum(held) - sum(before)

    def end(self, why: Result | None) -> int:
        """No more is said about it; gives the bytes that are on their way no more."""
        self.refused = why
        done = sum(self.sent) - sum(self.held or self.sent)
        self.sent = list(self.held or ())
        return done


class Uploading:
    """The uploads of one session; a new session begins by asking what the broker holds.

    Args:
        send: writes one frame; pumps: of the same session, whose pace it shares.
    """

    def __init__(
        self,
        engine: Engine,
        files: BlobFiles,
        send: Send,
        pumps: Pumps,
    ) -> None:
        self._engine = engine
        self._files = files
        self._send = send
        self._pumps = pumps
        self._turn = asyncio.Event()
        self._look = True
        self._offers: dict[int, _Offered] = {}
        self._requests: dict[int, int] = {}
        self._released: set[int] = set()
        self._lacked: set[int] = set()
        self._lacks: Counter[int] = Counter()
        self._later: set[int] = set()

    def wake(self) -> None:
        """New consignments may wait."""
        self._look = True
        self._turn.set()

    def room(self) -> None:
        """The line may have room again."""
        self._turn.set()

    def lacked(self, row: int, why: Result) -> None:
        """The broker does not have the attachments of a consignment that was sent to it."""
        self._lacked.add(row)
        self._released.discard(row)
        self._lacks[row] += 1
        if self._lacks[row] >= LACKS:  # it said before that it held them
            self._engine.sound(OperatorError(why.code or "", why.message, hint=why.hint))
            self._wait_for(row, DIGEST_WAIT_MS)
        self.wake()

    def held(self, frame: Held) -> None:
        """The broker says what it holds of an offer.

        Raises:
            InvalidInput: `malformed`: more than there is.
        """
        offered = self._offers.get(self._requests.get(frame.request, 0))
        if offered is None:
            return
        lengths = [blob.length for blob in offered.job.blobs]
        if len(frame.held) != len(lengths) or any(map(int.__gt__, frame.held, lengths)):
            raise InvalidInput(
                "malformed",
                "the broker holds more of an attachment than there is",
                field="held",
                hint="the broker is at fault: tell its operator",
            )
        offered.since = _now()
        self._pumps.acknowledged(offered.take(list(frame.held)))
        self._turn.set()

    def refused(self, answer: Answer) -> bool:
        """The broker takes no more of an offer; False if the answer is about something else."""
        row = self._requests.get(answer.request)
        if row is None:
            return False
        offered = self._offers.get(row)
        if offered is not None and answer.results:
            self._pumps.acknowledged(offered.end(answer.results[0]))
            self._turn.set()
        return True

    async def run(self) -> None:
        """Bring what waits, for ever."""
        while True:
            self._turn.clear()
            self._look = False
            job = await self._next()
            if job is None:
                await self._until_look()
            elif job.brought and job.row not in self._lacked:
                self._release(job)
            else:
                await self._bring(job)

    async def _until_look(self) -> None:
        while not self._look:
            await self._turn.wait()
            self._turn.clear()

    async def _next(self) -> Outgoing | None:
        left_out = self._released | self._later
        db = self._engine.db
        found = await self._engine.in_reading(lambda: next_outgoing(db, left_out))
        least = self._engine.budget.least
        return found[0] if found and found[0].urgency >= least else None

    def _release(self, job: Outgoing) -> None:
        self._released.add(job.row)
        self._lacked.discard(job.row)
        self._pumps.send_rows([job.row])

    # --- one bulletin -----------------------------------------------------------------------------

    async def _bring(self, job: Outgoing) -> None:
        """Bring a bulletin's blobs, unless something more urgent comes between."""
        offered = self._offers.get(job.row)
        if offered is None:
            offered = await self._offer(job)
        while not offered.whole:
            self._turn.clear()
            if offered.refused is not None:
                await self._put_off(job, offered.refused)
                return
            if offered.stalls > offered.looked:
                await self._check_files(offered)
                continue
            if await self._overtaken(job):
                return
            if offered.held is None or not await self._send_part(offered):
                await self._wait(offered)
        self._close(job)
        await self._engine.in_sealing(lambda: self._mark(job))
        self._release(job)

    async def _wait(self, offered: _Offered) -> None:
        """Until something happens; a broker that owes an answer is not waited for without end.

        Raises:
            Unavailable: `no_answer`: the next session asks what the broker holds.
        """
        owed = offered.held is None or offered.held != offered.sent
        left = offered.since + ANSWER_S - _now()
        try:
            # Not `wait_for`: in Python 3.11 it forgets a cancellation that the turn meets.
            async with asyncio.timeout(left if owed else None):
                await self._turn.wait()
        except TimeoutError:
            raise Unavailable(
                "no_answer", "the broker does not say what it holds of an attachment"
            ) from None

    async def _offer(self, job: Outgoing) -> _Offered:
        offered = self._offers[job.row] = _Offered(job)
        request = self._pumps.request()
        self._requests[request] = job.row
        await self._send(Offer(request, job.blobs))
        return offered

    async def _overtaken(self, job: Outgoing) -> bool:
        """Whether something more urgent waits; it is looked for only after somebody woke us."""
        if job.urgency < self._engine.budget.least:
            return True
        if not self._look:
            return False
        self._look = False
        first = await self._next()
        return first is not None and first.urgency > job.urgency

    async def _send_part(self, offered: _Offered) -> bool:
        """Send the next part; False if all is sent, or the line is full."""
        job = offered.job
        for place, blob in enumerate(job.blobs):
            offset = offered.sent[place]
            if offset == blob.length:
                continue
            size = self._pumps.pace.piece(min(LIMITS.part_bytes, blob.length - offset))
            if not size:
                return False
            path = self._files.sent(job.bulletin, place + 1)
            data = await self._engine.in_reading(partial(_read, path, offset, size))
            if offered.sent[place] != offset or offered.refused is not None:
                return True  # the broker has dropped it meanwhile
            if offered.held == offered.sent:
                offered.since = _now()
            offered.sent[place] += size
            self._pumps.sent(size)
            await self._send(Part(self._request_of(job), place, offset, data))
            return True
        return False

    def _request_of(self, job: Outgoing) -> int:
        return next(request for request, row in self._requests.items() if row == job.row)

    def _close(self, job: Outgoing) -> None:
        self._offers.pop(job.row, None)
        for request in [one for one, row in self._requests.items() if row == job.row]:
            del self._requests[request]

    async def _check_files(self, offered: _Offered) -> None:
        """The broker has dropped something: if a file here is damaged, it can never be sent."""
        job, offered.looked = offered.job, offered.stalls
        if offered.stalls >= STALLS:
            stalled = OperatorError(
                "attachment_stalled",
                f"the broker does not keep the attachments of {job.bulletin.hex()[:16]}",
                hint="tell the broker's operator; the node tries again by itself",
            )
            self._engine.sound(stalled)
            wait = Result(stalled.code, stalled.message, stalled.hint, DIGEST_WAIT_MS, ())
            self._pumps.acknowledged(offered.end(wait))
            return
        why = await self._damage(job)
        if why is not None:
            self._pumps.acknowledged(offered.end(why))

    async def _damage(self, job: Outgoing) -> Result | None:
        """Why a bulletin's attachments can never be sent; None if they are as they were sealed."""
        for place, blob in enumerate(job.blobs):
            path = self._files.sent(job.bulletin, place + 1)
            why = await self._engine.in_reading(partial(_damage, path, blob))
            if why is not None:
                return why
        return None

    async def _put_off(self, job: Outgoing, why: Result) -> None:
        """Try again later, or never."""
        self._close(job)
        self._later.add(job.row)
        wait_ms: int = why.retry_after_ms
        if why.code == "attachment_digest":
            found = await self._damage(job)
            if found is None:  # not our bytes: a person looks, and the node goes on trying
                self._engine.sound(OperatorError(why.code, why.message, hint=why.hint))
                wait_ms = DIGEST_WAIT_MS
            else:
                why = found
        if wait_ms:
            self._wait_for(job.row, wait_ms)
        else:
            await self._pumps.refuse(job.row, why)

    def _wait_for(self, row: int, wait_ms: int) -> None:
        self._later.add(row)
        asyncio.get_running_loop().call_later(wait_ms / 1000, self._again, row)

    def _again(self, row: int) -> None:
        self._later.discard(row)
        self.wake()

    def _mark(self, job: Outgoing) -> None:
        with self._engine.db.transaction() as tx:
            mark(tx, job.bulletin, BROUGHT)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _damage(path: Path, blob: Blob) -> Result | None:
    """Why a file can never be sent; None if it is as it was sealed."""
    try:
        if measure_file(path) == blob:
            return None
        error = damaged(path, "its digest is another")
    except OperatorError as found:
        error = found
    return Result(error.code, error.message, error.hint, 0, ())


def _read(path: Path, offset: int, size: int) -> bytes:
    """Bytes of a sealed attachment; what is not there any more becomes zeros.

    The broker then finds another digest, drops it, and the file is looked at (`_check_files`).
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(size)
    except OSError:
        data = b""
    return data.ljust(size, b"\x00")
