"""The other processes of this broker, as their beats show them: their sessions and clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from saphan_schemas.limits import LIMITS

from saphan_broker.processes.wire import Beat
from saphan_broker.state import State


@dataclass(frozen=True, slots=True)
class _Peer:
    beat: Beat
    seen: float
    """When it came, on the event loop's clock."""


class Peers:
    """Owned by the event loop. A process that is silent for `LIMITS.silence_ms` is gone, and with
    it go its sessions' tokens and clocks."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._peers: dict[bytes, _Peer] = {}
        self._news = asyncio.Event()

    def beat(self, sender: bytes, beat: Beat) -> Beat | None:
        """Take a beat in; gives the one before it."""
        before = self._forget(sender)
        if before is None and len(self._peers) >= LIMITS.processes:
            return None
        self._peers[sender] = _Peer(beat, asyncio.get_running_loop().time())
        now = self._state.clock()
        for place, (agency, ahead) in enumerate(beat.clocks):
            self._state.clocks.report((sender, place), agency, now + ahead)
        news, self._news = self._news, asyncio.Event()
        news.set()
        return before

    def gone(self, sender: bytes) -> None:
        """It has ended, or must be taken for it."""
        self._forget(sender)

    def prune(self) -> None:
        """Forget who is silent."""
        limit = asyncio.get_running_loop().time() - LIMITS.silence_ms / 1000
        for sender in [name for name, peer in self._peers.items() if peer.seen < limit]:
            self.gone(sender)

    @property
    def known(self) -> bool:
        """Whether there is anybody else."""
        return bool(self._peers)

    def holds(self, sender: bytes) -> bool:
        """Whether this process says that it sequences."""
        peer = self._peers.get(sender)
        return peer is not None and peer.beat.holding

    def stopped(self, sender: bytes) -> tuple[tuple[str, str], ...]:
        """(code, message) of what stops that process."""
        peer = self._peers.get(sender)
        return () if peer is None else peer.beat.stopped

    def total(self) -> int:
        """Sessions that are open elsewhere."""
        return sum(len(peer.beat.sessions) for peer in self._peers.values())

    def serve(self, agencies: Collection[str]) -> bool:
        """Whether one of these agencies has a session elsewhere."""
        return any(
            session.agency in agencies
            for peer in self._peers.values()
            for session in peer.beat.sessions
        )

    async def admit(self, token: bytes) -> bool:
        """Whether the token of this digest is of a session elsewhere.

        Its process may just be saying so: waits for that, for a beat's time at most.
        """
        try:
            async with asyncio.timeout(LIMITS.beat_ms / 1000):
                while not self._knows(token):
                    if not self._peers:
                        return False
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _knows(self, token: bytes) -> bool:
        return any(
            session.token == token
            for peer in self._peers.values()
            for session in peer.beat.sessions
        )

    def _forget(self, sender: bytes) -> Beat | None:
        peer = self._peers.pop(sender, None)
        if peer is None:
            return None
        for place in range(len(peer.beat.clocks)):
            self._state.clocks.forget((sender, place))
        return peer.beat
