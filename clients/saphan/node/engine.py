"""The node's work on frames and answers, off the event loop: judge, store, then tell.

One thread takes frames in their order (the feed is a sequence); sealing has a thread of its own, so
that receiving does not wait for sending. SQLite commits and signatures release the interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from saphan_protocol.checkpoint import Head
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import SaphanError
from saphan_schemas.frames import DirectoryLeaves, Feed, Witnessed
from saphan_schemas.limits import LIMITS

from saphan.node.alarms import Alarms
from saphan.node.anew import Delivery, ended, overdue, undecided, withdrawn
from saphan.node.budget import Budget
from saphan.node.effects import Effects
from saphan.node.events import Event
from saphan.node.logs import Logs
from saphan.node.outbox import Outbox
from saphan.node.proving.gaps import Gaps
from saphan.node.proving.notes_kept import NotesKept
from saphan.node.proving.proofs import WitnessedProofs
from saphan.node.receive import Intake
from saphan.node.retention.erasing import Erasing
from saphan.node.retention.witnessed import WitnessedTime
from saphan.node.rows.db import Database
from saphan.node.storing import store

T = TypeVar("T")

NOTES_FRAMES: Final = 64
"""Feed frames, each with a head, between looks at which heads are kept."""


class Engine:
    """Runs the synchronous parts in their threads."""

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        logs: Logs,
        intake: Intake,
        outbox: Outbox,
        alarms: Alarms,
        budget: Budget,
        proofs: WitnessedProofs,
        gaps: Gaps,
        notes: NotesKept,
        erasing: Erasing,
        time: WitnessedTime,
    ) -> None:
        self.agency = agency
        self.key = key
        self.db = db
        self.logs = logs
        self.outbox = outbox
        self.budget = budget
        self.proofs = proofs
        self.gaps = gaps
        self._notes = notes
        self._erasing = erasing
        self._time = time
        self._frames_taken = 0
        self._intake = intake
        self._alarms = alarms
        self._looked_at = -1
        self._failing: set[str] = set()  # why some could not be consigned anew
        self._frames = ThreadPoolExecutor(1, "saphan-frames")
        self._sealing = ThreadPoolExecutor(1, "saphan-sealing")
        self._reading = ThreadPoolExecutor(2, "saphan-reading")

    def close(self) -> None:
        """Wait for what has begun."""
        for pool in (self._frames, self._sealing, self._reading):
            pool.shutdown(wait=True)

    async def in_frames(self, work: Callable[[], T]) -> T:
        """Run in the thread that owns the verified logs."""
        return await asyncio.get_running_loop().run_in_executor(self._frames, work)

    async def in_sealing(self, work: Callable[[], T]) -> T:
        """Run in the thread that seals."""
        return await asyncio.get_running_loop().run_in_executor(self._sealing, work)

    async def in_reading(self, work: Callable[[], T]) -> T:
        """Run a read that nobody else waits for."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    def take_directory(self, frame: DirectoryLeaves) -> Head | None:
        """Verify and keep directory leaves; refused agreements become alarms.

        Returns the head, None while leaves of it are still to come."""
        head, refused = self.logs.take_directory(frame)
        for error in refused:
            self._alarms.sound(error)
        return head

    def take_feed(self, frame: Feed) -> Effects:
        """Verify, judge and keep a feed frame.

        Raises:
            SaphanError: nothing of the frame was kept.
        """
        effects = self._intake.judge_frame(frame)
        try:
            store(self.db, self.logs, self.key, self.agency, effects)
        except SaphanError:
            # Nothing was kept, or everything was and it was not said: the store knows.
            self.logs.load_feed()
            raise
        self._erasing.heard(effects.seen)
        for error in effects.alarms:
            self._alarms.sound(error)
        self._frames_taken += 1
        if self._frames_taken % NOTES_FRAMES == 0:
            self._notes.look()
        return effects

    def take_witnessed(self, frame: Witnessed) -> None:
        """Keep lines on a head, and move the proofs that it makes witnessed ones.

        Raises:
            SaphanError: what `Logs.take_witnessed` raises; OperatorError: the disk.
        """
        self._time.take(frame)
        self.logs.take_witnessed(frame)
        self.proofs.settle()

    def sound(self, error: SaphanError) -> None:
        """Note an error that somebody must see."""
        self._alarms.sound(error)

    def quiet(self, code: str) -> None:
        """What an error of this code told is over."""
        self._alarms.clear(code)

    def consign_due(self, now: int) -> bool:
        """Consign anew everything that needs it; whether there was anything. `now` in ms UTC.

        What is in the log is looked at again when the directory has grown, or `look_again`.
        """
        for error in overdue(self.db, self.agency, now):
            self._alarms.sound(error)
        size, found = self.logs.directory.size, undecided(self.db, self.agency)
        if size != self._looked_at:
            found += withdrawn(self.db, self.logs, self.agency, self.key.key_id, now)
        failing: set[str] = set()
        for at in range(0, len(found), LIMITS.frame_items):
            failing |= self.consign_anew(found[at : at + LIMITS.frame_items])
        for code in self._failing - failing:
            self._alarms.clear(code)
        self._failing = failing
        self._looked_at = -1 if failing else size
        return bool(found)

    def consign_ended(self, now: int) -> None:
        """Before a session sends: what waited for days, and whose mailbox keys' time is over, goes
        out under others at once. `now` in ms UTC.

        A crash between leaves deliveries for which nothing waits: `consign_due` finds them.
        """
        found = ended(self.db, self.logs, now)
        for at in range(0, len(found), LIMITS.frame_items):
            part = found[at : at + LIMITS.frame_items]
            with self.db.transaction() as tx:
                tx.executemany(
                    "UPDATE consignments SET state = 'ended' WHERE id = ? AND state = 'waiting'",
                    [(row,) for row, _, _ in part],
                )
            self.consign_anew([(bulletin, to) for _, bulletin, tos in part for to in tos])

    def look_again(self) -> None:
        """Keys were revoked by another way than the log."""
        self._looked_at = -1

    def consign_anew(self, deliveries: list[Delivery]) -> set[str]:
        """New consignments after `unopened` or a refusal; what cannot be consigned is an alarm,
        until the next look at everything finds it cured; codes of those."""
        outcomes = self.outbox.consign_anew(deliveries)
        failed = [outcome for outcome in outcomes if isinstance(outcome, SaphanError)]
        for error in failed:
            self._alarms.sound(error)
        self._failing |= {error.code for error in failed}
        return {error.code for error in failed}


def told(effects: Effects, log: int) -> list[Event]:
    """A frame's events as listeners hear them; `log` is the log's number."""
    events: list[Event] = [
        {
            "type": "event",
            "id": seen.bulletin.hex(),
            "event": seen.event,
            "sender": seen.entry.sender,
            "recipient": seen.entry.recipient,
            "issuer": seen.issuer,
            "code": seen.code,
            "log": log,
            "index": seen.index,
            "time": seen.entry.time,
        }
        for seen in effects.seen
    ]
    events += [{"type": "inbox", "id": bulletin.hex()} for bulletin in effects.shown]
    return events
