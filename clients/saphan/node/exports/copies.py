"""What desks were given, how long they keep it, and their signed word that it is gone.

A desk is known by its officer's key. What it has heard is noted only after it has said that it kept
it: a line that breaks between costs the same words once more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

from saphan_protocol.batch import verify_one
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.exports import (
    DESK_ERASURE_TYPE,
    EXPORT_TYPE,
    PRINTED,
    SAVED,
    DeskErasure,
    Export,
)
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import ErasureDetail, ExportCount, Role, Signature

from saphan.node.exports.exporting import Exporting
from saphan.node.logs import Logs
from saphan.node.rows.db import Database

Json = dict[str, Any]
_OPEN: Final = (
    "SELECT c.bulletin, c.told, r.day, r.sealed IS NOT NULL, r.erased IS NOT NULL"
    " FROM desk_copies c JOIN bulletins b ON b.id = c.bulletin JOIN retention r USING (seq)"
    " WHERE c.key = ? AND c.erasure IS NULL ORDER BY c.given, c.bulletin"
)
GONE: Final = "gone"
LEFT: Final = frozenset({SAVED, PRINTED})
"""Exports that a desk's officer records: files, and paper."""


class DeskKey(Protocol):
    """Whose desk it is: the officer's handle, the id of their key."""

    @property
    def handle(self) -> str: ...

    @property
    def key(self) -> bytes: ...


