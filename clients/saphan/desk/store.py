"""What a desk keeps, sealed row by row: who copies the file learns how many rows there are, and on
which day each is to go.

A row is AES-256-GCM under the desk's key, with its shelf and place as additional data; the place is
a keyed digest of the row's name, so that names do not stand in clear either. The desk's key comes
from the officer's, which opens with the passphrase (`store_key`). What is kept of a bulletin rests
under the key of its last day besides (`days`).
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from saphan_protocol.identity import pae_array
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import MIB

from saphan.desk.days import FOLDER, DeskDays
from saphan.desk.row_changes import Changes, WrittenRow
from saphan.desk.row_names import ROW_TYPE, part_aad, row_aad
from saphan.desk.shelves import APPLICATION_ID, DAYS, FORMAT, SCHEMA
from saphan.desk.shelves import Shelf as Shelf
from saphan.desk.store_errors import BUSY_SECONDS, damaged, failed

STORE_TYPE: Final = "saphan/desk_store/1"
NONCE_BYTES: Final = 12
ROW_BYTES: Final = 2 * MIB


def store_key(seed: bytes, key_id: bytes) -> bytes:
    """The desk's 32-byte key: HKDF-SHA256 of the officer's seed, info PAE(STORE_TYPE, [key id])."""
    info = pae_array(STORE_TYPE, [key_id])
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(seed)


class DeskStore:
    """The open store.

    Args:
        path: created if it is not there; key: `store_key`.

    Raises:
        OperatorError: `desk_key_differs`, `desk_store_damaged`, `desk_store_newer`,
            `desk_disk_full`, `file_unwritable`. Unavailable: `desk_busy`.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self._cipher = AESGCM(key)
        self.days = DeskDays(path.with_name(FOLDER), key)
        self._place_key = hmac.digest(key, b"saphan/desk_place/1", "sha256")
        with self._explained():
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.close(handle)
            # Off the event loop, in threads that follow each other; two never use it at once.
            self._db = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def another(self) -> DeskStore:
        """A second connection to the same store, for a thread of its own; raises as the first."""
        return DeskStore(self._path, self._key)

    def close(self) -> None:
        """Idempotent."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; durable when the outermost block ends without an error.

        Raises:
            OperatorError: `desk_disk_full`, `desk_store_damaged`; nothing was kept.
        """
        inside = self._db.in_transaction
        if inside:  # the caller's
            yield
            return
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._explained():
                self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def put(self, shelf: Shelf, name: bytes, value: bytes, day: int | None = None) -> None:
        """Keep a value, in place of the one of this name; inside a transaction, or by itself.

        Args:
            day: on which it goes, days since 1970-01-01; None: it is of no bulletin.
        """
        place = self.place(shelf, name)
        with self._together():
            sealed = self._seal(encode([name, value]), row_aad(shelf, place, day), day)
            self._db.execute(
                "INSERT INTO rows (shelf, place, sealed, day) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (shelf, place) DO UPDATE SET sealed = excluded.sealed,"
                " day = excluded.day",
                (shelf, place, sealed, day),
            )

    def get(self, shelf: Shelf, name: bytes) -> bytes | None:
        """The value of this name.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        found = self.at(shelf, self.place(shelf, name))
        return None if found is None else found[1]

    def at(self, shelf: Shelf, place: bytes) -> tuple[bytes, bytes] | None:
        """Name and value of the row at a place; raises as `get`."""
        with self._explained():
            row = self._db.execute(
                "SELECT sealed, day FROM rows WHERE shelf = ? AND place = ?", (shelf, place)
            ).fetchone()
        return None if row is None else self._open(shelf, place, *row)

    def has(self, shelf: Shelf, name: bytes) -> bool:
        """Whether there is a row of this name."""
        with self._explained():
            place = self.place(shelf, name)
            query = "SELECT 1 FROM rows WHERE shelf = ? AND place = ?"
            found = self._db.execute(query, (shelf, place)).fetchone()
        return found is not None

    def all(self, shelf: Shelf) -> list[tuple[bytes, bytes]]:
        """(name, value) of every row of a shelf, in the order in which they were first kept.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        return list(self.each(shelf))

    def each(self, shelf: Shelf) -> Iterator[tuple[bytes, bytes]]:
        """The same one by one: a shelf of years is never in memory as a whole; raises the same."""
        query = "SELECT place, sealed, day FROM rows WHERE shelf = ? ORDER BY seq"
        with self._explained():
            for place, sealed, day in self._db.execute(query, (shelf,)):
                found = self._open(shelf, place, sealed, day)
                if found is not None:
                    yield found

    def changes(self, shelf: Shelf, known: Mapping[int, bytes]) -> Changes:
        """What another reader has to open again: only rows written since, by whichever program.

        Args:
            known: number and mark of the rows that the caller has.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        marks = self.marks(shelf)
        new = [number for number, mark in marks.items() if known.get(number) != mark]
        gone = [number for number in known if number not in marks]
        return Changes(list(self._written(shelf, new, of=len(marks))), gone)

    def marks(self, shelf: Shelf) -> dict[int, bytes]:
        """Number and mark of every row of a shelf; nothing is opened for them."""
        query = f"SELECT seq, substr(sealed, 1, {NONCE_BYTES}) FROM rows WHERE shelf = ?"  # noqa: S608
        with self._explained():
            return dict(self._db.execute(query, (shelf,)).fetchall())

    def written(self, shelf: Shelf, numbers: list[int]) -> list[WrittenRow]:
        """Rows of these numbers, those that are here; raises as `changes`."""
        return list(self._written(shelf, numbers, of=-1))

    def _written(self, shelf: Shelf, numbers: list[int], of: int) -> Iterator[WrittenRow]:
        one = "SELECT seq, place, sealed, day FROM rows WHERE shelf = ?1"
        with self._explained():
            if len(numbers) == of:
                rows = self._db.execute(one, (shelf,)).fetchall()
            else:
                found = (
                    self._db.execute(f"{one} AND seq = ?2", (shelf, number)).fetchone()
                    for number in numbers
                )
                rows = [row for row in found if row is not None]
        for number, place, sealed, day in rows:
            opened = self._open(shelf, place, sealed, day)
            if opened is not None:
                yield WrittenRow(number, sealed[:NONCE_BYTES], *opened)

    def places(self, shelf: Shelf) -> frozenset[bytes]:
        """Places of a shelf's rows: nothing is opened for them (`place`)."""
        with self._explained():
            rows = self._db.execute("SELECT place FROM rows WHERE shelf = ?", (shelf,)).fetchall()
        return frozenset(place for (place,) in rows)

    def version(self) -> tuple[int, int]:
        """Another one after each writing, by whichever program; of this connection alone."""
        with self._explained():
            (others,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(others), self._db.total_changes

    def count(self, shelf: Shelf) -> int:
        """How many rows a shelf has."""
        with self._explained():
            (found,) = self._db.execute(
                "SELECT count(*) FROM rows WHERE shelf = ?", (shelf,)
            ).fetchone()
        return int(found)

    def remove(self, shelf: Shelf, name: bytes) -> bool:
        """Take a row away; whether there was one. Its bytes are overwritten."""
        with self._explained():
            taken = self._db.execute(
                "DELETE FROM rows WHERE shelf = ? AND place = ?", (shelf, self.place(shelf, name))
            )
        return taken.rowcount > 0

    # --- long things, in parts --------------------------------------------------------------------

    def parts(self, name: bytes) -> int:
        """How many parts of this name are here, from part 0 on."""
        with self._explained():
            (found,) = self._db.execute(
                "SELECT count(*) FROM parts WHERE place = ?", (self.place(Shelf.FILES, name),)
            ).fetchone()
        return int(found)

    def part(self, name: bytes, n: int) -> bytes | None:
        """One part.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        place = self.place(Shelf.FILES, name)
        with self._explained():
            row = self._db.execute(
                "SELECT sealed, day FROM parts WHERE place = ? AND n = ?", (place, n)
            ).fetchone()
        return None if row is None else self._unseal(row[0], part_aad(place, n, row[1]), row[1])

    def put_part(self, name: bytes, n: int, data: bytes, day: int | None = None) -> None:
        """Keep one part; inside a transaction, or by itself; `day` as in `put`."""
        place = self.place(Shelf.FILES, name)
        with self._together():
            sealed = self._seal(data, part_aad(place, n, day), day)
            self._db.execute("REPLACE INTO parts VALUES (?, ?, ?, ?)", (place, n, sealed, day))

    def drop_parts(self, name: bytes) -> None:
        """Take all parts of a name away."""
        with self._explained():
            place = self.place(Shelf.FILES, name)
            self._db.execute("DELETE FROM parts WHERE place = ?", (place,))

    # --- days -------------------------------------------------------------------------------------

    def drop_due(self, day: int) -> None:
        """Take away what lies under the key of this day or an earlier one; inside a transaction, or
        by itself."""
        with self._together():
            for table in ("rows", "parts"):
                where = "day BETWEEN 1 AND ?"  # 0 is no day: held
                self._db.execute(f"DELETE FROM {table} WHERE {where}", (day,))  # noqa: S608

    def end_days(self) -> None:
        """Cut the journal, and destroy the keys of days under which nothing is kept any more; what
        lies under a key that is gone already is taken away. Outside a transaction.

        Raises:
            OperatorError: `desk_disk_full`, `file_unwritable`.
        """
        with self.transaction():
            kept = {None, *self.days.known()}
            for table in ("rows", "parts"):
                query = f"SELECT DISTINCT day FROM {table} WHERE day IS NOT NULL"  # noqa: S608
                lost = {day for (day,) in self._db.execute(query)} - kept
                marks = [(day,) for day in lost]
                self._db.executemany(f"DELETE FROM {table} WHERE day = ?", marks)  # noqa: S608
        with self._explained():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with self.transaction():  # nobody begins one of them meanwhile
            used = (
                "SELECT day FROM rows WHERE day = ?1 UNION ALL SELECT day FROM parts WHERE day = ?1"
            )
            for day in self.days.known():
                if self._db.execute(used, (day,)).fetchone() is None:
                    self.days.destroy(day)

    # --- inside -----------------------------------------------------------------------------------

    @contextmanager
    def _together(self) -> Iterator[None]:
        """A day's key and its row are one."""
        with self.transaction(), self._explained():
            yield

    def place(self, shelf: Shelf, name: bytes) -> bytes:
        """Where a row of this name is, or would be."""
        return hmac.digest(self._place_key, pae_array(ROW_TYPE, [int(shelf), name]), "sha256")[:16]

    def _open(
        self, shelf: Shelf, place: bytes, sealed: bytes, day: int | None
    ) -> tuple[bytes, bytes] | None:
        plain = self._unseal(sealed, row_aad(shelf, place, day), day)
        if plain is None:
            return None
        name, value = decode(tuple[bytes, bytes], plain, ROW_BYTES, "row")
        return name, value

    def _seal(self, plain: bytes, aad: bytes, day: int | None) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._cipher if day is None else self.days.sealing(day)
        return nonce + cipher.encrypt(nonce, plain, aad)

    def _unseal(self, sealed: bytes, aad: bytes, day: int | None) -> bytes | None:
        """None: the key of its day was destroyed, and it with it."""
        nonce, data = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            if day is not None:
                return self.days.unseal(day, nonce, data, aad)
            return self._cipher.decrypt(nonce, data, aad)
        except (InvalidTag, ValueError):
            raise damaged(self._path, "a row was changed, or cut off") from None

    def _prepare(self) -> None:
        with self._explained():
            (found,) = self._db.execute("PRAGMA user_version").fetchone()
            (owner,) = self._db.execute("PRAGMA application_id").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and owner != APPLICATION_ID:
                raise damaged(self._path, "it is not a desk's store")
            if found > FORMAT:
                raise OperatorError(
                    "desk_store_newer",
                    f"{self._path} has format {found}; this program knows formats up to {FORMAT}",
                    hint="install the newer Saphan again",
                )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA secure_delete = ON")
            if not tables:
                self._bring_up(SCHEMA + DAYS)
            elif found < FORMAT:
                self._bring_up(DAYS)
        if self._marked() != b"desk":
            raise OperatorError(
                "desk_key_differs",
                f"{self._path} was written with another officer's key than {self._path.parent} has",
                field="officer.key",
                hint="put back the officer.key that belongs to this desk, or make a new desk",
            )

    def _bring_up(self, lines: str) -> None:
        """Make the tables, or add what an older release did not have; all or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for line in lines.strip().split(";")[:-1]:
                self._db.execute(line)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
            if lines != DAYS:
                self.put(Shelf.STATE, b"mark", b"desk")
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def _marked(self) -> bytes | None:
        """With another key, the row's place differs too: it is not found."""
        return self.get(Shelf.STATE, b"mark")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise failed(self._path, error) from error
        except OSError as error:
            raise OperatorError(
                "file_unwritable",
                f"{self._path} cannot be opened: {error.strerror}",
                hint="check that the folder exists, has room and belongs to you",
            ) from None
