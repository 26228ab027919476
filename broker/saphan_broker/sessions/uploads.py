"""Attachments on their way in: offers and parts of one session, in the order they came.

Every part is answered with what is held then, so the node always knows where to go on; parts that
have queued up behind each other are written, and answered, together. An offer that is refused is
answered with an `Answer` of one item, and what still comes for it is passed over.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Final

from saphan_protocol.admission_steps import check_attachments
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.frames import Answer, Held, Offer, Part, Result
from saphan_schemas.limits import MIB

from saphan_broker.sessions.room import Room
from saphan_broker.state import State

JOINED_BYTES: Final = MIB
"""Parts that are written together, at most."""
OFFERS: Final = 16
"""Offers of a session that are not whole; a node brings one bulletin's attachments, or a few."""
TRIES: Final = 2
"""Times that an attachment may arrive whole with a wrong digest before its sender is told."""
ALARM: Final = "blobs_unusable"
AWAY: Final = "blobs_unreachable"
"""Of a service of objects that does not answer; over with the next offer that finds it."""
RETRY_MS: Final = 30_000


class Uploads:
    """One session's offers.

    Args:
        room: of the session; frames leave it once they are dealt with.
    """

    def __init__(self, state: State, agency: str, room: Room) -> None:
        self._state = state
        self._agency = agency
        self._room = room
        self._queue: deque[tuple[Offer | Part, int]] = deque()
        self._arrived = asyncio.Event()
        self._offers: dict[int, tuple[Offer, list[int]]] = {}
        self._wrong: Counter[bytes] = Counter()

    def put(self, frame: Offer | Part, size: int) -> None:
        """Take a frame of `size` bytes in, which has found room."""
        self._queue.append((frame, size))
        self._arrived.set()

    async def reply(self) -> Held | Answer:
        """Deal with what came next; gives what the node is told."""
        while True:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            frame, size = self._queue.popleft()
            sizes = [size]
            try:
                if isinstance(frame, Offer):
                    told: Held | Answer | None = await self._offer(frame)
                else:
                    told = await self._part(frame, self._join(frame, sizes))
            except SaphanError as error:
                told = self._refuse(frame.request, error)
            finally:
                for one in sizes:
                    self._room.give_back(one)
            if told is not None:
                return told

    # --- offers -----------------------------------------------------------------------------------

    async def _offer(self, frame: Offer) -> Held:
        check_attachments(frame.blobs)
        if len(self._offers) >= OFFERS:
            raise Unavailable(
                "busy",
                f"{len(self._offers)} offers of this session are not whole yet",
                hint="the node finishes one first, by itself",
            )
        held = await self._state.blobs.held(self._agency, frame.blobs)
        return self._tell(frame, list(held))

    def _tell(self, offer: Offer, held: list[int]) -> Held:
        self._state.alarms.clear(ALARM)
        self._state.alarms.clear(AWAY)
        if all(have == blob.length for have, blob in zip(held, offer.blobs, strict=True)):
            self._offers.pop(offer.request, None)
        else:
            self._offers[offer.request] = offer, held
        return Held(offer.request, tuple(held))

    def _refuse(self, request: int, error: SaphanError) -> Answer:
        self._offers.pop(request, None)
        if isinstance(error, OperatorError):
            self._state.alarms.sound_error(error)
            error = waiting()
        elif error.code == AWAY:
            self._state.alarms.sound_error(error)
        retry = error.retry_after_ms if isinstance(error, Unavailable) else 0
        return Answer(request, (Result(error.code, error.message, error.hint, retry, ()),))

    # --- parts ------------------------------------------------------------------------------------

    def _join(self, first: Part, sizes: list[int]) -> bytes:
        """The bytes of a part and of those that came right behind it and go on where it ends."""
        parts = [first.data]
        end = first.offset + len(first.data)
        while self._queue and end - first.offset < JOINED_BYTES:
            frame, size = self._queue[0]
            if not isinstance(frame, Part) or (frame.request, frame.place, frame.offset) != (
                first.request,
                first.place,
                end,
            ):
                break
            self._queue.popleft()
            sizes.append(size)
            parts.append(frame.data)
            end += len(frame.data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _part(self, frame: Part, data: bytes) -> Held | None:
        offer, held = self._offers.get(frame.request, (None, []))
        if offer is None:
            return None
        if frame.place >= len(offer.blobs):
            raise InvalidInput(
                "malformed", f"the offer has no attachment {frame.place}", field="part.place"
            )
        blob = offer.blobs[frame.place]
        try:
            held[frame.place] = await self._state.blobs.append(
                self._agency, blob, frame.offset, data
            )
        except InvalidInput as error:
            self._wrong[blob.digest] += 1
            if error.code != "attachment_digest" or self._wrong[blob.digest] >= TRIES:
                raise
            held[frame.place] = 0  # a byte was damaged on a disk, perhaps: once more from the start
        return self._tell(offer, held)


def waiting() -> Unavailable:
    """What a node is told while the disk fails or is full."""
    return Unavailable(
        "attachments_wait",
        "the broker cannot keep attachments at the moment",
        hint="the broker's operator has been alarmed; the node tries again by itself",
        retry_after_ms=RETRY_MS,
    )
