"""The role of a process that has its store to itself: it sequences from start to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from saphan_broker.alarms import Alarm
from saphan_broker.processes.duties import Duties
from saphan_broker.retention.progress import Progress
from saphan_broker.sequencing.sequencer import Sequencer
from saphan_broker.sequencing.work import Item, Work
from saphan_broker.sessions.tokens import Tokens
from saphan_broker.state import State
from saphan_broker.witnessed import WitnessedTime


@dataclass(frozen=True, slots=True)
class Parts:
    """What a role is made of.

    Args:
        stopped: what keeps this process, when it sequences, from logging anything.
    """

    state: State
    sequencer: Sequencer
    duties: Duties
    witnessed: WitnessedTime
    tokens: Tokens
    stopped: Callable[[], list[Alarm]]
    progress: Progress


class Role(Protocol):
    """Who sequences, as sessions and operators see it: they submit, and it finds the way."""

    @property
    def alone(self) -> bool:
        """Whether no other process can serve this store."""

    @property
    def holding(self) -> bool:
        """Whether this process sequences."""

    @property
    def holder_known(self) -> bool:
        """Whether some process does."""

    @property
    def waiting(self) -> tuple[int, int]:
        """Items that wait for their outcome, and their bytes."""

    def reasons(self) -> list[Alarm]:
        """What keeps the process that sequences, if it is another one, from it."""

    def submit(self, item: Item) -> Work:
        """Queue an item; its outcome follows its durable signed head.

        Raises:
            Unavailable: `busy`, `shutting_down`, `no_holder`.
        """

    async def admits(self, token: bytes) -> bool:
        """Whether another process has a session with the token of this digest."""

    async def leads(self) -> bool:
        """Whether this process may still sequence; asked after a failure."""

    def override(self, reason: str) -> None:
        """The operator lets the signers sign: tell whoever else may sequence."""

    async def start(self, override: str | None) -> None:
        """Read the state, sign what may be signed, begin to work.

        Raises:
            OperatorError: as `State.load`.
        """

    async def close(self, patience: float) -> None:
        """Work off what waits, for so many seconds at most, and end; idempotent."""


class Alone:
    """No other process serves this store: there is nobody to ask and nobody to tell."""

    alone = True
    holding = True
    holder_known = True

    def __init__(self, parts: Parts) -> None:
        self._state = parts.state
        self._sequencer = parts.sequencer
        self._duties = parts.duties
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> tuple[int, int]:
        return self._sequencer.waiting, self._sequencer.waiting_bytes

    def reasons(self) -> list[Alarm]:
        return []

    def submit(self, item: Item) -> Work:
        return self._sequencer.submit(item)

    async def admits(self, token: bytes) -> bool:
        return False

    async def leads(self) -> bool:
        return True

    def override(self, reason: str) -> None:
        """There is nobody else."""

    async def start(self, override: str | None) -> None:
        await self._state.load()
        await release(self._state, self._sequencer, override)
        self._running = asyncio.create_task(self._sequencer.run(), name="sequencer")
        self._duties.begin()

    async def close(self, patience: float) -> None:
        self._sequencer.close()
        await self._duties.end()
        if self._running is not None:
            await asyncio.wait([self._running], timeout=patience)
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)


async def release(state: State, sequencer: Sequencer, override: str | None) -> None:
    """Let the signers sign, where nobody can be waited for, and sign what is committed.

    Args:
        override: the operator's reason to sign without having heard a node; it is logged.
    """
    if override is not None or not state.directory.has_node():
        for signer in state.signers.values():
            if not signer.released:
                signer.allow_unheard(override or "no node is enrolled")
    if all(signer.released for signer in state.signers.values()):
        await sequencer.settle()
