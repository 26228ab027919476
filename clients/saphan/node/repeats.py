"""Machine-made bulletins that a system may send again without knowing whether the first one came.

The system names its request with an idempotency key of its own choice. The first bulletin that is
kept under it is the answer to every repetition, for `LIMITS.repeats_ms`; it is written in the
transaction that keeps the bulletin, so that no crash makes two of one. What was refused is not
remembered: it may be sent again, and is judged afresh.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS

from saphan.compose import Wish
from saphan.node.files.uploads import KEEPER
from saphan.node.rows.db import Database

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r'"?([!#-~]{8,128})"?', re.ASCII)
"""Visible characters; the quotes of draft-ietf-httpapi-idempotency-key-header may stand around."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request that may come again.

    Args:
        caller: label of who asks, `key`: their name for it; request: SHA-256 of what it says.
    """

    caller: str
    key: str
    request: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a machine-made bulletin.

    Args:
        owner: whose uploads it takes; repeat: None: it does not come again.
    """

    owner: str = KEEPER
    repeat: Repeat | None = None


KEEPERS: Final = Asked()
"""Of the agency's own commands, once."""


def repeat_of(caller: str, header: str | None, wish: Wish) -> Repeat | None:
    """The repeatable request that a header announces; None if there is no header.

    Raises:
        InvalidInput: `repeat_malformed`.
    """
    if header is None:
        return None
    found = _KEY.fullmatch(header)
    if found is None:
        raise InvalidInput(
            "repeat_malformed",
            "an idempotency key is 8 to 128 visible characters",
            field=HEADER,
            hint="take the case system's own number of the message, or a UUID",
        )
    said = msgspec.json.encode(wish, order="deterministic")
    return Repeat(caller, found[1], hashlib.sha256(said).digest())


class Repeats:
    """First answers, those that are kept and those that are on their way. On the event loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._coming: dict[tuple[str, str], tuple[bytes, asyncio.Future[bytes]]] = {}

    def coming(self, repeat: Repeat) -> asyncio.Future[bytes] | None:
        """The answer that is being made to the same request.

        Raises:
            Refused: `repeat_differs`.
        """
        found = self._coming.get((repeat.caller, repeat.key))
        if found is None:
            return None
        _check_same(repeat, found[0])
        return found[1]

    def expect(self, repeat: Repeat, answer: asyncio.Future[bytes]) -> None:
        """Let the same request wait for this answer, until it is there."""
        name = (repeat.caller, repeat.key)
        self._coming[name] = (repeat.request, answer)
        answer.add_done_callback(partial(self._answered, name))

    def _answered(self, name: tuple[str, str], answer: asyncio.Future[bytes]) -> None:
        self._coming.pop(name, None)
        if not answer.cancelled():
            answer.exception()  # looked at, even if everybody who waited for it has gone away

    def first(self, repeat: Repeat) -> bytes | None:
        """Id of the bulletin that this request has made; blocking.

        Raises:
            Refused: `repeat_differs`.
        """
        row = self._db.row(
            "SELECT request, bulletin FROM repeats WHERE caller = ? AND key = ?",
            (repeat.caller, repeat.key),
        )
        if row is None:
            return None
        _check_same(repeat, row[0])
        found: bytes = row[1]
        return found


def keep_repeats(
    tx: sqlite3.Connection, kept: Sequence[tuple[Repeat | None, bytes]], now: int
) -> None:
    """Keep first answers (request, bulletin id) beside their bulletins; let go of old ones."""
    rows = [(r.caller, r.key, r.request, bulletin, now) for r, bulletin in kept if r is not None]
    if rows:
        tx.execute("DELETE FROM repeats WHERE time < ?", (now - LIMITS.repeats_ms,))
        tx.executemany("INSERT INTO repeats VALUES (?, ?, ?, ?, ?)", rows)


def _check_same(repeat: Repeat, request: bytes) -> None:
    if repeat.request != request:
        raise Refused(
            "repeat_differs",
            f"another bulletin was sent under the idempotency key {repeat.key}",
            field=HEADER,
            hint="every bulletin has a key of its own; only the very same one is sent again",
        )
