"""Messages between the processes of one broker, by the server's own publish and subscribe.

At most once, in order, and only to who listens at that moment: a message is a hint or a question
whose asker asks again. Nothing rests on its arrival.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS

from saphan_broker.clock import Clock
from saphan_broker.processes.wire import Body, Envelope, Message
from saphan_broker.store.redis.address import RedisAddress, connect
from saphan_broker.store.redis.keys import Keys

_log = logging.getLogger("saphan.broker")

AGAIN_SECONDS: Final = 0.2
"""Before the line is tried again."""
WAITING: Final = 4_096
"""Messages that wait to be sent; a line that takes none loses what comes beyond."""

Take = Callable[[bytes, Body], None]
"""(sender, what it says); called in order, on the event loop, and must not wait."""
Unsent = Callable[[], None]


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
        self.listening = asyncio.Event()
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
        self._idle = asyncio.Event()
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
        self._idle.clear()

    async def flushed(self) -> None:
        """Wait, a second at most, until what was told is sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._idle.wait()

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

    async def _again(self, work: Callable[[Redis], asyncio.Future[None] | object]) -> None:
        """One line after the other, until cancelled."""
        while True:
            client = None
            try:
                client = await asyncio.to_thread(connect, self._address)
                await work(client)  # type: ignore[misc]
            except (RedisError, OSError, SaphanError) as error:
                _log.info("the line to the other processes is down: %s", type(error).__name__)
            except Exception:
                _log.exception("the line to the other processes met a bug")
            finally:
                if client is not None:
                    with suppress(RedisError, OSError):
                        await client.aclose()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self, client: Redis) -> None:
        mine = {self._name(None): None, self._name(self.process): self.process}
        async with client.pubsub(ignore_subscribe_messages=False) as line:
            await line.subscribe(*mine)
            try:
                await self._hear(line, mine)
            finally:
                self.listening.clear()

    async def _hear(self, line: PubSub, mine: dict[bytes, bytes | None]) -> None:
        awaited = set(mine)
        while True:
            # Without a limit of time a half-open line would stay silent for ever.
            got = await line.get_message(timeout=LIMITS.silence_ms / 1000)
            if got is None:
                raise RedisError("nothing was heard, not even ourselves")
            if got["type"] == "message":
                self._got(got["data"], mine[got["channel"]])
            elif got["type"] == "subscribe" and awaited:
                awaited.discard(got["channel"])
                if not awaited:
                    self.lines += 1
                    self.listening.set()
                    self._opened()

    async def _speak(self, client: Redis) -> None:
        while True:
            if not self._out:
                self._more.clear()
                self._idle.set()
                await self._more.wait()
            to, body, unsent = self._out.popleft()
            try:
                heard = await self._publish(client, to, body)
            except BaseException:
                if unsent is not None:
                    unsent()
                raise
            if not heard and unsent is not None:
                unsent()

    async def _publish(self, client: Redis, to: bytes | None, body: Body) -> int:
        self._number += 1
        message = Message(self.process, self._number, self._clock(), body)
        try:
            sealed = self._envelope.seal(message, to)
        except OperatorError as error:  # the clock is before the seed's first day
            _log.warning("nothing can be told to other processes: %s", error)
            return 0
        heard: int = await client.publish(self._name(to), sealed)
        return heard

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
