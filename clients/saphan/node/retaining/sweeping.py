"""What is due on witnessed time: asked about, erased, ended; every few seconds, for ever.

1. Nothing while a restored node has not heard what it missed, while no other agency's witness is
   known, or after a leap of witnessed time that nobody has confirmed.
2. What stopped between is finished; what this node has said before that it erased, is gone.
3. Days are reckoned; reviews whose day has come are asked for.
4. What is due is erased by `Erasing`, a part at a time; held ones stay.
5. Rows whose records are over go; then the archive keys of days that are over are destroyed.
Each step starts from the store alone: a SIGKILL anywhere leaves it to the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import Events
from saphan.node.resting import rest
from saphan.node.restored import Restored
from saphan.node.retaining.archive_days import ArchiveDays
from saphan.node.retaining.armed import Armed
from saphan.node.retaining.forgetting import Forgetting
from saphan.node.retaining.reckoner import Reckoner
from saphan.node.retaining.reviews import Reviews
from saphan.node.retention.erasing import Erasing
from saphan.node.retention.keeping import PART
from saphan.node.retention.witnessed import ACTED_FACT, WitnessedTime
from saphan.node.rows.db import Database
from saphan.node.wire.line import Line

log = logging.getLogger("saphan.node")

LEAP: Final = "retention_leap"
UNWITNESSED: Final = "retention_unwitnessed"
ACTED_MS: Final = DAY_MS // 24
"""By how much it goes on before it is written again."""
LOOK_S: Final = 15.0
PAUSE_S: Final = 0.05
"""Between two parts, so that frames go first."""
_OPEN: Final = "'queued', 'submitted', 'unopened', 'handed_over', 'unanswered'"
_DUE: Final = (
    "SELECT r.seq, b.id, r.rule, r.day FROM retention r JOIN bulletins b USING (seq)"  # noqa: S608 - constants
    " WHERE r.erased IS NULL AND r.day <= ?1 AND (r.day, r.seq) > (?2, ?3)"
    " AND (r.rule IN ('due', 'recalled', 'order', 'rejected') OR r.retain <= ?1"
    " OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.bulletin = b.id"
    f" AND d.state IN ({_OPEN}))) ORDER BY r.day, r.seq LIMIT {PART}"
)
"""What is due but for its last day waits for the outcome of its delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """The parts of one node that make what is due go; `clock` gives ms UTC."""

    engine: Engine
    line: Line
    db: Database
    erasing: Erasing
    reckoner: Reckoner
    reviews: Reviews
    days: ArchiveDays
    forgetting: Forgetting
    armed: Armed
    time: WitnessedTime
    restored: Restored
    alarms: Alarms
    events: Events
    clock: Callable[[], int]

    async def run(self) -> None:
        """Look, for ever; what fails now is tried again at the next look."""
        while True:
            try:
                await self.look()
            except SaphanError as error:  # the disk
                self.alarms.sound(error)
            except Exception:  # a bug; without this task nothing would be erased any more
                log.exception("the sweep of retention met a bug")
            await asyncio.sleep(LOOK_S)

    async def look(self) -> int:
        """Steps 1 to 5; how many bulletins were erased.

        Raises:
            OperatorError: the disk.
        """
        if self.restored.listening:
            return 0
        await self.engine.in_frames(self.begin)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while await self.engine.in_reading(self.reckoner.step):
            await rest(begun, PAUSE_S)
            begun = loop.time()
        await self._ask()
        today = await self.engine.in_frames(self.today)
        if today is None:
            return 0
        self.events.publish(await self.engine.in_frames(partial(self.reviews.ask, today)))
        total = 0
        after = (-1, -1)
        while True:
            place = after
            after, erased = await self.engine.in_frames(partial(self.part, today, place))
            total += erased
            if after == place:
                break
            self.line.wake_statements()
            await asyncio.sleep(PAUSE_S)
        await self.engine.in_frames(partial(self.end, today))
        return total

    async def _ask(self) -> None:
        """While the log is idle nobody cosigns: something is due by this machine's clock, so the
        broker is asked for a head of today, and everybody's witness to look at it."""
        today = self.clock() // DAY_MS
        if not await self.engine.in_reading(partial(self._waits, today)):
            return
        head = self.time.asked(today)
        if head is None:
            return
        with contextlib.suppress(SaphanError):  # no line: it is asked at a later look
            found = await self.line.asking().prove(head, fresh=today * DAY_MS)
            await self.engine.in_frames(partial(self.time.take_note, found.note))

    def _waits(self, today: int) -> bool:
        """Whether anything is due by this machine's clock, and not by any witness's."""
        now = self.time.now()
        if now is not None and now // DAY_MS >= today:
            return False
        query = "SELECT 1 FROM retention WHERE erased IS NULL AND {} <= ? LIMIT 1"
        found = (self.db.row(query.format(name), (today,)) for name in ("day", "review"))
        return any(row is not None for row in found)

    # --- the steps, blocking, in the frames' thread -----------------------------------------------

    def begin(self) -> None:
        """Step 2, and rules that have changed."""
        if self.erasing.resume():
            self.line.wake_statements()
        self.reckoner.begin()

    def today(self) -> int | None:
        """Step 1: the day (since 1970-01-01) whose first instant has been witnessed.

        None: nothing may go now. Alarms say why, where a person has to do something about it.
        """
        now = self.time.now()
        self._tell_unwitnessed(now)
        if now is None:
            return None
        acted = self._acted()
        if acted is not None and now - acted > LIMITS.retention_leap_ms:
            self.alarms.sound(_leap(now - acted))
            return None
        self.alarms.clear(LEAP)
        if acted is None or now - acted >= ACTED_MS or now // DAY_MS > acted // DAY_MS:
            self._note(now)
        today = now // DAY_MS
        self.armed.tell(today, self.armed.standing())
        return today

    def _tell_unwitnessed(self, now: int | None) -> None:
        """Sound or end the alarm: what is long due by this machine's clock waits for a witness."""
        late = (self.clock() - LIMITS.destruction_grace_ms) // DAY_MS
        query = "SELECT count(*) FROM retention WHERE erased IS NULL AND day <= ?"
        behind = now is None or now // DAY_MS < late
        row = self.db.row(query, (late,)) if behind else None
        if row is None or not row[0]:
            self.alarms.clear(UNWITNESSED)
        else:
            self.alarms.sound(_unwitnessed(row[0]))

    def confirm(self) -> int | None:
        """A person says that witnessed time is right; the leap in ms, None if there is none.

        Raises:
            OperatorError: the disk.
        """
        now, acted = self.time.now(), self._acted()
        if now is None or acted is None or now - acted <= LIMITS.retention_leap_ms:
            return None
        self._note(now)
        self.alarms.clear(LEAP)
        return now - acted

    def part(self, today: int, after: tuple[int, int]) -> tuple[tuple[int, int], int]:
        """Step 4, of one part: the place to go on from, unchanged at the end, and how many went."""
        rows = self.db.rows(_DUE, (today, *after))
        if not rows:
            return after, 0
        erased = 0
        for rule in sorted({row[2] for row in rows}):
            done = self.erasing.erase([row[1] for row in rows if row[2] == rule], rule)
            erased += len(done.erased)
        return (rows[-1][3], rows[-1][0]), erased

    def end(self, today: int) -> None:
        """Step 5."""
        self.forgetting.look(today)
        self.days.end(today)

    def _acted(self) -> int | None:
        row = self.db.row("SELECT value FROM facts WHERE name = ?", (ACTED_FACT,))
        return None if row is None else int(row[0])

    def _note(self, now: int) -> None:
        with self.db.transaction() as tx:
            tx.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name)"
                " DO UPDATE SET value = excluded.value",
                (ACTED_FACT, now),
            )


def _unwitnessed(count: int) -> OperatorError:
    days = LIMITS.destruction_grace_ms // DAY_MS
    return OperatorError(
        UNWITNESSED,
        f"{count} bulletins have been due for {days} days by this machine's clock, and no witness"
        " of another agency has signed that their day has come; they are not erased",
        hint="look at the line and at this machine's clock (saphan status), and ask the other"
        " agencies whether their nodes run",
    )


def _leap(by: int) -> OperatorError:
    return OperatorError(
        LEAP,
        f"witnessed time has gone on by {by // DAY_MS} days since this node acted on it last;"
        " nothing is erased",
        hint="check this machine's clock and the broker's; if the time is right (the node was off"
        " for so long), say so: saphan retention confirm",
    )
