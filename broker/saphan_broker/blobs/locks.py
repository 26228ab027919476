"""Locks between the processes that share one folder of attachments.

locks/<agency>   held for every call about an agency's staged bytes and its unlogged bulletins
locks/+final     shared while a bulletin's files are made final, exclusive while some are removed

What a crash means: the kernel frees the locks of a process that ends, however it ends. A process
that is stopped keeps its own; the others give up after a while and say so. On a network file system
this needs one that carries flock between its clients, as NFS 4 does.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FINAL: Final = "+final"
TOKEN_BYTES: Final = 16


class Busy(Exception):
    """Another call has the lock: no error, it is tried again."""


class Locks:
    """The locks under `place`; functions run on threads and never wait.

    The file of an agency's lock says which process had it last. So each process may remember what
    it has counted for as long as nobody else had a turn.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._token = secrets.token_bytes(TOKEN_BYTES)

    @contextmanager
    def agency(self, agency: str) -> Iterator[bool]:
        """Hold an agency's lock; gives whether this process had it last as well.

        Raises:
            Busy: somebody else holds it.
        """
        with self._hold(agency, fcntl.LOCK_EX) as descriptor:
            ours = os.pread(descriptor, TOKEN_BYTES, 0) == self._token
            if not ours:  # before anything changes: the last one must not trust what it remembers
                os.pwrite(descriptor, self._token, 0)
            yield ours

    @contextmanager
    def linking(self) -> Iterator[None]:
        """Nothing final is removed for this long; raises Busy while something is."""
        with self._hold(FINAL, fcntl.LOCK_SH):
            yield

    @contextmanager
    def removing(self) -> Iterator[None]:
        """Nothing is made final for this long; raises Busy while something is."""
        with self._hold(FINAL, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _hold(self, name: str, how: int) -> Iterator[int]:
        try:
            descriptor = self._open(name)
        except FileNotFoundError:  # the first one ever
            for folder in (self._place.parent, self._place):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = self._open(name)
        try:
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(name) from None
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        return os.open(self._place / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
