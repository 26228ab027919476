"""What may follow an outcome: recall, its answer, erasure, destruction, holds; the one table of it.

Rules (receipts.md section 3, retention.md):
- A recall is logged once. Before a handover it is the outcome; later it is a request, and the
  state stays. Whoever declined it may still obey; who obeyed has done so for good.
- A recipient says once that it has erased what it held; it held nothing before its handover.
- The broker destroys its copy once, after the outcome, while no hold stands. After that nothing is
  consigned, handed over or held, for there is nothing left to do it with.
- Readings, answers to recalls, erasures and words about holds may follow a destruction: they are
  about the copies of the holders.

What this table does not know: that the same hold is not laid twice (`held_before`), and that what
the sender says in its own corridor is said once; who keeps entries by bulletin knows that.
Broker, node, auditor and whoever checks a bundle step through it, as through the transition table.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS, LIMITS, SECOND_MS
from saphan_schemas.records import Event

from saphan_protocol.delivery import HELD, TERMINAL, State, Step, step

STEPS: Final = frozenset(one.value for one in Step)
AFTERMATH: Final = (
    Event.RECALLED,
    Event.OBEYED,
    Event.DECLINED,
    Event.ERASED,
    Event.DESTROYED,
    Event.HELD,
    Event.RELEASED,
)
"""Events that change an `Aftermath`."""


class Aftermath(NamedTuple):
    """What has happened to one delivery besides its state.

    Args:
        recalled: the sender has recalled it, before or after its handover.
        answer: `obeyed` or `declined`, the recipient's last answer to the recall.
        erased: its recipient has said that it erased what it held.
        destroyed: the broker has destroyed its copy.
        holds: holds of the broker's copy that stand.
    """

    recalled: bool = False
    answer: Event | None = None
    erased: bool = False
    destroyed: bool = False
    holds: int = 0


def advance(state: State, after: Aftermath, event: Event | Step) -> tuple[State, Aftermath]:
    """State and aftermath after `event`: the table of deliveries and this one, together.

    Raises:
        Refused: what `delivery.step` and `follow` raise.
    """
    then = follow(after, state, event)
    return (step(state, Step(event.value)) if event.value in STEPS else state), then


def follow(after: Aftermath, state: State, event: Event | Step) -> Aftermath:
    """The aftermath after `event` on a delivery that is in `state` before it.

    Raises:
        Refused: `recalled_before`, `not_recalled`, `answered_before`, `order_illegal`,
            `erased_before`, `not_destroyable`, `destroyed_before`, `destroyed_held`,
            `released_unheld`, `after_destruction`.
    """
    match event.value:
        case Event.RECALLED:
            _need(not after.recalled, "recalled_before", "the sender has recalled it before")
            return after._replace(recalled=True)
        case Event.OBEYED | Event.DECLINED:
            return _answered(after, Event(event.value))
        case Event.ERASED:
            return _erased(after, state)
        case Event.DESTROYED:
            return _destroyed(after, state)
        case Event.HELD:
            _check_there(after, event)
            return after._replace(holds=after.holds + 1)
        case Event.RELEASED:
            _need(after.holds > 0, "released_unheld", "no hold of it stands")
            return after._replace(holds=after.holds - 1)
        case Step.CONSIGN | Step.HANDOVER:
            _check_there(after, event)
            return after
        case _:
            return after


def check_erasure(code: str | None, recalled: bool | None, retain: int | None, now: int) -> None:
    """A holder erases on the day that it names, or says why earlier.

    Args:
        code: of the `erased` statement.
        recalled: the delivery was recalled before; None if that is not known here.
        retain: retain_until of its header, days since 1970; None if that is not known here.
        now: time of its entry, ms UTC.

    Raises:
        Refused: `erased_early`, `erased_unrecalled`.
    """
    if code == "due" and retain is not None and now + LIMITS.skew_ms < retain * DAY_MS:
        raise Refused(
            "erased_early",
            f"its day came {(retain * DAY_MS - now) // SECOND_MS} s later",
            field="statement.code",
        )
    if code == "recalled" and recalled is False:
        raise Refused(
            "erased_unrecalled", "no recall of it was logged before", field="statement.code"
        )


def check_destruction(due_day: int, now: int) -> None:
    """The broker destroys at the first instant of the due-day or later.

    Args:
        due_day: as the `submitted` leaf shows it, days since 1970.
        now: time of the entry, ms UTC.

    Raises:
        Refused: `destroyed_early`.
    """
    if now + LIMITS.skew_ms < due_day * DAY_MS:
        raise Refused(
            "destroyed_early",
            f"the broker destroyed it {(due_day * DAY_MS - now) // SECOND_MS} s before its day",
            field="entry.time",
        )


def _answered(after: Aftermath, event: Event) -> Aftermath:
    _need(after.recalled, "not_recalled", "it was not recalled")
    final = after.answer is Event.OBEYED or after.answer is event
    _need(not final, "answered_before", f"the recall was answered before: {after.answer}")
    return after._replace(answer=event)


def _erased(after: Aftermath, state: State) -> Aftermath:
    _need(not after.erased, "erased_before", "that it is erased was said before")
    fine = state in TERMINAL or state in HELD
    _need(fine, "order_illegal", f"erased cannot follow {state}: it was not handed over")
    return after._replace(erased=True)


def _destroyed(after: Aftermath, state: State) -> Aftermath:
    _need(not after.destroyed, "destroyed_before", "the broker has destroyed it before")
    _need(state in TERMINAL, "not_destroyable", f"the delivery has no outcome: it is {state}")
    _need(after.holds == 0, "destroyed_held", f"{after.holds} holds of it stand")
    return after._replace(destroyed=True)


def _check_there(after: Aftermath, event: Event | Step) -> None:
    _need(not after.destroyed, "after_destruction", f"{event} of what the broker has destroyed")


def _need(fine: bool, code: str, why: str) -> None:
    if not fine:
        raise Refused(code, why, field="statement")
