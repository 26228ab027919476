"""What bulletins say of each other, as the node's store keeps it.

The ids that one names rest in clear, so that a thread is found from both ends; everything else that
a thread is shown by rests sealed under the archive key of the bulletin's day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

from saphan.node.archive import Archive
from saphan.node.rows.db import Database
from saphan.threads.rules import Held
from saphan.threads.words import REPLACING, REPLY, Words

PART: Final = 256
"""Bulletins in one query."""
WORDS_BYTES: Final = 64 * 1024
"""32 relations, and the numbers of all questions of a request."""


_OWED_AGAIN: Final = (
    "INSERT OR IGNORE INTO owed (seq, replier) SELECT r.seq, d.recipient FROM bulletins b"
    " JOIN bulletins r ON r.id = ?2 JOIN deliveries d ON d.bulletin = r.id"
    " AND d.recipient = b.sender WHERE b.seq = ?1"
)
"""Whoever changes an answer may owe it again: what was answered is watched no more."""


@dataclass(frozen=True, slots=True)
class KeptWords:
    """A bulletin's words, ready to be written; `owed_by`: those who owe an answer to it."""

    bulletin: bytes
    words: Words
    sealed: bytes
    owed_by: tuple[str, ...]


def keep_words(tx: sqlite3.Connection, kept: Iterable[KeptWords]) -> None:
    """Write them beside their bulletins, whose rows are there; the same again changes nothing."""
    for one in kept:
        (seq,) = tx.execute("SELECT seq FROM bulletins WHERE id = ?", (one.bulletin,)).fetchone()
        tx.execute("INSERT OR IGNORE INTO thread_words VALUES (?, ?)", (seq, one.sealed))
        tx.executemany(
            "INSERT OR IGNORE INTO relations VALUES (?, ?, ?, ?)",
            [
                (seq, place, each.kind, each.target)
                for place, each in enumerate(one.words.relations)
            ],
        )
        tx.executemany(
            "INSERT OR IGNORE INTO owed (seq, replier) VALUES (?, ?)",
            [(seq, agency) for agency in one.owed_by],
        )
        if one.words.targets(*REPLACING):
            tx.executemany(_OWED_AGAIN, [(seq, each) for each in one.words.targets(REPLY)])


def held(db: Database, bulletin: bytes) -> Held | None:
    """Who sent a bulletin to whom, if it is here."""
    row = db.row("SELECT header FROM bulletins WHERE id = ?", (bulletin,))
    if row is None:
        return None
    header = decode(Header, row[0], LIMITS.header_bytes, "header")
    return Held(header.sender, header.recipients, header.schema, header.exercise)


def states_of(db: Database, bulletin: bytes) -> dict[str, str]:
    """How its deliveries stand, by recipient."""
    return dict(db.rows("SELECT recipient, state FROM deliveries WHERE bulletin = ?", (bulletin,)))


def taken_back(db: Database, bulletin: bytes) -> bool:
    """Whether its sender has recalled it: this agency by its order, another one by the log."""
    row = db.row(
        "SELECT 1 FROM recall_orders WHERE bulletin = ?1"
        " UNION ALL SELECT 1 FROM recalled WHERE bulletin = ?1",
        (bulletin,),
    )
    return row is not None


def words_of_row(db: Database, archive: Archive, bulletin: bytes) -> Words | None:
    """What a bulletin here says of others; None: nothing, or its day was destroyed."""
    row = db.row(
        "SELECT w.sealed, b.wrap_day FROM thread_words w JOIN bulletins b USING (seq)"
        " WHERE b.id = ?",
        (bulletin,),
    )
    data = None if row is None else archive.words(row[0], bulletin, row[1])
    return None if data is None else decode(Words, data, WORDS_BYTES, "words")


def replaced_among(db: Database, bulletins: Sequence[bytes]) -> set[bytes]:
    """Those of the bulletins that another one here says it takes the place of, rightly or not."""
    found: set[bytes] = set()
    for at in range(0, len(bulletins), PART):
        part = bulletins[at : at + PART]
        marks = ",".join("?" * len(part))
        kinds = ",".join(f"'{kind}'" for kind in REPLACING)
        found |= {
            target
            for (target,) in db.rows(
                f"SELECT target FROM relations WHERE kind IN ({kinds})"  # noqa: S608 - constants
                f" AND target IN ({marks})",
                part,
            )
        }
    return found


def named_by(db: Database, bulletin: bytes, kinds: Sequence[str], sender: str) -> list[bytes]:
    """Bulletins of one agency here that name this one so, in the order in which they came.

    Of one agency: what others send, however much it is, hides nothing of what that one has said.
    """
    marks = ",".join("?" * len(kinds))
    rows = db.rows(
        "SELECT b.id FROM relations r JOIN bulletins b USING (seq) WHERE r.target = ?"  # noqa: S608
        f" AND b.sender = ? AND r.kind IN ({marks}) ORDER BY b.seq DESC LIMIT ?",
        (bulletin, sender, *kinds, LIMITS.thread_bulletins),
    )
    return list(dict.fromkeys(one for (one,) in reversed(rows)))
