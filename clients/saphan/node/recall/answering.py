"""Answering what others take back: erase and obey, or keep and decline; never in silence.

1. The entry of a recall seals the bulletin in the frame that brings it (`keep_recalled`).
2. A hold of this agency declines, and nobody has to be asked. Otherwise the settings obey, or a
   person answers; while one has to, an alarm stands.
3. To obey is to erase first: what the node signs is true when it signs it. A crash between leaves
   the recall open, and erasing again changes nothing.
4. Who has declined may obey later; after a hold was released the node does so by itself, if the
   settings obey.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from saphan_protocol.delivery import DECLINED_CODES
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event, Statement

from saphan.node.alarms import Alarms
from saphan.node.holding.rows import hold_unsure, is_held
from saphan.node.policy.current import Current
from saphan.node.recall.alarming import ASKED, asked
from saphan.node.restored import Restored
from saphan.node.retention.erasing import Erasing
from saphan.node.retention.keeping import Keeping
from saphan.node.rows.db import Database
from saphan.node.rows.recalled import (
    DECLINED,
    OBEYED,
    STOPPED,
    RecalledHere,
    keep_answer,
    open_recalls,
    recalled_here,
)
from saphan.node.rows.statements import Said, keep_statements, sign_statements

Json = dict[str, Any]
OBEY: Final = "obey"
LEGAL_HOLD: Final = "legal_hold"
HOLD: Final = "hold"
SETTINGS: Final = "settings"
"""Who decided, where it was no person."""
LISTENING_S: Final = 2.0
"""Between looks of a restored node that has not heard yet how it answered."""
UNSURE_S: Final = 30.0
"""The same while it is not known whether a hold keeps what is to be erased."""
PAGE: Final = 4_096
"""Open recalls of one look; each is a few reads, and an answered one is open no more."""
Suppress = Callable[[bytes, str], None]
"""Called with a bulletin and the code of its recall before it is erased."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to: something is to be sent; something must be looked at again after so
    many seconds, None: when something happens."""

    said: bool = False
    again_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answering:
    """Of one node; runs in the frames' thread, where bulletins are stored and erased.

    Args:
        suppress: see `Suppress`; clock: ms UTC.
    """

    agency: str
    key: SigningKey
    db: Database
    erasing: Erasing
    suppress: Suppress
    settings: Current
    restored: Restored
    alarms: Alarms
    clock: Callable[[], int]
    _marked: set[bytes] = field(default_factory=set)

    def look(self) -> Looked:
        """Answer what can be answered without a person.

        Raises:
            OperatorError: the disk; the next look goes on.
        """
        if self.restored.listening:
            return Looked(again_s=LISTENING_S)  # how it was answered before may be heard yet
        looked = Looked()
        waiting: list[RecalledHere] = []
        found = open_recalls(self.db, PAGE)
        self._marked.intersection_update(one.bulletin for one in found)
        for one in found:
            self._mark(one)
            heard = self._heard(one)
            if heard is None:
                continue
            decided = self._decide(heard)
            if decided is None:
                waiting += [heard] if heard.answer is None else []
                continue
            done = decided()
            looked = Looked(looked.said or done, looked.again_s if done else UNSURE_S)
        self._alarm(waiting)
        return looked

    def answer(self, bulletin: bytes, declined: str | None, caller: str) -> None:
        """A person's answer; durable when it returns, the same again changes nothing.

        Args:
            declined: None: it is erased and obeyed; else why it is kept (`DECLINED_CODES`).
            caller: who decided, as records of this node name them.

        Raises:
            InvalidInput: `recall_code`. Refused: `not_recalled`, `answered_before`, `held_here`.
            Unavailable: `catching_up`, `hold_unsure`. OperatorError: the disk.
        """
        self.restored.require_heard()
        _check_code(declined)
        one = recalled_here(self.db, bulletin)
        if one is None or one.stopped:
            raise _not_recalled(bulletin, stopped=one is not None)
        if one.answer == OBEYED or (declined is not None and one.answer == DECLINED):
            if (one.answer == OBEYED, one.reason) == (declined is None, declined):
                return
            raise _answered(one)
        if declined is not None:
            self._decline(one, declined, caller)
            return
        if is_held(self.db, bulletin):
            raise Refused(
                "held_here",
                "a hold of this agency keeps this bulletin, so it cannot be erased",
                field="id",
                hint=f"see which one: saphan hold list --id {bulletin.hex()[:16]}",
            )
        if not self._obey(one, caller):
            raise hold_unsure()

    # --- inside -----------------------------------------------------------------------------------

    def _mark(self, one: RecalledHere) -> None:
        """Whom it named by mistake is marked from now on, also while it is kept here; once."""
        if one.bulletin not in self._marked:
            self.suppress(one.bulletin, one.code)
            self._marked.add(one.bulletin)

    def _decide(self, one: RecalledHere) -> Callable[[], bool] | None:
        """Step 2 and 4: what to do; None: nothing, or nothing without a person."""
        if one.stopped:
            held = is_held(self.db, one.bulletin)
            return lambda: self._put_off(one) if held else self._obey(one, SETTINGS)
        if is_held(self.db, one.bulletin):
            if one.answer is None:
                return lambda: self._decline(one, LEGAL_HOLD, HOLD)
            return (lambda: self._held_again(one)) if _of_a_hold(one) else None
        if self.settings.now.recall.answer != OBEY:
            return None
        if one.answer is None or one.caller == HOLD:
            return lambda: self._obey(one, SETTINGS)
        return None

    def _heard(self, one: RecalledHere) -> RecalledHere | None:
        """It as the log has it; None: the log has the answer already (of a life that is lost)."""
        row = self.db.row(
            "SELECT event, code, time FROM entries WHERE bulletin = ? AND recipient = ?"
            " AND event IN ('obeyed', 'declined') ORDER BY idx DESC LIMIT 1",
            (one.bulletin, self.agency),
        )
        if row is None or row[0] == one.answer:
            return one
        event, code, time = row
        with self.db.transaction() as tx:
            keep_answer(tx, one.bulletin, event, code, SETTINGS, time)
        if event == OBEYED:
            self.erasing.erase([one.bulletin], "recalled")
            return None
        return recalled_here(self.db, one.bulletin)

    def _obey(self, one: RecalledHere, caller: str) -> bool:
        """Step 3; False: it is held, or it is not known yet whether it is."""
        self.suppress(one.bulletin, one.code)
        done = self.erasing.erase([one.bulletin], "recalled")
        if done.held:
            return False
        if one.stopped:
            with self.db.transaction() as tx:
                keep_answer(tx, one.bulletin, STOPPED, None, caller, self.clock())
            return True
        return self._say(one, Event.OBEYED, None, caller)

    def _held_again(self, one: RecalledHere) -> bool:
        """A restored node hears that a hold had declined: when that ends it is obeyed."""
        with self.db.transaction() as tx:
            keep_answer(tx, one.bulletin, DECLINED, LEGAL_HOLD, HOLD, one.answered or self.clock())
        return True

    def _put_off(self, one: RecalledHere) -> bool:
        """Stopped, and held: no answer is owed, and it is erased when its hold ends."""
        now = self.clock()
        with self.db.transaction() as tx:
            Keeping.bring_forward(tx, one.bulletin, now // DAY_MS, "recalled")
            keep_answer(tx, one.bulletin, STOPPED, None, HOLD, now)
        return True

    def _decline(self, one: RecalledHere, code: str, caller: str) -> bool:
        return self._say(one, Event.DECLINED, code, caller)

    def _say(self, one: RecalledHere, event: Event, code: str | None, caller: str) -> bool:
        """The answer and the statement that says it, in one transaction."""
        now = self.clock()
        said = self._said(one.bulletin, event, code, now)
        signed = sign_statements(self.key, self.agency, [said])
        with self.db.transaction() as tx:
            keep_answer(tx, one.bulletin, event.value, code, caller, now)
            keep_statements(tx, *signed)
        return True

    def _said(self, bulletin: bytes, event: Event, code: str | None, now: int) -> Said:
        """Of what never came here, or is lost here and at the broker, the recall says which it is:
        whoever has nothing of it says so, and is not silent."""
        row = self.db.row(
            "SELECT sender, statement FROM entries WHERE bulletin = ? AND recipient = ?"
            " AND event = 'recalled'",
            (bulletin, self.agency),
        )
        assert row is not None  # kept in the transaction that kept the recall, and gone with it
        sender, data = row
        digest = decode(Statement, data, LIMITS.statement_bytes, "statement").ciphertext
        return Said(
            event=event,
            bulletin=bulletin,
            ciphertext=digest,
            sender=sender,
            recipient=self.agency,
            time=now,
            code=code,
        )

    def _alarm(self, waiting: list[RecalledHere]) -> None:
        """Somebody has to answer, within a day; while that is so, the alarm stands."""
        if waiting:
            self.alarms.sound(asked(waiting, LIMITS.recall_answer_ms))
        else:
            self.alarms.clear(ASKED)


def _of_a_hold(one: RecalledHere) -> bool:
    """Declined in a life that is lost, by a hold: nobody here has decided so by hand."""
    return (one.reason, one.caller) == (LEGAL_HOLD, SETTINGS)


def _check_code(declined: str | None) -> None:
    if declined is not None and declined not in DECLINED_CODES:
        raise InvalidInput(
            "recall_code",
            f"{declined[:40]!r} is no reason to keep what was recalled",
            field="decline",
            hint="one of " + ", ".join(sorted(DECLINED_CODES)),
        )


def _not_recalled(bulletin: bytes, *, stopped: bool) -> Refused:
    why = "it was stopped before its delivery, so no answer is owed" if stopped else "it stands"
    return Refused(
        "not_recalled",
        f"this bulletin's sender has not asked for it back: {why}",
        field="id",
        hint=f"see its life: saphan status {bulletin.hex()[:16]}",
    )


def _answered(one: RecalledHere) -> Refused:
    said = one.answer if one.reason is None else f"{one.answer} ({one.reason})"
    return Refused(
        "answered_before",
        f"this recall was answered before: {said}",
        field="id",
        hint="only a refusal may still be followed by obeying",
    )
