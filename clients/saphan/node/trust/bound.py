"""What a partner brought by hand: revocations and orders that bind this node before the log does.

A broker may delay what it does not like, and a line may be down for days. A file that the roots (or
an order key) have signed binds whoever sees it at once, for everything that is judged now; evidence
goes on being judged by the log alone. It is kept, so that a restart does not forget it, and offered
to the broker until the log shows it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from saphan_protocol.agreement_order import Ordered, parse_order
from saphan_protocol.identity import identity, sha256
from saphan_protocol.operation import OPERATION_TYPE, check_operation
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import LIMITS

from saphan.node.logs import Logs
from saphan.node.rows.db import Database

Kind = Literal["operation", "order"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the log does not show yet."""

    identity: bytes
    kind: Kind
    package: bytes


class Bound:
    """Packages that were imported by hand. Thread-safe.

    Args:
        clock: ms UTC.
    """

    def __init__(self, db: Database, logs: Logs, clock: Callable[[], int]) -> None:
        self._db = db
        self._logs = logs
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[bytes, str | None] = {}
        for kind, package, leaves in db.rows(
            "SELECT kind, package, leaves FROM bound ORDER BY position"
        ):
            with contextlib.suppress(SaphanError):  # the log has caught up with it
                self._bind(kind, package, leaves)

    def take(self, kind: Kind, package: bytes) -> dict[str, Any]:
        """Judge a package by its signatures, keep it, and heed it from now on.

        Returns:
            What it binds, as `listed` shows it.

        Raises:
            InvalidInput, Refused: what `Directory.bind` and `Directory.bind_order` raise; nothing
                was kept. OperatorError: the disk.
        """
        name, now = _identity(kind, package), self._clock()
        with self._lock:
            kept = self._db.row("SELECT imported FROM bound WHERE identity = ?", (name,))
            if kept is None:
                leaves = self._logs.directory.size
                over = self._over()
                if not self._open(kind, package):
                    self._bind(kind, package, None)
                with self._db.transaction() as tx:
                    # If this fails it binds until the next start, and may be imported again.
                    tx.executemany("DELETE FROM bound WHERE position = ?", over)
                    tx.execute(
                        "INSERT INTO bound (identity, kind, package, imported, leaves)"
                        " VALUES (?, ?, ?, ?, ?)",
                        (name, kind, package, now, leaves),
                    )
        return self._row(name, kind, package, now if kept is None else kept[0])

    def _over(self) -> list[tuple[int]]:
        """What makes room for one more: the oldest that the log shows, and that binds by it now.

        Raises:
            Refused: `bound_full`.
        """
        rows = self._db.rows("SELECT position, kind, package FROM bound ORDER BY position")
        if len(rows) < LIMITS.bound_packages:
            return []
        for position, kind, package in rows:
            if self._shown(kind, package):
                return [(position,)]
        raise Refused(
            "bound_full",
            f"{len(rows)} files were imported by hand here, and the log shows none of them",
            field="file",
            hint="see them: saphan revoke list; ask the broker's operator why it logs nothing",
        )

    def open_leaves(self) -> None:
        """Give texts brought by hand to the leaves that the broker has shown without them.

        Raises:
            OperatorError: the disk.
        """
        rows = self._db.rows("SELECT kind, package FROM bound ORDER BY position")
        for kind, package in rows:
            if not self._shown(kind, package):
                with contextlib.suppress(InvalidInput, Refused):  # it does not fit the log
                    self._open(kind, package)

    def offers(self) -> list[Offer]:
        """What the broker is offered: everything that the log may still take, oldest first."""
        rows = self._db.rows("SELECT identity, kind, package FROM bound ORDER BY position")
        return [
            Offer(*row)
            for row in rows
            if not self._shown(row[1], row[2]) and not self._passed(row[1], row[2])
        ]

    def answered(self, offer: Offer, code: str | None) -> None:
        """What the broker said of an offer; None: it took it."""
        self._answers[offer.identity] = code

    def listed(self) -> list[dict[str, Any]]:
        """Everything that was imported, oldest first, and whether the log shows it by now."""
        rows = self._db.rows(
            "SELECT identity, kind, package, imported FROM bound ORDER BY position"
        )
        return [self._row(*row) for row in rows]

    def _row(self, name: bytes, kind: Kind, package: bytes, imported: int) -> dict[str, Any]:
        return {
            "identity": name.hex(),
            "kind": kind,
            "imported": imported,
            "logged": self._shown(kind, package),
            "broker": self._answers.get(name),
            **_told(kind, package),
        }

    def _open(self, kind: Kind, package: bytes) -> bool:
        """Open the leaf of an order that the broker gave no text of; False: there is none."""
        return kind == "order" and self._logs.open_by_hand(package)

    def _bind(self, kind: Kind, package: bytes, leaves: int | None) -> None:
        """`leaves`: size of the directory when it was brought; None: now."""
        with self._logs.lock:
            try:
                if kind == "operation":
                    self._logs.directory.bind(package, leaves)
                elif leaves is not None or not self._shown(kind, package):
                    # After a start also what is logged by now: what was brought later follows it.
                    self._logs.directory.bind_order(package, leaves)
            except Refused as error:
                if error.code != "revokes_nothing" or self._shown(kind, package):
                    raise
                # Bound by an import that could not be kept: this one is kept.

    def _shown(self, kind: Kind, package: bytes) -> bool:
        """Whether the directory log shows the same."""
        directory = self._logs.directory
        with self._logs.lock:
            if kind == "operation":
                changes = check_operation(package).record.changes
                found = [directory.find(c.key) for c in changes if c.action == "revoke"]
                return all(info is not None and info.revoked is not None for info in found)
            given = parse_order(package)
            logged = self._logged(given.order.agreement)
            return any(one.package.order == given.package.order for one in logged)

    def _passed(self, kind: Kind, package: bytes) -> bool:
        """Whether the log shows another one under its number, and can never take this one."""
        if kind == "operation":
            record = check_operation(package).record
            with self._logs.lock:
                return record.version <= self._logs.directory.version(record.agency)[0]
        order = parse_order(package).order
        with self._logs.lock:
            same = [o for o in self._logged(order.agreement) if o.order.agency == order.agency]
        return order.number <= len(same)

    def _logged(self, agreement: bytes) -> tuple[Ordered, ...]:
        directory = self._logs.directory
        agreed = directory.agreed.find(agreement)
        return () if agreed is None else directory.agreed.orders(agreed)


def _identity(kind: Kind, package: bytes) -> bytes:
    """Raises what the parsers raise: what is no such package is refused before anything else."""
    if kind == "operation":
        return identity(OPERATION_TYPE, check_operation(package).body)
    parse_order(package)
    return sha256(package)


def _told(kind: Kind, package: bytes) -> dict[str, Any]:
    if kind == "operation":
        record = check_operation(package).record
        gone = [change.key.hex() for change in record.changes if change.action == "revoke"]
        return {"agency": record.agency, "version": record.version, "revokes": gone}
    order = parse_order(package).order
    return {
        "agency": order.agency,
        "agreement": order.agreement.hex(),
        "action": order.action,
        "number": order.number,
    }
