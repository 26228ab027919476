"""What the parties hold and a broker that lost its store does not: brought again, once.

A successor's directory has every leaf again, and of agreements, orders, hold orders and agencies'
own schemas the leaf alone. Each party's node brings the texts that it has; the broker takes one
whose leaf it knows, and answers the rest as sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from saphan_protocol.registrations import parse_registration
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import SchemaPackage
from saphan_schemas.records import LeafType

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import Event, Events
from saphan.node.logs import Logs
from saphan.node.looking import keep_looking
from saphan.node.rows.db import Database
from saphan.node.succession.kept import BRINGS
from saphan.node.wire.line import Line

KINDS: Final = {
    LeafType.AGREEMENT: "agreement",
    LeafType.ORDER: "order",
    LeafType.HOLD: "hold",
}

log = logging.getLogger("saphan.node")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bringing:
    """Brings, whenever the line opens, until the broker has answered everything."""

    agency: str
    db: Database
    logs: Logs
    engine: Engine
    line: Line
    alarms: Alarms
    events: Events

    async def run(self) -> None:
        """Look, for ever; what fails now is tried again when the line opens."""
        await keep_looking(self.look, _opens, self.events, self.alarms, "what a successor lacks")

    async def look(self) -> None:
        """Bring everything, if it is to be brought and the line is open.

        Raises:
            Unavailable: the line; OperatorError: the disk.
        """
        if not self.line.is_open() or not await self.engine.in_reading(self._wanted):
            return
        for kind, package in await self.engine.in_reading(lambda: list(self.packages())):
            result = await self.line.register(**{kind: package})
            if result.code is not None and result.retry_after_ms:
                return  # busy: the next look begins again, and what was taken is answered at once
            if result.code is not None:
                log.warning("the broker does not take %s again: %s", kind, result.message)
        await self.engine.in_frames(self._brought)

    def packages(self) -> Iterator[tuple[str, bytes]]:
        """(argument of `Line.register`, package), in the order of their leaves; blocking."""
        with self.logs.lock:
            directory = self.logs.directory
            packages = directory.packages(self.agency, 0, directory.size)
        leaves = self.db.rows("SELECT idx, leaf FROM leaves ORDER BY idx")
        for index, leaf in leaves:
            kind = LeafType(leaf[0])
            if kind in KINDS and index in packages:
                yield KINDS[kind], packages[index]
            elif kind is LeafType.SCHEMA:
                yield from self._schema(leaf[1:])

    def _schema(self, registration: bytes) -> Iterator[tuple[str, bytes]]:
        record, _ = parse_registration(registration)
        row = self.db.row("SELECT bundle FROM schemas WHERE digest = ?", (record.digest,))
        if row is not None:
            yield "schema", encode(SchemaPackage(registration, row[0]))

    def _wanted(self) -> bool:
        return self.db.row("SELECT 1 FROM facts WHERE name = ?", (BRINGS,)) is not None

    def _brought(self) -> None:
        with self.db.transaction() as tx:
            tx.execute("DELETE FROM facts WHERE name = ?", (BRINGS,))


def _opens(event: Event) -> bool:
    return bool(event["type"] == "line" and event["state"] == "open")
