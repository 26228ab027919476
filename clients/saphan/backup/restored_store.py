"""The store of a node that is being restored: marked, and what of it can still be opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from saphan_schemas.errors import OperatorError

from saphan.backup.contents import ARCHIVE_KEYS, DATABASE
from saphan.backup.stream import damaged
from saphan.node.restored import mark_restored
from saphan.node.rows.db import Database
from saphan.node.rows.schema import APPLICATION_ID, FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What came back.

    Args:
        bulletins: in the store; readable: of them, those whose archive key came back too.
        node_key, mailboxes: whether there is a node key, and how many mailbox keys.
    """

    bulletins: int
    readable: int
    node_key: bool
    mailboxes: int


def adopt_store(folder: Path, now: int) -> Recovered:
    """Mark the store in an agency's folder as restored, or begin an empty one that is.

    Raises:
        OperatorError: `store_newer`, `disk_full`; InvalidInput: `backup_damaged`.
    """
    path = folder / DATABASE
    if path.exists():
        _mark(path, now)
    else:
        begun = Database(path.parent)
        with closing(begun), begun.transaction() as tx:
            mark_restored(tx, now)
    days = {int(key.name) for key in (folder / ARCHIVE_KEYS).glob("*")}
    bulletins, readable = _count(path, days)
    return Recovered(
        bulletins=bulletins,
        readable=readable,
        node_key=(folder / "node" / "node.key").exists(),
        mailboxes=len(list((folder / "node" / "mailbox").glob("*.key"))),
    )


def _mark(path: Path, now: int) -> None:
    try:
        with closing(sqlite3.connect(path)) as store:
            (owner,) = store.execute("PRAGMA application_id").fetchone()
            (found,) = store.execute("PRAGMA user_version").fetchone()
            if owner != APPLICATION_ID:
                raise damaged("what it holds as the node's store is none")
            if found > FORMAT:
                raise OperatorError(
                    "store_newer",
                    f"the store has format {found}; this program knows formats up to {FORMAT}",
                    field="backup",
                    hint="restore it with the release that made it, or a newer one",
                )
            store.execute("PRAGMA synchronous = FULL")
            with store:
                mark_restored(store, now)
    except sqlite3.Error as error:
        raise damaged(f"the node's store cannot be used: {error}") from None


def _count(path: Path, days: set[int]) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as store:
        rows = store.execute(
            "SELECT wrap_day, count(*), count(wrapped) FROM bulletins GROUP BY wrap_day"
        ).fetchall()
    bulletins = sum(count for _, count, _ in rows)
    return bulletins, sum(wrapped for day, _, wrapped in rows if day in days)
