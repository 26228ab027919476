"""Tasks that live and die together: the parts of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable


async def until_first_error(*work: Coroutine[Any, Any, None]) -> None:
    """Run until one of them fails; the others are cancelled and waited for.

    Raises:
        BaseException: the gravest of what they ended with, always.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    raise _worst(results)


def _worst(results: Sequence[BaseException | None]) -> BaseException:
    """A bug first, then what a person must see, then the broken line."""
    errors = [
        one
        for one in results
        if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError)
    ]
    rank = {Unavailable: 2, SaphanError: 1}
    for kind in (0, 1, 2):
        for error in errors:
            found = next((n for family, n in rank.items() if isinstance(error, family)), 0)
            if isinstance(error, OperatorError):
                found = 1
            if found == kind:
                return error
    return Unavailable("line_down", "the session ended")
