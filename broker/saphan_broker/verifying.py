"""Signature checks beside the event loop: whatever waits goes to a thread in one piece.

A hand-over to a thread costs as much as a part of a check, and under load each waits its turn; so
while the threads are busy the checks of all sessions gather, and one hand-over takes many.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from saphan_protocol.batch import VerifiedRoots, signed_bytes
from saphan_protocol.keys import VerifyingKey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import BatchSignature

AT_ONCE = 32
"""Checks of one hand-over, about 7 ms: a session that comes later does not wait long."""

_Check = tuple[VerifyingKey, BatchSignature, asyncio.Future[bool]]


class Verifier:
    """Checks batch signatures and remembers those that hold; owned by the event loop."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int, verified: VerifiedRoots) -> None:
        self._pool = pool
        self._idle = threads
        self._verified = verified
        self._waiting: deque[_Check] = deque()

    async def holds(self, key: VerifyingKey, batch: BatchSignature) -> bool:
        """Whether the signature is the key's; if it is, admission will not compute it again."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, batch, answer))
        self._hand_over()
        return await answer

    def _hand_over(self) -> None:
        while self._idle and self._waiting:
            share = min(AT_ONCE, -(-len(self._waiting) // self._idle))
            checks = [self._waiting.popleft() for _ in range(share)]
            self._idle -= 1
            loop = asyncio.get_running_loop()
            job = loop.run_in_executor(self._pool, _check_all, checks)
            job.add_done_callback(lambda job, checks=checks: self._done(job, checks))  # type: ignore[misc]

    def _done(self, job: asyncio.Future[list[bool]], checks: Sequence[_Check]) -> None:
        self._idle += 1
        if job.cancelled() or job.exception() is not None:  # the broker is closing
            for _key, _batch, answer in checks:
                answer.cancel()
            return
        for (_key, batch, answer), good in zip(checks, job.result(), strict=True):
            if good:
                self._verified.add(batch)
            if not answer.done():
                answer.set_result(good)
        self._hand_over()


def _check_all(checks: Sequence[_Check]) -> list[bool]:
    return [_good(key, batch) for key, batch, _answer in checks]


def _good(key: VerifyingKey, batch: BatchSignature) -> bool:
    try:
        key.verify(signed_bytes(key.role, batch.size, batch.root), batch.signature)
    except InvalidInput:
        return False
    return True
