"""What a disk reports failed may be kept all the same (an error after the last write).

Then it waits to be sent, and whoever asks again has its first answer: nobody would look for it
before the next session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from saphan_schemas.errors import OperatorError


@contextmanager
def looked_for(look: Callable[[], None]) -> Iterator[None]:
    """Look for what the block may have kept, if it ends with an error of the disk."""
    try:
        yield
    except OperatorError:
        look()
        raise
