"""Telling somebody that a bulletin is there, and somebody else when nobody reads it.

1. What was put into the inbox gets a row, once, after the newest one that had its row before.
2. When a row is due, the command runs; then its end is written, in one transaction with the next
   step's row. A crash between the two runs it once more: that is the only second notice there is.
   A disk that does not take the record is asked again; the command is not.
3. A step whose bulletin an officer has read, or its sender has taken back, tells nobody any more,
   and no step follows it.
4. A warning before a deadline is a row too, put there by `warnings`: its step is below 0, no step
   follows it, and not a reading ends it but what it waits for, or the deadline.

A command that fails is tried again, after 1, 2, 4, 8 and 16 minutes; the steps go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS, MINUTE_MS, SECOND_MS
from saphan_schemas.records import Header

from saphan.node.alarms import Alarms
from saphan.node.events import NOTICE, Events
from saphan.node.policy.current import Current
from saphan.node.policy.settings import NodeSettings, NoticeSettings
from saphan.node.rows.db import Database, Row
from saphan.node.telling.hook import Ended, Hook, Notice
from saphan.node.telling.owed import owed_at
from saphan.node.telling.warnings import LATER, OVER, deadline_of, of_step, waits

log = logging.getLogger("saphan.node")

NEWEST: Final = "noticed"
"""Fact: place in the inbox up to which every bulletin has had its first row."""
AT_ONCE: Final = LIMITS.notice_running
"""Rows of one look, the most urgent first: what is more urgent waits for no more commands."""
TOGETHER_S: Final = 0.2
LONGEST_MS: Final = 30 * SECOND_MS
"""Between looks, so that a clock that is set does not put off what is due."""
RETRY_MS: Final = MINUTE_MS

_DUE: Final = (
    "SELECT n.bulletin, n.step, n.tries, b.header, b.stored, n.step >= 0 AND (EXISTS ("
    "SELECT 1 FROM readings r WHERE r.bulletin = n.bulletin AND r.handle IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM recalled c WHERE c.bulletin = n.bulletin))"
    " FROM notices n JOIN bulletins b ON b.id = n.bulletin WHERE n.state = 'waiting' AND n.due <= ?"
    " ORDER BY b.urgency DESC, n.due LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class _Due:
    """A row whose time has come."""

    notice: Notice
    tries: int
    arrived: int
    read: bool

    @property
    def key(self) -> tuple[bytes, int]:
        """What names the row."""
        return self.notice.bulletin, self.notice.step


class Audience(Protocol):
    """Whom a notice is for."""

    def shown_to(self, bulletin: bytes) -> list[str]:
        """Handles of the officers who are shown a bulletin."""

    def warned_of(self, bulletin: bytes) -> list[str]:
        """Handles of those whom its deadlines concern."""


class Notices:
    """The notices of one node; `run` on the event loop, everything else in threads.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self,
        audience: Audience,
        db: Database,
        settings: Current,
        alarms: Alarms,
        events: Events,
        clock: Callable[[], int],
        hook: Hook | None = None,
    ) -> None:
        self._audience = audience
        self._db = db
        self._settings = settings
        self._alarms = alarms
        self._events = events
        self._clock = clock
        self._hook = hook or Hook()
        self._pool = ThreadPoolExecutor(LIMITS.notice_running, "saphan-notice")
        self._unwritten: dict[tuple[bytes, int], Ended] = {}
        """Commands that have ended, which the disk has not taken yet: at most one per row."""

    def close(self) -> None:
        """End what runs; blocking."""
        self._hook.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def run(self) -> None:
        """Tell, for ever: when something comes into the inbox, and when something is due."""
        with self._events.listen() as listener:
            while True:
                wait_ms = await self.look()
                if await listener.next(wait_ms / 1000) is not None:
                    # Events come by the hundred, and a look for all of them is one look.
                    await asyncio.sleep(TOGETHER_S)
                    listener.drain()

    async def look(self) -> int:
        """Tell of everything that is due; ms until the next look."""
        loop = asyncio.get_running_loop()
        try:
            due = await loop.run_in_executor(self._pool, self._due)
            self._publish(due)
            told = await asyncio.gather(
                *(loop.run_in_executor(self._pool, partial(self._tell, one)) for one in due),
                return_exceptions=True,
            )
            for failure in filter(None, told):  # after all have ended: none runs beside itself
                raise failure
            return 0 if due else await loop.run_in_executor(self._pool, self._until_next)
        except OperatorError as error:  # the disk: what was not written is told again
            self._alarms.sound(error)
        except Exception:  # a bug; without this task nobody would be told of anything any more
            log.exception("a look at the notices met a bug")
        return LONGEST_MS

    def _publish(self, due: list[_Due]) -> None:
        """Tell whoever listens: programs of this machine, and the desks of those who are named.

        A warning was an event of its own before it was a row here.
        """
        told = [
            one.notice
            for one in due
            if not (one.tries or one.read or one.notice.warning or one.key in self._unwritten)
            and one.notice.officers
        ]
        self._events.publish(
            [
                {
                    "type": NOTICE,
                    "id": notice.bulletin.hex(),
                    "step": notice.step,
                    "officers": list(notice.officers),
                }
                for notice in told
            ]
        )

    # --- rows ---------------------------------------------------------------------------------

    def _due(self) -> list[_Due]:
        now, settings = self._clock(), self._settings.now
        if settings.notice is None:
            self._forget()
            return []
        self._add(now)
        return [self._parse(row, settings) for row in self._db.rows(_DUE, (now, AT_ONCE))]

    def _forget(self) -> None:
        """Nobody is to be told: what comes now is never told of, whoever is named later."""
        if self._db.row(
            "SELECT 1 FROM facts WHERE name = ? UNION"
            " SELECT 1 FROM notices WHERE state = 'waiting'",
            (NEWEST,),
        ):
            with self._db.transaction() as tx:
                tx.execute("DELETE FROM facts WHERE name = ?", (NEWEST,))
                tx.execute("DELETE FROM notices WHERE state = 'waiting'")

    def _add(self, now: int) -> None:
        """A row for each bulletin of the inbox that has had none."""
        found = self._db.row("SELECT value FROM facts WHERE name = ?", (NEWEST,))
        newest = self._db.row("SELECT max(arrived) FROM bulletins")
        last = (newest[0] if newest else None) or 0
        if found is not None and int(found[0]) >= last:
            return
        with self._db.transaction() as tx:
            if found is not None:
                tx.execute(
                    "INSERT INTO notices (bulletin, step, due, state) SELECT id, 0, ?, 'waiting'"
                    " FROM bulletins WHERE arrived > ? AND arrived <= ? ON CONFLICT DO NOTHING",
                    (now, int(found[0]), last),
                )
            tx.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (NEWEST, str(last)))

    def _parse(self, row: Row, settings: NodeSettings) -> _Due:
        bulletin, step, tries, data, stored, read = row
        header = decode(Header, data, LIMITS.header_bytes, "header")
        assert settings.notice is not None
        officers = self._officers(bulletin, step, settings.notice)
        deadline = header.expires if header.answer_by is None else header.answer_by
        notice = Notice(bulletin, step, header.urgency, deadline, officers)
        if step < 0:
            warning = of_step(step)
            late_at = LATER.get(warning[0], owed_at)
            at = deadline_of(header, warning[0]) or late_at(self._db, bulletin) or deadline
            notice = replace(notice, deadline=at, warning=warning)
            late = at <= self._clock() and warning[1] != OVER
            read = late or not waits(self._db, bulletin, step)
        return _Due(notice, tries, stored, bool(read))

    def _officers(self, bulletin: bytes, step: int, notice: NoticeSettings) -> tuple[str, ...]:
        """Those of the step who are shown the bulletin; nobody is told of what they may not see."""
        if step < 0:
            return tuple(self._audience.warned_of(bulletin))
        shown = self._audience.shown_to(bulletin)
        if step == 0:
            return tuple(shown)
        if step > len(notice.escalate):
            return ()  # the settings have fewer steps now
        return tuple(name for name in shown if name in notice.escalate[step - 1].to)

    # --- telling ------------------------------------------------------------------------------

    def _tell(self, due: _Due) -> None:
        settings = self._settings.now.notice
        if settings is None:
            return
        if due.read:
            self._end(due, settings, "read", None)
        elif not due.notice.officers:
            self._end(due, settings, "nobody", None)
        else:
            ended = self._unwritten.get(due.key) or self._hook.run(settings.command, due.notice)
            if ended is not None:
                self._unwritten[due.key] = ended
                self._note(due, settings, ended)
                del self._unwritten[due.key]

    def _note(self, due: _Due, settings: NoticeSettings, ended: Ended) -> None:
        if ended.well:
            self._end(due, settings, "told", ended.code)
            self._alarms.clear("notice_failed")
            return
        self._alarms.sound(
            OperatorError(
                "notice_failed",
                f"the notice command did not tell of {due.notice.bulletin.hex()[:16]}: {ended.why}",
                field="notice.command",
                hint="run it by hand with one line of JSON on its input; see docs/node-settings.md",
            )
        )
        last = due.tries + 1 >= LIMITS.notice_tries
        self._end(due, settings, "failed" if last else "waiting", ended.code)

    def _end(self, due: _Due, settings: NoticeSettings, state: str, code: int | None) -> None:
        """Write how a step ended; a crash before this runs the command once more."""
        now, notice = self._clock(), due.notice
        again = now + (RETRY_MS << due.tries)
        with self._db.transaction() as tx:
            tx.execute(
                "UPDATE notices SET state = ?, tries = tries + 1, told = ?, code = ?, due = ?"
                " WHERE bulletin = ? AND step = ?",
                (state, now, code, again, notice.bulletin, notice.step),
            )
            if state != "read" and notice.warning is None:
                _next_step(tx, due, settings)

    def _until_next(self) -> int:
        row = self._db.row("SELECT min(due) FROM notices WHERE state = 'waiting'")
        if row is None or row[0] is None:
            return LONGEST_MS
        wait: int = row[0] - self._clock()
        return min(LONGEST_MS, max(0, wait))


def _next_step(tx: sqlite3.Connection, due: _Due, settings: NoticeSettings) -> None:
    """The row of the step after this one, if the settings have one."""
    step = due.notice.step
    if step >= len(settings.escalate):
        return
    share = settings.escalate[step].share
    at = due.arrived + int(share * max(0, due.notice.deadline - due.arrived))
    tx.execute(
        "INSERT INTO notices (bulletin, step, due, state) VALUES (?, ?, ?, 'waiting')"
        " ON CONFLICT DO NOTHING",
        (due.notice.bulletin, step + 1, at),
    )


def noted(db: Database, bulletin: bytes) -> list[dict[str, object]]:
    """What came of a bulletin's notices, step by step; `told` is ms UTC of the newest try."""
    rows = db.rows(
        "SELECT step, due, state, tries, told, code FROM notices WHERE bulletin = ? AND step >= 0"
        " ORDER BY step",
        (bulletin,),
    )
    names = ("step", "due", "state", "tries", "told", "code")
    return [dict(zip(names, row, strict=True)) for row in rows]
