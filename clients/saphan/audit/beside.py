"""Signatures checked by processes of their own while the audit judges entries.

Signature checks are half of an audit's work, and threads lose them again in handing over the
interpreter's lock; so each core gets a process. A process that dies, hangs or cannot be started
costs time and nothing else: whatever it did not answer is checked in its turn. It ends when its
line to the audit is closed, also when the audit was killed.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from typing import Final

from saphan_protocol.batch import RootRef
from saphan_protocol.keys import VerifyingKey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import BatchSignature, Role

GROUP: Final = 16
"""Signatures in one message: 56 KB, which a socket takes without waiting for its reader."""
GROUPS_AHEAD: Final = 8
"""Messages of one process that are not answered yet."""
KEPT: Final = 16_384
"""Signatures begun and not asked for, 3.6 KB each; the oldest is forgotten."""
PATIENCE_SECONDS: Final = 60
"""A process that neither takes nor gives a group for so long hangs."""

Task = tuple[bytes, bytes | None, bytes, bytes]
"""(key id, public key unless it was sent before, message, signature)."""


@dataclass(slots=True)
class _Begun:
    signature: bytes
    worker: _Worker | None = None
    holds: bool | None = None


@dataclass(slots=True, eq=False)
class _Worker:
    """One process, the keys it knows, and the groups that it has not answered, oldest first.

    `gone`: it died or hangs, and is asked nothing more.
    """

    process: BaseProcess
    line: Connection
    keys: set[bytes] = field(default_factory=set)
    asked: deque[list[_Begun]] = field(default_factory=deque)
    gone: bool = False

    def ask(self, group: list[tuple[_Begun, VerifyingKey, bytes]]) -> None:
        """Send a group; what cannot be sent does not hold beside."""
        tasks: list[Task] = []
        for begun, key, message in group:
            public = None if key.key_id in self.keys else key.public
            self.keys.add(key.key_id)
            tasks.append((key.key_id, public, message, begun.signature))
            begun.worker = self
        self.asked.append([begun for begun, _, _ in group])
        try:
            self.line.send(tasks)
        except OSError:
            self._gone()

    def hear(self) -> None:
        """Wait for the answer to the oldest group."""
        try:
            answers: list[bool] = self.line.recv()
        except (OSError, EOFError):
            return self._gone()
        for begun, holds in zip(self.asked.popleft(), answers, strict=True):
            begun.holds = holds
        return None

    def _gone(self) -> None:
        self.gone = True
        self.process.kill()
        while self.asked:
            for begun in self.asked.popleft():
                begun.holds = False


class Processes:
    """A `saphan_protocol.audit.ahead.Beside`; processes start with the first full group.

    Args:
        count: processes, at least 1.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[_Worker] | None = None
        self._waiting: list[tuple[_Begun, VerifyingKey, bytes]] = []
        self._begun: OrderedDict[RootRef, _Begun] = OrderedDict()

    def begin(self, batch: BatchSignature, key: VerifyingKey, message: bytes) -> None:
        """Begin to check a signature."""
        begun = _Begun(batch.signature)
        self._begun[batch.key, batch.size, batch.root] = begun
        if len(self._begun) > KEPT:
            self._begun.popitem(last=False)
        self._waiting.append((begun, key, message))
        if len(self._waiting) == GROUP:
            group, self._waiting = self._waiting, []
            if (worker := self._least()) is not None:
                worker.ask(group)

    def holds(self, batch: BatchSignature) -> bool:
        """Whether it was begun and holds; waits for a process that has it."""
        begun = self._begun.pop((batch.key, batch.size, batch.root), None)
        if begun is None or begun.worker is None or begun.signature != batch.signature:
            return False
        while begun.holds is None:
            begun.worker.hear()
        return begun.holds

    def close(self) -> None:
        """End all processes."""
        workers, self._workers = self._workers or [], []
        for worker in workers:
            worker.line.close()
        for worker in workers:
            worker.process.join(PATIENCE_SECONDS)
            worker.process.kill()

    def _least(self) -> _Worker | None:
        """Who has least to do; None where no process could be started, or none is left."""
        if self._workers is None:
            self._workers = _start(self._count)
        alive = [worker for worker in self._workers if not worker.gone]
        if not alive:
            return None
        least = min(alive, key=lambda worker: len(worker.asked))
        while len(least.asked) >= GROUPS_AHEAD:
            least.hear()
        return least


@contextmanager
def processes(count: int | None) -> Iterator[Processes | None]:
    """Processes beside, ended with the block.

    Args:
        count: None: one for each core; 0: none at all.
    """
    if count is None:
        count = _cores()
    if count == 0:
        yield None
        return
    beside = Processes(count)
    try:
        yield beside
    finally:
        beside.close()


def _cores() -> int:
    # What a container or `taskset` leaves to this process; not every system can tell.
    allowed: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1) if allowed is None else len(allowed(0))


def _start(count: int) -> list[_Worker]:
    """As many processes as this machine gives, none if it has no room for any."""
    context = get_context("spawn")  # forking would copy an audit's memory and its open files
    ensure_running()  # it would let Ctrl-C through again
    workers: list[_Worker] = []
    # The audit hears Ctrl-C and closes the lines; a process would answer it with a page of code.
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs,), daemon=True)
            _bound(ours)
            with theirs:
                process.start()
            workers.append(_Worker(process, ours))
    except OSError:
        pass  # the audit checks alone what nobody checks beside
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    return workers


def _bound(line: Connection) -> None:
    """Sending and receiving fail after `PATIENCE_SECONDS`."""
    with socket.socket(fileno=os.dup(line.fileno())) as same:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            same.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", PATIENCE_SECONDS, 0))


def work(line: Connection) -> None:
    """What a process does: checks what comes, until the line is closed."""
    keys: dict[bytes, VerifyingKey] = {}
    while True:
        try:
            tasks: list[Task] = line.recv()
            line.send([_holds(task, keys) for task in tasks])
        except (EOFError, OSError):
            return


def _holds(task: Task, keys: dict[bytes, VerifyingKey]) -> bool:
    name, public, message, signature = task
    try:
        if public is not None:
            keys[name] = VerifyingKey(Role.NODE, public)
        keys[name].verify(message, signature)
    except InvalidInput:
        return False
    return True
