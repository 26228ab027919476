"""Disclosing the content key of one bulletin: recorded and signed first, then given (design 3).

1. The node signs a `Disclosure` (which key, to whom, why, who decided it), and an `exported`
   statement that commits to it under 32 random bytes of salt: the log shows that a key was given
   away, and not to whom, or why.
2. Record, salt and statement are durable, in one transaction, before the key leaves the archive.
   A crash before that has given nothing away; one after it gives the same record again.
3. The statement goes to the log as every other one does. Asking again for the same (to whom, why,
   who) is answered with the first record.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from saphan_protocol.batch import sign_one
from saphan_protocol.disclosure import DISCLOSURE_TYPE, disclosure_commitment
from saphan_protocol.identity import sha256
from saphan_protocol.keys import SigningKey
from saphan_schemas.bundles import Disclosure
from saphan_schemas.codec import encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import InvalidInput, Refused, Unavailable
from saphan_schemas.records import Event, Role
from saphan_schemas.text import check_text

from saphan.node.archive import Archive
from saphan.node.bulletins import unknown
from saphan.node.logs import Logs
from saphan.node.restored import Restored
from saphan.node.retention.keeping import check_here
from saphan.node.rows.db import Database, Row
from saphan.node.rows.deliveries import QUEUED, REFUSED
from saphan.node.rows.places import shown
from saphan.node.rows.statements import Said, keep_statements, sign_statements

DISCLOSED: Final = "disclosed"
"""Code of the `exported` statement."""
WORDS: Final = {"to": 256, "reason": 1_024}
"""Characters of what is said of a disclosure, at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """To whom the key is given, under which legal reference, and the officer who decided it."""

    to: str
    reason: str
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A content key, and the record that it was given away.

    Args:
        record: exact bytes of a `Disclosure`; signature: exact bytes of its `Signature`.
    """

    content_key: bytes
    record: bytes
    signature: bytes
    salt: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return f"Disclosed(record={self.record.hex()[:16]}...)"


class Disclosing:
    """The disclosures of one node; blocking. `clock` gives ms UTC."""

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        logs: Logs,
        archive: Archive,
        restored: Restored,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._logs = logs
        self._archive = archive
        self._restored = restored
        self._clock = clock

    def disclose(self, bulletin: bytes, asked: Asked) -> Disclosed:
        """The content key, once its disclosure is on record.

        Raises:
            InvalidInput: `bulletin_unknown`, `disclosure_words`, `text_forbidden`.
            Refused: `officer_unknown`, `not_disclosable`, `key_revoked`, `key_unknown` of this
            node's own key. Unavailable: `not_logged_yet`.
            OperatorError: `archive_key_gone`, the disk.
        """
        self._restored.require_heard()
        _check_words(asked)
        row = self._db.row(
            "SELECT sender, digest, wrapped, wrap_day FROM bulletins WHERE id = ?", (bulletin,)
        )
        if row is None:
            raise unknown(bulletin)
        self._check_open(bulletin, row)
        content_key = self._archive.unwrap(row[2], bulletin, row[3])
        before = self._before(bulletin, asked)
        if before is not None:
            return Disclosed(content_key, *before)
        self._check_signers(asked)
        return Disclosed(content_key, *self._record(bulletin, row[1], content_key, asked))

    def listed(self, bulletin: bytes) -> list[dict[str, Any]]:
        """Disclosures of a bulletin, oldest first.

        `state` is waiting, logged or refused (`code`: why), `log` and `index` the entry's place.
        """
        rows = self._db.rows(
            "SELECT d.record, s.state, s.code, (SELECT e.idx FROM entries e WHERE e.bulletin ="
            " d.bulletin AND e.event = 'exported' AND e.statement = d.statement)"
            " FROM disclosures d JOIN statements s ON s.bulletin = d.bulletin"
            " AND s.body = d.statement WHERE d.bulletin = ? ORDER BY d.seq",
            (bulletin,),
        )
        found = []
        for data, state, code, place in rows:
            record = _parse(data)
            found.append(
                {
                    "time": record.time,
                    "to": record.to,
                    "reason": record.reason,
                    "handle": record.handle,
                    "key_digest": record.key_digest.hex(),
                    "state": state,
                    "code": code,
                    **shown(place),
                }
            )
        return found

    # --- inside -----------------------------------------------------------------------------------

    def _check_signers(self, asked: Asked) -> None:
        """Who decides is an officer now; and under a node key that has ended the log would never
        show it."""
        with self._logs.lock:
            officers = self._logs.directory.keys(self._agency, Role.OFFICER)
            self._logs.directory.key(self._key.key_id, Role.NODE)
        if asked.handle is not None and asked.handle not in {key.handle for key in officers}:
            raise Refused(
                "officer_unknown",
                f"{self._agency} has no enrolled officer {asked.handle[:64]}",
                field="handle",
                hint="see who is enrolled: saphan officer list",
            )

    def _check_open(self, bulletin: bytes, row: Row) -> None:
        """The key is here, and the broker knows the bulletin: it refuses what it does not."""
        if row[2] is None:
            check_here(self._db, bulletin)
            raise Refused(
                "not_disclosable",
                "this node does not hold the content key: the bulletin was never opened here",
                field="id",
                hint=f"see why: saphan status {bulletin.hex()[:16]}",
            )
        states = self._db.rows("SELECT state FROM deliveries WHERE bulletin = ?", (bulletin,))
        if all(state in (QUEUED, REFUSED) for (state,) in states):
            raise Unavailable(
                "not_logged_yet",
                "the log does not show this bulletin, so it cannot show its disclosure",
                field="id",
                hint="wait until it is submitted: saphan status --wait; what the broker refused"
                " proves nothing, and needs no disclosure",
            )

    def _before(self, bulletin: bytes, asked: Asked) -> tuple[bytes, bytes, bytes] | None:
        """Record, signature and salt of the same disclosure, unless the broker refused it."""
        rows = self._db.rows(
            "SELECT d.record, d.signature, d.salt FROM disclosures d JOIN statements s"
            " ON s.bulletin = d.bulletin AND s.body = d.statement"
            " WHERE d.bulletin = ? AND s.state != 'refused'",
            (bulletin,),
        )
        for record, signature, salt in rows:
            said = _parse(record)
            if (said.to, said.reason, said.handle) == (asked.to, asked.reason, asked.handle):
                return record, signature, salt
        return None

    def _record(
        self, bulletin: bytes, digest: bytes, content_key: bytes, asked: Asked
    ) -> tuple[bytes, bytes, bytes]:
        """Step 1 and 2: signed and durable."""
        now, salt = self._clock(), os.urandom(32)
        record = encode(
            Disclosure(
                bulletin=bulletin,
                ciphertext=digest,
                agency=self._agency,
                key_digest=sha256(content_key),
                to=asked.to,
                reason=asked.reason,
                handle=asked.handle,
                time=now,
            )
        )
        signature = encode(sign_one(self._key, DISCLOSURE_TYPE, record, os.urandom(32)))
        said = Said(
            event=Event.EXPORTED,
            bulletin=bulletin,
            ciphertext=digest,
            sender=self._agency,
            recipient=self._agency,
            time=now,
            code=DISCLOSED,
            detail=disclosure_commitment(salt, record),
        )
        batch, (signed,) = sign_statements(self._key, self._agency, [said])
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO disclosures (bulletin, record, signature, salt, statement)"
                " VALUES (?, ?, ?, ?, ?)",
                (bulletin, record, signature, salt, signed.body),
            )
            keep_statements(tx, batch, [signed])
        return record, signature, salt


def _check_words(asked: Asked) -> None:
    for name, most in WORDS.items():
        value: str = getattr(asked, name)
        if not 1 <= len(value) <= most or not value.strip():
            raise InvalidInput(
                "disclosure_words",
                f"a disclosure says in 1 to {most} characters "
                + ("to whom" if name == "to" else "why, with its legal reference"),
                field=name,
                hint="say it in words that a court can follow years later",
            )
        check_text(value, name)


def _parse(record: bytes) -> Disclosure:
    """This node's own record, as it kept it."""
    return msgpack_decoder(Disclosure).decode(record)
