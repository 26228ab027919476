"""`saphan evidence export`: one bulletin's evidence out of a node's store, as one file.

The store is read beside a running node or from a stopped one's file, in one snapshot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from saphan_protocol.pins import Pins
from saphan_schemas.bundles import BundleDisclosure
from saphan_schemas.errors import OperatorError

from saphan.audit.kept_logs import kept_log, log_of_bulletin
from saphan.audit.records import damaged, open_store
from saphan.evidence.file import write_bundle
from saphan.evidence.gather import Gathered, gather
from saphan.evidence.placing import Placing
from saphan.evidence.sealed import Sealed
from saphan.evidence.story import Story, find_bulletin
from saphan.node.rows.schema import FORMAT

Progress = Callable[[int, int], None]
"""progress(bytes written, bytes in all, about)."""


@dataclass(frozen=True, slots=True)
class NodeStore:
    """Where a node keeps what it knows.

    Args:
        folder: the node's `data`, with its database and its blobs.
        agency: whose node it is; pins: the logs that it trusts, under any number.
    """

    folder: Path
    agency: str
    pins: Pins

    def find(self, text: str) -> bytes:
        """The bulletin whose id begins so, if the log says anything about it.

        Raises:
            InvalidInput: `id_malformed`, `bulletin_unknown`, `id_ambiguous`; OperatorError: the
                store.
        """
        with self.reading() as db:
            return find_bulletin(db, text)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot of the database.

        Raises:
            OperatorError: `file_missing`, `store_foreign`, `store_newer`, `store_older`,
                `store_damaged`.
        """
        with closing(open_store(self.folder / "node.db")) as db:
            try:
                self._check_format(db)
                db.execute("BEGIN")
                yield db
            except sqlite3.Error as error:
                raise damaged(str(error)) from None

    def _check_format(self, db: sqlite3.Connection) -> None:
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found < FORMAT:
            raise OperatorError(
                "store_older",
                f"the store has format {found}; evidence is read out of format {FORMAT}",
                hint="start the node of this release once: it brings its store up",
            )


def export_bundle(
    store: NodeStore,
    bulletin: bytes,
    out: Path,
    now: int,
    *,
    attachments: bool = False,
    disclosure: BundleDisclosure | None = None,
    log: int | None = None,
    progress: Progress | None = None,
    record: Callable[[], None] = lambda: None,
) -> Gathered:
    """Write a bulletin's evidence to a new file; what was gathered for it.

    Args:
        bulletin: id, 32 bytes; now: time at which the bundle is made, ms.
        attachments: whether their sealed bytes are wanted too.
        log: number of the evidence log that tells the story; None: the newest in which the
            bulletin was carried.
        record: has the export recorded, before anything is written; what it adds to the log is not
            in this bundle, whatever it is.

    Raises:
        InvalidInput: `log_unknown`.
        OperatorError: the store's (`NodeStore.reading`), `evidence_headless`, `file_exists`,
            `file_unwritable`.
    """
    gathered = Gathered()
    with store.reading() as db:
        number = log_of_bulletin(db, bulletin) if log is None else log
        kept = kept_log(db, store.pins, number)
        sealed = Sealed(db, store.folder / "blobs", bulletin)
        items = gather(
            Story(db, kept, bulletin),
            Placing(db, kept.pins.evidence.origin),
            sealed,
            store.agency,
            kept.pins,
            now,
            attachments=attachments,
            disclosure=disclosure,
            gathered=gathered,
        )
        size = sealed.length() if attachments else 0
        record()

        def wrote(length: int) -> None:
            gathered.bytes += length
            if progress is not None:
                progress(gathered.bytes, max(size, gathered.bytes))

        write_bundle(out, items, wrote)
    return gathered
