"""The node's book of threads: asked before a bulletin is sealed and when one was opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from saphan_schemas.codec import decode_content, encode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

from saphan.compose import Draft
from saphan.node.archive import Archive
from saphan.node.rows.db import Database
from saphan.node.threads.replaced import Replaced
from saphan.node.threads.rows import KeptWords, held, keep_words
from saphan.threads.rules import Held, check_received, check_sent
from saphan.threads.words import (
    LEGAL_FAMILY,
    REQUEST_FAMILY,
    Words,
    family,
    words_of,
)

ASKING: Final = (REQUEST_FAMILY, LEGAL_FAMILY)
_RELATED: Final = b"\xa9relations"
"""The key as it stands in canonical content: without it, it stands nowhere in it, and a bulletin of
another type than a request has nothing to do with threads. Nine of ten are not parsed again."""


class ThreadBook:
    """What this node knows of threads. Thread-safe.

    Args:
        carries: whether an agreement takes a schema (by name) to an agency now.
    """

    def __init__(
        self, agency: str, db: Database, archive: Archive, carries: Callable[[str, str], bool]
    ) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive
        self._carries = carries
        self._replaced = Replaced(agency, db, archive)

    def held(self, bulletin: bytes) -> Held | None:
        """Who sent a bulletin to whom, if it is here."""
        return held(self._db, bulletin)

    def check(self, draft: Draft) -> None:
        """T1 to T3: refuse a bulletin of this agency's that breaks a thread.

        Raises:
            Refused: what `check_sent` raises.
        """
        words = _words(draft)
        if words is not None:
            header = draft.header
            check_sent(header, words, self._replaced.held, partial(self._carries, header.schema))

    def keep(self, tx: sqlite3.Connection, left: Iterable[tuple[Draft, bytes]]) -> None:
        """Write what our own bulletins (with their ids) say, in the transaction that keeps them."""
        for draft, bulletin in left:
            words = _words(draft)
            if words is not None:
                owed_by = draft.header.recipients
                keep_words(tx, [self._kept(draft.header, words, bulletin, owed_by)])

    def received(
        self, header: Header, content: dict[str, Any], bulletin: bytes
    ) -> KeptWords | None:
        """T4: what a received bulletin says, sealed; None: it has nothing to do with threads.

        Raises:
            InvalidInput: `relation_refused`; OperatorError: the archive key cannot be written.
        """
        words = words_of(header.schema, content)
        if words is None:
            return None
        check_received(header, words, self.held)
        return self._kept(header, words, bulletin, (self._agency,))

    def _kept(
        self, header: Header, words: Words, bulletin: bytes, repliers: tuple[str, ...]
    ) -> KeptWords:
        sealed = self._archive.seal_words(encode(words), bulletin, header.retain_until)
        return KeptWords(bulletin, words, sealed, repliers if words.asks else ())


def _words(draft: Draft) -> Words | None:
    schema = draft.header.schema
    if _RELATED not in draft.content and family(schema) not in ASKING:
        return None
    return words_of(schema, decode_content(draft.content, LIMITS.content_bytes))