class DeskCopies:
    """The copies at desks of one node; blocking.

    Args:
        held: of which bulletins nothing may be destroyed now.
        witnessed: the time by which this node erases, ms UTC; None: it has none yet.
        clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        logs: Logs,
        exports: Exporting,
        held: Callable[[Collection[bytes]], set[bytes]],
        witnessed: Callable[[], int | None],
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._exports = exports
        self._held = held
        self._witnessed = witnessed
        self._clock = clock

    def given(self, bulletin: bytes, desk: DeskKey) -> None:
        """A desk is about to have what a bulletin says: durable before it leaves.

        Raises:
            OperatorError: the disk; it must not leave.
        """
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO desk_copies (bulletin, key, handle, given) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (bulletin, key) DO UPDATE SET erasure = NULL, told = NULL"
                " WHERE erasure IS NOT NULL",
                (bulletin, desk.key, desk.handle, self._clock()),
            )

    def news(self, desk: DeskKey) -> tuple[list[Json], int | None, list[tuple[str, bytes]]]:
        """What a desk has not heard of its copies, the witnessed time, and what is to be noted once
        it has kept that."""
        copies, heard = [], []
        rows = self._db.rows(_OPEN, (desk.key,))
        kept = self._held([row[0] for row in rows])
        for bulletin, told, day, sealed, erased in rows:
            held = bulletin in kept
            state = GONE if erased else f"{day} {int(held)} {int(sealed)}"
            if told == state and not erased:  # what is gone is said until the desk confirms it
                continue
            copies.append(
                {
                    "id": bulletin.hex(),
                    "day": day,
                    "held": held,
                    "sealed": bool(sealed),
                    "gone": bool(erased),
                }
            )
            heard.append((state, bulletin))
            if len(copies) == LIMITS.desk_page_items:
                break
        return copies, self._witnessed(), heard

    def heard(self, desk: DeskKey, told: list[tuple[str, bytes]]) -> None:
        """The desk has kept that.

        Raises:
            OperatorError: the disk.
        """
        with self._db.transaction() as tx:
            tx.executemany(
                "UPDATE desk_copies SET told = ? WHERE bulletin = ? AND key = ?",
                [(state, bulletin, desk.key) for state, bulletin in told],
            )

    def waits(self, desk: DeskKey) -> bool:
        """Whether there is anything that this desk has not heard."""
        copies, _, _ = self.news(desk)
        return bool(copies)

    def erased(self, desk: DeskKey, record: bytes, signature: Signature) -> int:
        """Keep a desk's word that bulletins are gone there; how many of them it had of this node.

        Raises:
            InvalidInput: `signature_invalid`, codec codes, `malformed`. Refused: `key_foreign`.
            OperatorError: the disk.
        """
        said = decode(DeskErasure, record, 8 * KIB, "record")
        if list(said.bulletins) != sorted(set(said.bulletins)):
            raise InvalidInput("malformed", "bulletins are sorted, each once", field="bulletins")
        self._check(desk, (said.agency, said.handle, said.key), signature)
        self._verify(desk, DESK_ERASURE_TYPE, record, signature)
        with self._db.transaction() as tx:
            row = tx.execute(
                "INSERT INTO desk_erasures (key, time, record, signature) VALUES (?, ?, ?, ?)",
                (desk.key, said.time, record, encode(signature)),
            )
            done = tx.executemany(
                "UPDATE desk_copies SET erasure = ? WHERE bulletin = ? AND key = ?"
                " AND erasure IS NULL",
                [(row.lastrowid, bulletin, desk.key) for bulletin in said.bulletins],
            )
            if not done.rowcount:  # the same again
                tx.execute("DELETE FROM desk_erasures WHERE id = ?", (row.lastrowid,))
        return done.rowcount

    def exported(
        self,
        desk: DeskKey,
        record: bytes,
        signature: Signature,
        shown: Callable[[bytes], bool] = lambda _: False,
    ) -> bool:
        """Keep a desk's record of an export; whether a statement about it waits for the log now.

        Args:
            shown: whether the rules show a bulletin to this officer: a node that came back from a
                backup may not know that it gave it to this desk.

        Raises:
            InvalidInput: `signature_invalid`, codec codes, `bulletin_unknown`. Refused:
                `key_foreign`. OperatorError: the disk.
        """
        said = decode(Export, record, KIB, "record")
        given = self._db.row(
            "SELECT 1 FROM desk_copies WHERE bulletin = ? AND key = ?", (said.bulletin, desk.key)
        )
        if (given is None and not shown(said.bulletin)) or said.kind not in LEFT:
            raise InvalidInput(
                "bulletin_unknown", "this desk was not given what it says it saved", field="record"
            )
        self._check(desk, (said.agency, said.by, desk.key), signature, f"desk:{desk.handle}")
        self._verify(desk, EXPORT_TYPE, record, signature)
        again = "SELECT 1 FROM exports WHERE bulletin = ? AND record = ?"
        if self._db.row(again, (said.bulletin, record)) is not None:
            return False
        if given is None:
            self.given(said.bulletin, desk)
        return self._exports.keep(said.bulletin, said.kind, record, encode(signature))

    def of(self, bulletin: bytes) -> list[Json]:
        """Desks that were given a bulletin; `erased`: when the desk signed that it is gone."""
        rows = self._db.rows(
            "SELECT c.handle, c.key, c.given, e.time FROM desk_copies c LEFT JOIN desk_erasures e"
            " ON e.id = c.erasure WHERE c.bulletin = ? ORDER BY c.given, c.key",
            (bulletin,),
        )
        return [
            {"handle": handle, "key": key.hex(), "given": given, "erased": erased}
            for handle, key, given, erased in rows
        ]

    def known(self, bulletin: bytes) -> ErasureDetail:
        """What the originator is told when this node has erased a bulletin."""
        desks = self.of(bulletin)
        confirmed = sum(one["erased"] is not None for one in desks)
        counts = self._exports.counts(bulletin).items()
        return ErasureDetail(
            tuple(ExportCount(kind, count) for kind, count in counts),
            confirmed,
            len(desks) - confirmed,
        )

    # --- inside -----------------------------------------------------------------------------------

    def _check(
        self,
        desk: DeskKey,
        said: tuple[str, str, bytes],
        signature: Signature,
        name: str | None = None,
    ) -> None:
        own = (self._agency, name or desk.handle, desk.key)
        if said != own or signature.item.key != desk.key:
            raise Refused(
                "key_foreign",
                "another officer's key signed this than the desk's own",
                field="record",
            )

    def _verify(self, desk: DeskKey, kind: str, record: bytes, signature: Signature) -> None:
        with self._logs.lock:
            self._logs.directory.key(desk.key, Role.OFFICER)
            key = self._logs.directory.verifying(desk.key)
        verify_one(signature, key, kind, record)
