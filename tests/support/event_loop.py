"""A guard against blocking calls: what stops the event loop stops every agency at once."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from blockbuster import BlockBuster
from blockbuster.blockbuster import BlockBusterFunction, BlockingError

__all__ = ["BlockingError", "watch_event_loop"]

TESTS = Path(__file__).resolve().parents[1]
PRODUCT = tuple(f"{TESTS.parent / room}/" for room in ("schemas", "protocol", "broker", "clients"))
COROUTINE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

MORE_BLOCKING_CALLS = ("os.fsync", "os.fdatasync", "os.truncate", "fcntl.flock")
"""What blockbuster does not know of and a carrier does often: reaching the disk, a lock."""

ALLOWED: tuple[tuple[str, str, str], ...] = (
    ("saphan_broker/init.py", "_begin", "the command line's own event loop serves nobody else"),
)
"""(end of file name, function, reason) where a blocking call in a coroutine is accepted."""


@contextmanager
def watch_event_loop() -> Iterator[None]:
    """Raise BlockingError at a blocking call whose nearest coroutine is the product's.

    A coroutine of the test itself may read and write files: no agency waits for it.
    """
    guard = BlockBuster()
    for name in MORE_BLOCKING_CALLS:
        guard.functions[name] = BlockBusterFunction(None, name)
    for function in guard.functions.values():
        function.can_block_predicate = _unless_ours(function.can_block_predicate)
        for file_name, name, _reason in ALLOWED:
            function.can_block_in(file_name, name)
    guard.activate()
    try:
        yield
    finally:
        guard.deactivate()


def _unless_ours(harmless: Callable[..., bool]) -> Callable[..., bool]:
    def may_block(*args: Any, **kwargs: Any) -> bool:
        return harmless(*args, **kwargs) or not _blamed(sys._getframe(1))

    return may_block


def _blamed(frame: FrameType | None) -> bool:
    """Walk outward to the nearest coroutine that is the product's or the tests'."""
    product_seen = False
    while frame is not None:
        code = frame.f_code
        in_product = code.co_filename.startswith(PRODUCT)
        product_seen = product_seen or in_product
        if code.co_flags & COROUTINE:
            if in_product:
                return True
            if code.co_filename.startswith(f"{TESTS}/"):
                return False
        frame = frame.f_back
    return product_seen  # a callback of the loop itself, without a coroutine around it
