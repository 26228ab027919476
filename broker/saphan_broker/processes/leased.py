"""The role of one process among many: it follows, or it holds the lease and sequences for all.

    following   reads what the holder signs, forwards what its sessions bring
    taking      has the lease, reads the store under its own epoch, signs what is committed
    holding     sequences and signs; renews the lease twice a second

That nothing is written or signed twice does not rest on this: the store refuses every epoch but
the newest, and the signer's own file every second root. The lease only decides who tries.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable

from saphan_broker.alarms import Alarm, Complaint
from saphan_broker.processes.alone import Parts, release
from saphan_broker.processes.following import Following
from saphan_broker.processes.forwarding import Forwarding, unled
from saphan_broker.processes.talking import Talking
from saphan_broker.sequencing.work import Item, NewHead, Work
from saphan_broker.store.base import Store
from saphan_broker.store.redis.lease import RENEW_MS, Lease

_log = logging.getLogger("saphan.broker")

LOOK_SECONDS: Final = 0.2
"""Between looks at a lease that another process holds, or nobody."""
UNREACHABLE: Final = "lease_unreachable"
LOCKED: Final = "signer_locked"
LOCK_SECONDS: Final = 2.0
"""A signature takes milliseconds; a slow disk takes a part of this."""
HOPELESS_SECONDS: Final = 5.0
"""After a take-over that failed for a reason which a person must look into."""


Fence: TypeAlias = Callable[[Store], Store]


class Leased:
    """Owned by the event loop; `start` and `close` once each.

    Args:
        lease: taken by a process with signers only; others ask it who sequences.
        fence: lets the store write under the lease's epoch, and refuse every other one.
    """

    alone = False

    def __init__(self, parts: Parts, lease: Lease, talking: Talking, fence: Fence) -> None:
        self.holding = False
        self._state = parts.state
        self._sequencer = parts.sequencer
        self._duties = parts.duties
        self._lease = lease
        self._talking = talking
        self._fence = fence
        self._forwarding: Forwarding = talking.forwarding
        self._complaint = Complaint(self._state.alarms)
        self._following = Following(self._state, self._follows)
        self._taking_over = False
        self._closing = False
        self._lost = asyncio.Event()
        self._look = asyncio.Event()
        self._renewing = asyncio.Lock()
        self._epoch = 0
        self._override: str | None = None
        self._holder: bytes | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # --- what sessions and operators ask ----------------------------------------------------------

    @property
    def holder_known(self) -> bool:
        """Whether this process or another one sequences."""
        return self.holding or self._holder is not None

    @property
    def waiting(self) -> tuple[int, int]:
        """Items that wait for their outcome, and their bytes."""
        sequencer, forwarding = self._sequencer, self._forwarding
        return (
            sequencer.waiting + forwarding.waiting,
            sequencer.waiting_bytes + forwarding.waiting_bytes,
        )

    def reasons(self) -> list[Alarm]:
        """Why nothing is logged, where that is not this process's own to say."""
        if self.holding:
            return []
        if self._holder is None:
            why = unled()
            return [Alarm(why.code, f"{why.message}; {why.hint}", True)]
        told = self._talking.peers.stopped(self._holder)
        return [Alarm(code, f"where it is sequenced: {message}", True) for code, message in told]

    def submit(self, item: Item) -> Work:
        """Queue an item here, or for the process that sequences."""
        return self._sequencer.submit(item) if self.holding else self._forwarding.submit(item)

    async def admits(self, token: bytes) -> bool:
        """Whether another process has a session with the token of this digest."""
        return await self._talking.peers.admit(token)

    async def leads(self) -> bool:
        """Whether the lease is still ours; the sequencer asks before it goes on after a failure."""
        if self._lost.is_set():
            return False
        if await self._still_ours():
            return True
        self._lost.set()
        return False

    async def _still_ours(self) -> bool:
        """Hold the lease further; one that ran out while nobody else looked is taken back."""
        async with self._renewing:
            epoch = self._epoch
            if await self._lease.renew():
                return True
            if not self.holding or not await self._taken_back():
                return False
            if self._lease.epoch != epoch + 1:  # somebody else has written meanwhile
                await self._lease.release()
                return False
            # A commit under way is written under the old epoch before this, or not at all.
            self._epoch = self._lease.epoch
            self._fence(self._state.store)
            _log.warning("this process was slow: it took its lease back (epoch %d)", self._epoch)
            return True

    async def _taken_back(self) -> bool:
        try:
            return await self._lease.take()
        except OperatorError:  # the server is not what it was: said when the next turn finds it
            return False

    # --- life -------------------------------------------------------------------------------------

    async def start(self, override: str | None) -> None:
        """Read the state, listen, and begin to follow; the first one takes the lease at once."""
        self._override = override
        self._sequencer.rest(unled())
        await self._state.load()
        self._state.catch_up = self._following.catch_up
        self._talking.begin(self)
        await self._following.catch_up()  # the log may have grown while it was read
        with suppress(SaphanError):
            await self._turn()  # so that who starts alone is ready at once
        self._tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("sequencer", self._sequencer.run()),
                ("role", self._run()),
                ("lease", self._renew()),
                ("following", self._following.run()),
                ("forwarding", self._forwarding.run()),
            )
        ]

    async def close(self, patience: float) -> None:
        """Work off what waits, give the lease back, tell the others; idempotent."""
        if self._closing:
            return
        self._closing = True
        self._sequencer.close()
        await self._duties.end()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=patience)
        self._forwarding.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.holding:
            self.holding = False
            with suppress(SaphanError):
                await self._lease.release()
        await self._talking.end()
        await self._lease.close()

    async def _run(self) -> None:
        while True:
            self._look.clear()
            pause = LOOK_SECONDS
            try:
                await self._turn()
                self._complaint.about(None)
                if not self.holding:
                    self._state.alarms.clear(UNREACHABLE)
            except Unavailable as error:
                self._state.alarms.sound(UNREACHABLE, f"who sequences is not known: {error}")
                self._turn_to(None)
            except SaphanError as error:  # the server has answered, and not well
                self._state.alarms.clear(UNREACHABLE)
                self._complaint.about(error)
                pause = HOPELESS_SECONDS
            except Exception:  # a bug; the next turn must still come
                _log.exception("the lease met a bug")
                pause = HOPELESS_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._look.wait()

    async def _turn(self) -> None:
        if self._lost.is_set():
            await self._step_down()
        if self.holding:
            if self._sequencer.broken:
                self._nudge()
            return
        held = await self._lease.current()
        if held is None or held[0] == self._lease.holder:
            self._turn_to(None)
            if self._state.signers and not self._closing and await self._lease.take():
                await self._take_over()
            return
        holder = bytes.fromhex(held[0])
        self._turn_to(holder if self._talking.peers.holds(holder) else None)

    def _nudge(self) -> None:
        """What has failed is tried again although nobody sends anything."""
        with suppress(Unavailable):
            if not self._sequencer.waiting:
                self._sequencer.submit(NewHead())

    def _turn_to(self, holder: bytes | None) -> None:
        if holder != self._holder:
            _log.info("another process sequences: %s", "none" if holder is None else holder.hex())
        self._holder = holder
        self._forwarding.turn_to(holder)

    def _follows(self) -> bool:
        return not self.holding and not self._taking_over

    async def _renew(self) -> None:
        """Beside everything else: reading a long log takes longer than a lease lasts."""
        while True:
            await asyncio.sleep(RENEW_MS / 1000)
            if not (self.holding or self._taking_over):
                continue
            try:
                if not await self._still_ours():
                    self._lost.set()
                    self._look.set()
            except SaphanError as error:
                # It runs out, or it does not: nothing can be written meanwhile either way.
                self._state.alarms.sound(UNREACHABLE, f"the lease cannot be renewed: {error}")
            else:
                self._state.alarms.clear(UNREACHABLE)

    # --- changes of the role ----------------------------------------------------------------------

    async def _take_over(self) -> None:
        """Ours is the newest epoch: from here on no other process can write.

        A crash in here: the lease runs out, and the next one does the same.
        """
        self._lost.clear()
        self._epoch = self._lease.epoch
        self._taking_over = True
        try:
            async with self._following.still():
                self._fence(self._state.store)
                await self._state.lead()
                async with self._noticed():
                    await release(self._state, self._sequencer, self._override)
        except BaseException:
            with suppress(SaphanError):
                await self._lease.release()
            raise
        finally:
            self._taking_over = False
        self.holding = True
        self._turn_to(None)
        self._sequencer.take_up()
        self._duties.begin()
        self._talking.lead()
        self._state.alarms.clear("following")
        _log.warning("this process sequences and signs from now on (epoch %d)", self._lease.epoch)

    @asynccontextmanager
    async def _noticed(self) -> AsyncIterator[None]:
        """Signing waits for the signer's lock: a process that stands still inside it, stopped and
        not dead, cannot be passed by, or a size might get two roots."""

        def sound() -> None:
            self._state.alarms.sound(
                LOCKED,
                "signing waits for another process of this host, which holds the signer's lock; if "
                "that stands still, end it (SIGKILL): what it had begun is finished by this one",
                stops=True,
            )

        timer = asyncio.get_running_loop().call_later(LOCK_SECONDS, sound)
        try:
            yield
        finally:
            timer.cancel()
            self._state.alarms.clear(LOCKED)

    async def _step_down(self) -> None:
        """Another process sequences, or the server has forgotten that we do: only follow."""
        _log.warning("this process does not sequence any more: its lease is lost")
        self.holding = False
        self._talking.follow()
        await self._duties.end()
        await self._sequencer.stand_down(unled())
        # They end where another process goes on.
        self._state.recent_rows.clear()
        self._lost.clear()
        self._following.hint()

    # --- what others say --------------------------------------------------------------------------

    def look(self) -> None:
        """Something may have changed about who sequences."""
        self._look.set()

    @property
    def following(self) -> Following:
        """What is known of logs that another process writes."""
        return self._following

    def freed(self) -> None:
        """The signers may sign from now on: what is committed is signed at once."""
        if self.holding:
            self._nudge()

    def override(self, reason: str) -> None:
        """The operator lets the signers sign, here and at whoever sequences."""
        self._talking.override(reason)
