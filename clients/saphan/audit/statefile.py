"""The state of an audit in a file: it goes on where it was cut off, or where last month's ended.

    SHA-256 of the rest (32 bytes) || state (`saphan_protocol.audit.resuming`)

What it says is believed: it is the auditor's own, and readable by its owner only.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import MIB

from saphan.durable import replace_file
from saphan.private import read_private

STATE_BYTES: Final = 1024 * MIB
"""About 0.2 KB per delivery: five million of them."""
KEEP_SECONDS: Final = 60.0
CHUNK: Final = MIB


class StateFile:
    """A `saphan_protocol.audit.resuming.Keeper`; at most one write a minute, and one at the end.

    Args:
        clock: seconds that never fall.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._next = clock() + KEEP_SECONDS

    def read(self) -> bytes | None:
        """The state that was kept; None if there is none.

        Raises:
            OperatorError: `file_unreadable`, `key_file_exposed`; InvalidInput: `state_malformed`.
        """
        if not self._path.exists():
            return None
        data = read_private(self._path, STATE_BYTES, "state")
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            raise InvalidInput(
                "state_malformed",
                f"{self._path} is not the state of an audit, or was changed",
                field="state",
                hint="remove it: the audit then begins anew",
            )
        return data[32:]

    def due(self) -> bool:
        """Whether the last one is a minute old."""
        return self._clock() >= self._next

    def keep(self, state: bytes) -> None:
        """Put it in the place of the one before, durably.

        Raises:
            OperatorError: `file_unwritable`.
        """
        replace_file(self._path, hashlib.sha256(state).digest() + state)
        self._next = self._clock() + KEEP_SECONDS


def digest_file(path: Path) -> bytes:
    """SHA-256 of a file, read in pieces.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                digest.update(piece)
    except FileNotFoundError:
        raise OperatorError(
            "file_missing", f"there is no file {path} (pack)", field="pack"
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: {error.strerror}", field="pack"
        ) from None
    return digest.digest()
