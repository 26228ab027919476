"""Tokens of the local API: each of one system or one officer, expiring, revocable, kept hashed.

A token is 32 random bytes, so its SHA-256 is enough to know it again, and of no use to whoever
reads the store. An officer's token is bound to the key that was active when it was made: it ends
with that key, so that what is left on a stolen machine does not come alive with a new one.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Role

from saphan.node.callers import Caller, Officer, System
from saphan.node.logs import Logs
from saphan.node.officers.active_officer import active_officer
from saphan.node.rows.db import Database
from saphan.node.token_kept import (
    COLUMNS,
    Token,
    Wanted,
    check_living,
    check_wanted,
    row_of,
    token_of,
)

PREFIX: Final = "saphan-"
"""So that a token in a place where none belongs is recognised as what it is."""


class Tokens:
    """The tokens of one node. Thread-safe.

    Args:
        clock: ms UTC.
    """

    def __init__(self, agency: str, db: Database, logs: Logs, clock: Callable[[], int]) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._clock = clock
        self._changing = threading.Lock()
        self._lock = threading.Lock()
        rows = db.rows(f"SELECT {COLUMNS} FROM tokens ORDER BY made")  # noqa: S608 (our names)
        self._kept = {row[0]: token_of(row) for row in rows}

    # --- whose token ------------------------------------------------------------------------------

    def caller(self, text: str) -> Caller:
        """Whom a token stands for; its use is noted in memory. An officer may have left: `check`.

        Raises:
            Refused: `token_wrong`, `token_revoked`, `token_expired`.
        """
        digest, now = _digest(text), self._clock()
        with self._lock:
            token = self._kept.get(digest)
            if token is None:
                raise Refused(
                    "token_wrong",
                    "the request carries no valid token",
                    field="Authorization",
                    hint="send Authorization: Bearer with a token that the node's keeper has made",
                )
            check_living(token, now)
            self._kept[digest] = replace(token, used=now)
        return token.caller

    def check(self, officer: Officer) -> None:
        """Whether their key is active; blocks while the directory grows.

        Raises:
            Refused: `key_revoked`.
        """
        active_officer(self._logs, self._agency, officer.key)

    def unnoted(self) -> bool:
        """Whether some last use was not written down for a while."""
        oldest = self._clock() - LIMITS.token_noted_ms
        with self._lock:
            return any(token.noted < oldest and token.unnoted() for token in self._kept.values())

    def note(self) -> None:
        """Write down when each token was used last.

        Raises:
            OperatorError: the disk.
        """
        now = self._clock()
        with self._lock:
            fresh = [token for token in self._kept.values() if token.unnoted()]
            for token in fresh:
                self._kept[token.digest] = replace(token, noted=now)
        if fresh:
            with self._db.transaction() as tx:
                tx.executemany(
                    "UPDATE tokens SET used = ? WHERE digest = ?",
                    [(token.used, token.digest) for token in fresh],
                )

    # --- the keeper's -----------------------------------------------------------------------------

    def add(self, wanted: Wanted) -> tuple[str, dict[str, Any]]:
        """A new token: its text, told this once, and what is kept of it; durable on return.

        Raises:
            InvalidInput: `token_malformed`, `token_exists`, `schema_unknown`.
            Refused: `officer_unknown`, `tokens_full`. OperatorError: the disk.
        """
        now = self._clock()
        with self._logs.lock:
            own = {one.record.name for one in self._logs.directory.own_schemas}
        check_wanted(wanted, own)
        text = PREFIX + secrets.token_urlsafe(32)
        lasts = LIMITS.token_ms if wanted.days is None else wanted.days * DAY_MS
        token = Token(
            digest=_digest(text),
            name=wanted.name,
            caller=self._holder(wanted),
            made=now,
            expires=now + lasts,
            used=None,
            revoked=None,
        )
        with self._changing:
            with self._lock:
                self._check_free(wanted.name, now)
                gone = self._too_many(now)
            with self._db.transaction() as tx:
                tx.executemany("DELETE FROM tokens WHERE digest = ?", [(one,) for one in gone])
                tx.execute(
                    "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row_of(token)
                )
            with self._lock:
                for one in gone:
                    del self._kept[one]
                self._kept[token.digest] = token
        return text, token.described(now)

    def revoke(self, name: str) -> dict[str, Any]:
        """End a token; the next request that carries it is refused. Durable on return.

        Raises:
            InvalidInput: `token_unknown`. OperatorError: the disk.
        """
        now = self._clock()
        with self._changing:
            with self._lock:
                token = self._living(name, now)
            if token is None:
                raise _unknown(name)
            with self._db.transaction() as tx:
                tx.execute("UPDATE tokens SET revoked = ? WHERE digest = ?", (now, token.digest))
            with self._lock:
                token = replace(self._kept[token.digest], revoked=now)
                self._kept[token.digest] = token
        return token.described(now)

    def listed(self) -> list[dict[str, Any]]:
        """Every token that is kept, oldest first, those that have ended among them."""
        now = self._clock()
        with self._lock:
            return [token.described(now) for token in self._kept.values()]

    # --- inside -----------------------------------------------------------------------------------

    def _holder(self, wanted: Wanted) -> System | Officer:
        if wanted.officer is None:
            schemas = wanted.schemas or None
            return System(name=wanted.name, rights=wanted.rights, schemas=schemas)
        with self._logs.lock:
            keys = self._logs.directory.keys(self._agency, Role.OFFICER)
        own = [key.key_id for key in keys if key.handle == wanted.officer]
        if not own:
            raise Refused(
                "officer_unknown",
                f"{self._agency} has no officer {wanted.officer[:31]} with an active key",
                field="officer",
                hint="see who is enrolled: saphan keys list",
            )
        return Officer(handle=wanted.officer, key=own[-1])

    def _living(self, name: str, now: int) -> Token | None:
        living = (t for t in self._kept.values() if t.name == name and not t.ended(now))
        return next(living, None)

    def _check_free(self, name: str, now: int) -> None:
        if self._living(name, now) is not None:
            raise InvalidInput(
                "token_exists",
                f"there is an active token {name}",
                field="name",
                hint=f"take another name, or end it: saphan token revoke {name}",
            )

    def _too_many(self, now: int) -> list[bytes]:
        """Of those that have ended, the oldest make room."""
        over = len(self._kept) + 1 - LIMITS.tokens
        ended = [token.digest for token in self._kept.values() if token.ended(now)]
        if over > len(ended):
            raise Refused(
                "tokens_full",
                f"there are {LIMITS.tokens} active tokens",
                hint="revoke those that nobody uses: saphan token list",
            )
        return ended[: max(0, over)]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _unknown(name: str) -> InvalidInput:
    return InvalidInput(
        "token_unknown",
        f"there is no active token {name[:31]!r}",
        field="name",
        hint="see which there are: saphan token list",
    )
