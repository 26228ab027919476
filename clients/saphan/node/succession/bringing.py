"""What the parties hold and a broker that lost its store does not: brought again, once.

A successor's directory has every leaf again, and of agreements, orders, hold orders and agencies'
own schemas the leaf alone. Each party's node brings the texts that it has; the broker takes one
whose leaf it knows, and answers the rest as sent again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_protocol.registrations import parse_registration
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import SchemaPackage
from saphan_schemas.records import LeafType

from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.succession.kept import BRINGS

KINDS: Final = {
    LeafType.AGREEMENT: "agreement",
    LeafType.ORDER: "order",
    LeafType.HOLD: "hold",
}


class Bringing:
    """Of one node."""

    def __init__(self, agency: str, db: Database, logs: Logs) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs

    def wanted(self) -> bool:
        """Whether anything is to be brought; blocking."""
        return self._db.row("SELECT 1 FROM facts WHERE name = ?", (BRINGS,)) is not None

    def packages(self) -> Iterator[tuple[str, bytes]]:
        """(argument of `Asking.register`, package), in the order of their leaves; blocking."""
        with self._logs.lock:
            directory = self._logs.directory
            packages = directory.packages(self._agency, 0, directory.size)
        leaves = self._db.rows("SELECT idx, leaf FROM leaves ORDER BY idx")
        for index, leaf in leaves:
            kind = LeafType(leaf[0])
            if kind in KINDS and index in packages:
                yield KINDS[kind], packages[index]
            elif kind is LeafType.SCHEMA:
                yield from self._schema(leaf[1:])

    def _schema(self, registration: bytes) -> Iterator[tuple[str, bytes]]:
        record, _ = parse_registration(registration)
        row = self._db.row("SELECT bundle FROM schemas WHERE digest = ?", (record.digest,))
        if row is not None:
            yield "schema", encode(SchemaPackage(registration, row[0]))

    def brought(self) -> None:
        """The broker has it; blocking."""
        with self._db.transaction() as tx:
            tx.execute("DELETE FROM facts WHERE name = ?", (BRINGS,))
