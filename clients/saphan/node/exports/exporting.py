"""Exports as records: signed and durable before anything leaves (spec/retention.md).

1. The node signs an `Export` (which bulletin, what, by whom) and an `exported` statement that
   commits to it under 32 random bytes of salt; both are durable in one transaction.
2. Then the bytes leave. A crash between has a record too many, and never one too few.
3. What the same taker takes again (the same attachment, for a program that reads it every hour) is
   in the first record. What the log does not know has a record here, and no statement.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from saphan_protocol.batch import sign_one
from saphan_protocol.identity import pae
from saphan_protocol.keys import SigningKey
from saphan_schemas.bundles import Disclosure
from saphan_schemas.codec import encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import InvalidInput
from saphan_schemas.exports import BUNDLED, DISCLOSED, EXPORT_TYPE, PRINTED, Export
from saphan_schemas.records import Event

from saphan.exports_noted import waiting_exports
from saphan.node.bulletins import unknown
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import QUEUED, REFUSED
from saphan.node.rows.places import shown
from saphan.node.rows.statements import Said, keep_statements, sign_statements

log = logging.getLogger("saphan.node")

KEEPER: Final = "keeper"
EACH_TIME: Final = frozenset({BUNDLED, PRINTED})
"""Kinds of which every one is a record of its own: each is a file that somebody carries away."""


class Exporting:
    """The exports of one node; blocking. `clock` gives ms UTC."""

    def __init__(
        self, agency: str, key: SigningKey, db: Database, clock: Callable[[], int]
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._clock = clock

    def note(
        self, bulletin: bytes, kind: str, by: str, number: int | None = None, at: int | None = None
    ) -> bool:
        """Record an export; whether a statement about it waits for the log now.

        Args:
            at: when it was, ms UTC; None: now.

        Raises:
            InvalidInput: `bulletin_unknown`; OperatorError: the disk, and nothing may leave.
        """
        if kind not in EACH_TIME and self._before(bulletin, kind, by, number):
            return False
        time = self._clock() if at is None else at
        record = encode(Export(bulletin, self._agency, kind, by, number, time))
        signature = encode(sign_one(self._key, EXPORT_TYPE, record, os.urandom(32)))
        return self.keep(bulletin, kind, record, signature)

    def keep(self, bulletin: bytes, kind: str, record: bytes, signature: bytes) -> bool:
        """Keep a signed record, and say in the log that there is one; whether it was said.

        Raises:
            InvalidInput: `bulletin_unknown`; OperatorError: the disk.
        """
        digest, salt = self._digest(bulletin), os.urandom(32)
        detail = hmac.digest(salt, pae(EXPORT_TYPE, record), "sha256")
        said = Said(
            event=Event.EXPORTED,
            bulletin=bulletin,
            ciphertext=digest,
            sender=self._agency,
            recipient=self._agency,
            time=self._clock(),
            code=kind,
            detail=detail,
        )
        stated = self._logged(bulletin)
        signed = sign_statements(self._key, self._agency, [said]) if stated else None
        body = None if signed is None else signed[1][0].body
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO exports (bulletin, kind, record, signature, salt, statement)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (bulletin, kind, record, signature, salt, body),
            )
            if signed is not None:
                keep_statements(tx, *signed)
        return stated

    def take_waiting(self, data: Path) -> bool:
        """Record what commands have noted while this node did not run; whether the log is told.

        A crash between record and removal has the same record a second time, with the same time.

        Raises:
            OperatorError: the disk.
        """
        stated = False
        for one in waiting_exports(data):
            try:
                stated |= self.note(one.bulletin, one.kind, KEEPER, at=one.time)
            except InvalidInput:  # a folder that was put together from two nodes' ones
                log.warning("an export of %s is not recorded", one.bulletin.hex()[:16])
            one.path.unlink(missing_ok=True)
        return stated

    def listed(self, bulletin: bytes) -> list[dict[str, Any]]:
        """Exports of a bulletin, oldest first, its disclosures among them; `log` and `index`: the
        entry's place, None while there is none."""
        rows = self._db.rows(
            "SELECT x.record, x.kind, (SELECT e.idx FROM entries e WHERE e.bulletin = x.bulletin"
            " AND e.event = 'exported' AND e.statement = x.statement)"
            " FROM exports x WHERE x.bulletin = ?1 UNION ALL "
            "SELECT d.record, 'disclosed', (SELECT e.idx FROM entries e WHERE e.bulletin ="
            " d.bulletin AND e.event = 'exported' AND e.statement = d.statement)"
            " FROM disclosures d WHERE d.bulletin = ?1",
            (bulletin,),
        )
        return sorted((_row(*row) for row in rows), key=lambda one: int(one["time"]))

    def counts(self, bulletin: bytes) -> dict[str, int]:
        """How many exports are known, by kind."""
        rows = self._db.rows(
            "SELECT kind FROM exports WHERE bulletin = ?1 UNION ALL"
            " SELECT 'disclosed' FROM disclosures WHERE bulletin = ?1",
            (bulletin,),
        )
        return dict(sorted(Counter(kind for (kind,) in rows).items()))

    # --- inside -----------------------------------------------------------------------------------

    def _digest(self, bulletin: bytes) -> bytes:
        row = self._db.row("SELECT digest FROM bulletins WHERE id = ?", (bulletin,))
        if row is None:
            raise unknown(bulletin)
        digest: bytes = row[0]
        return digest

    def _before(self, bulletin: bytes, kind: str, by: str, number: int | None) -> bool:
        rows = self._db.rows(
            "SELECT record FROM exports WHERE bulletin = ? AND kind = ?", (bulletin, kind)
        )
        records = (_parse(data) for (data,) in rows)
        return any((one.by, one.number) == (by, number) for one in records)

    def _logged(self, bulletin: bytes) -> bool:
        """Whether the broker knows it: it refuses a statement about what it does not."""
        states = self._db.rows("SELECT state FROM deliveries WHERE bulletin = ?", (bulletin,))
        return any(state not in (QUEUED, REFUSED) for (state,) in states)


def _parse(record: bytes) -> Export:
    """This node's own record, as it kept it."""
    return msgpack_decoder(Export).decode(record)


def _row(record: bytes, kind: str, place: int | None) -> dict[str, Any]:
    if kind == DISCLOSED:
        said = msgpack_decoder(Disclosure).decode(record)
        by = "keeper" if said.handle is None else f"officer:{said.handle}"
        return {"time": said.time, "kind": kind, "by": by, "to": said.to, "number": None,
                **shown(place)}  # fmt: skip
    one = _parse(record)
    return {"time": one.time, "kind": kind, "by": one.by, "to": None, "number": one.number,
            **shown(place)}  # fmt: skip
