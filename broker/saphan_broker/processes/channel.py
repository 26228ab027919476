"""Messages between the processes of one broker, by the server's own publish and subscribe.

At most once, in order, and only to who listens at that moment: a message is a hint or a question
whose asker asks again. Nothing rests on its arrival.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import monotonic
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS

from saphan_broker.clock import Clock
from saphan_broker.processes.wire import Body, Envelope, Message
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial, dial_as
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Line, LineDown
from saphan_broker.store.redis.refusals import Reply, checked

_log = logging.getLogger("saphan.broker")

AGAIN_SECONDS: Final = 0.2
"""Before the line is tried again."""
STEADY_SECONDS: Final = 30
"""A line that has held so long was up: that it is down is news."""
WAITING: Final = 4_096
"""Messages that wait to be sent; a line that takes none loses what comes beyond."""

Take = Callable[[bytes, Body], None]
"""(sender, what it says); called in order, on the event loop, and must not wait."""
Unsent = Callable[[], None]


class Ear(Line):
    """A line that listens: what is published comes unasked.

    Args:
        heard: gets the channel's name and the message.
    """

    def __init__(self, heard: Callable[[bytes, bytes], None]) -> None:
        super().__init__()
        self.ended = asyncio.Event()
        self._heard = heard

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended.set()

    def _answered(self, reply: Reply) -> None:
        if isinstance(reply, list) and reply[0] == b"message":
            self._heard(reply[1], reply[2])
        else:
            super()._answered(reply)


class Channel:
    """One process's ear and mouth, each a line of its own to the server.

    Args:
        process: this process's id.
        take: gets every message of another process.
        opened: is told each time that this process listens (again): what was said before is lost.
    """

    def __init__(
        self,
        address: RedisAddress,
        envelope: Envelope,
        clock: Clock,
        process: bytes,
        take: Take,
        opened: Unsent,
    ) -> None:
        self.process: Final = process
        self.lines = 0
        """How often this process began to listen."""
        self.idle = asyncio.Event()
        """Set while everything that was told is sent."""
        self._address = address
        self._envelope = envelope
        self._clock = clock
        self._take = take
        self._opened = opened
        self._prefix = Keys(address.name, "evidence").prefix + b"process:"
        self._numbers: dict[bytes, int] = {}
        self._number = 0
        self._out: deque[tuple[bytes | None, Body, Unsent | None]] = deque()
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen and to send."""
        self._tasks = [
            asyncio.create_task(self._again(self._listen), name="channel in"),
            asyncio.create_task(self._again(self._speak), name="channel out"),
        ]

    def tell(self, body: Body, to: bytes | None = None, unsent: Unsent | None = None) -> None:
        """Send to one process, or to all others; in the order of the calls.

        Args:
            unsent: is called if nobody can have got it.
        """
        if len(self._out) >= WAITING:
            if unsent is not None:
                unsent()
            return
        self._out.append((to, body, unsent))
        self._more.set()
        self.idle.clear()

    async def flushed(self) -> None:
        """Wait, a second at most, until what was told is sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self.idle.wait()

    async def close(self) -> None:
        """Send what waits, then fall silent; idempotent."""
        if self._tasks:
            await self.flushed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def forget(self, process: bytes) -> None:
        """A process has ended: its number will not be needed."""
        self._numbers.pop(process, None)

    # --- lines ------------------------------------------------------------------------------------

    async def _again(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """One line after the other, until cancelled; the same failure is logged once."""
        said = ""
        while True:
            begun = monotonic()
            try:
                await work()
            except (LineDown, SaphanError) as error:
                if str(error) != said or monotonic() - begun > STEADY_SECONDS:
                    _log.info("the line to the other processes is down: %s", error)
                said = str(error)
            except Exception:
                _log.exception("the line to the other processes met a bug")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        mine = {self._name(None): None, self._name(self.process): self.process}
        ear = await dial_as(
            self._address, lambda: Ear(lambda name, data: self._got(data, mine[name]))
        )
        try:
            for reply in await ear.ask([("SUBSCRIBE", name) for name in mine]):
                checked(reply)
            self.lines += 1
            self._opened()
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LIMITS.silence_ms / 2000):
                        await ear.ended.wait()
                await ear.ask([("PING",)])  # a half-open line would stay silent for ever
        finally:
            ear.abort()

    async def _speak(self) -> None:
        line = await dial(self._address)
        try:
            while True:
                if not self._out:
                    self._more.clear()
                    self.idle.set()
                    await self._more.wait()
                await self._send(line)
        finally:
            line.abort()

    async def _send(self, line: Line) -> None:
        """All that waits, in one piece; each message is heard by somebody, or said to be unsent."""
        sending, size = [], 0
        while self._out and size < LIMITS.forward_piece:
            to, body, unsent = self._out.popleft()
            sealed = self._sealed(to, body)
            sending.append((("PUBLISH", self._name(to), sealed), unsent))
            size += len(sealed)
        replies: list[Reply] = [0] * len(sending)
        try:
            replies = await line.ask([command for command, _unsent in sending])
        finally:
            for (_command, unsent), heard in zip(sending, replies, strict=True):
                if unsent is not None and not (isinstance(heard, int) and heard > 0):
                    unsent()
        for reply in replies:
            checked(reply)

    def _sealed(self, to: bytes | None, body: Body) -> bytes:
        self._number += 1
        message = Message(self.process, self._number, self._clock(), body)
        try:
            return self._envelope.seal(message, to)
        except OperatorError as error:  # the clock is before the seed's first day
            _log.warning("nothing can be told to other processes: %s", error)
            return b""

    # --- messages ---------------------------------------------------------------------------------

    def _name(self, to: bytes | None) -> bytes:
        return self._prefix + (b"all" if to is None else to.hex().encode())

    def _got(self, data: bytes, to: bytes | None) -> None:
        message = self._envelope.open(data, to, self._clock())
        if message is None or message.sender == self.process:
            return
        if message.number <= self._numbers.get(message.sender, 0):
            return  # said before: somebody repeats it
        if len(self._numbers) >= 4 * LIMITS.processes:
            self._numbers.pop(next(iter(self._numbers)))
        self._numbers[message.sender] = message.number
        try:
            self._take(message.sender, message.body)
        except Exception:  # a bug; the next message must not be lost with this one
            _log.exception("a message of another process met a bug")
