"""Mailbox keys over the weeks: the old ones are destroyed, and nobody is surprised by the last.

A private half goes when its `open_until` has passed by this machine's clock and by a head that a
witness has cosigned: neither a wrong clock nor a lying broker makes a node destroy a key too early.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from saphan_protocol.directory import KeyInfo
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.records import Role

from saphan.keys.mailbox_schedule import WEEK_MS, planned_until
from saphan.node.alarms import Alarms
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.trust.mailboxes import Mailboxes
from saphan.node.trust.rejections import Rejections
from saphan.node.witness import Witness

log = logging.getLogger("saphan.node")

RUNS_OUT: Final = "mailbox_runs_out"
ABSENT: Final = "mailbox_halves_missing"


class MailboxCare:
    """Looks after one agency's mailbox keys. `look` runs in one thread at a time.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        logs: Logs,
        mailboxes: Mailboxes,
        rejections: Rejections,
        witness: Witness,
        alarms: Alarms,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._witness = witness
        self._logs = logs
        self._mailboxes = mailboxes
        self._rejections = rejections
        self._alarms = alarms
        self._clock = clock

    def look(self) -> None:
        """Destroy what is over, sound or end the alarms; a full disk waits for the next look."""
        now = self._clock()
        with self._logs.lock:
            known = self._logs.directory.all_keys(self._agency)
            active = self._logs.directory.keys(self._agency, Role.MAILBOX)
        if not known:
            return  # not enrolled yet, or nothing heard yet
        self._destroy([key for key in known if key.role is Role.MAILBOX], now)
        self._count(active, now)
        self._find(active, now)

    def witnessed(self) -> int:
        """Time of the newest head that a witness (or this node as one) has cosigned, ms UTC."""
        row = self._db.row("SELECT max(time) FROM heads WHERE witnesses != ''")
        times = [int(row[0])] if row and row[0] is not None else []
        for heads in (self._logs.directory_heads, self._logs.evidence_heads):
            own = self._witness.known(heads.origin)
            times += [own.time] if own is not None else []
        return max(times, default=0) * SECOND_MS

    def _destroy(self, keys: list[KeyInfo], now: int) -> None:
        over = min(now, self.witnessed())
        for key in keys:
            if key.open_until is None or key.open_until >= over:
                continue
            if self._mailboxes.get(key.key_id) is None:
                continue
            try:
                self._rejections.outlive(key.key_id, self._agency)
                self._mailboxes.destroy(key.key_id)
            except SaphanError as error:
                self._alarms.sound(error)
                return
            log.info("mailbox key %s is destroyed: its time is over", key.key_id.hex()[:16])

    def _count(self, active: list[KeyInfo], now: int) -> None:
        left = planned_until(active, now) - now
        if left >= LIMITS.mailbox_warn_weeks * WEEK_MS:
            self._alarms.clear(RUNS_OUT)
            return
        days = max(0, left) // (WEEK_MS // 7)
        self._alarms.sound(
            OperatorError(
                RUNS_OUT,
                f"mailbox keys are enrolled for {days} days more; after that nobody can send "
                f"to {self._agency}",
                hint="make the next ones where the node stands, and let the root sign: "
                f"saphan keys rotate mailbox --weeks {LIMITS.mailbox_weeks}",
            )
        )

    def _find(self, active: list[KeyInfo], now: int) -> None:
        """Keys that others may seal to, and that this node cannot open."""
        absent = [
            key.key_id.hex()[:16]
            for key in active
            if key.open_until is not None
            and key.open_until >= now
            and self._mailboxes.get(key.key_id) is None
        ]
        if not absent:
            self._alarms.clear(ABSENT)
            return
        self._alarms.sound(
            OperatorError(
                ABSENT,
                f"{len(absent)} enrolled mailbox keys have no private half here: {absent[0]}",
                hint="put their files into the node's mailbox folder, or revoke them and make "
                "others: saphan keys rotate mailbox --replace",
            )
        )
