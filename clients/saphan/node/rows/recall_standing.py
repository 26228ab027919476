"""How each recipient of a recalled bulletin stands, from what the log says and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from saphan_protocol.delivery import State
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event

from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import QUEUED, REFUSED
from saphan.node.rows.places import shown

Json = dict[str, Any]
StandsAs = Literal[
    "none", "unsent", "sending", "refused", "stopped", "waiting", "silent", "obeyed", "declined"
]
"""`none`: not recalled there; `unsent`: it never left; `sending`: the log does not show the recall
yet; `refused`: the broker does not take it; `stopped`: before the delivery; `waiting`: for the
recipient's answer; `silent`: its time to answer is over; else what its node has signed."""
ENDS: Final = frozenset({"refused", "stopped", "obeyed", "declined"})
"""After these this node has nothing more to say or to wait for; who declined may obey yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """One recipient.

    Args:
        delivery: state of its delivery.
        asked: the log's time of the recall, until: end of the time to answer it, ms UTC; index:
            stored place of its entry.
        code: why it declined, or why the broker refused the recall.
        answered, erased: the log's times of what its node has signed, ms UTC; late: after `until`.
        erased_code: why its node has erased it.
    """

    recipient: str
    state: StandsAs
    delivery: str
    asked: int | None = None
    index: int | None = None
    until: int | None = None
    answered: int | None = None
    code: str | None = None
    late: bool = False
    erased: int | None = None
    erased_code: str | None = None

    def json(self) -> Json:
        """As the local API has it."""
        return {
            "recipient": self.recipient,
            "state": self.state,
            "delivery": self.delivery,
            "asked": self.asked,
            **shown(self.index),
            "until": self.until,
            "answered": self.answered,
            "code": self.code,
            "late": self.late,
            "erased": self.erased,
            "erased_code": self.erased_code,
        }


@dataclass(slots=True)
class _Heard:
    """What the log says of one delivery's recall."""

    asked: int | None = None
    index: int | None = None
    answer: tuple[str, int, str | None] | None = None
    erased: tuple[int, str | None] | None = None


_EVENTS: Final = tuple(
    event.value for event in (Event.RECALLED, Event.OBEYED, Event.DECLINED, Event.ERASED)
)


def stands_of(db: Database, bulletin: bytes, recipients: tuple[str, ...], now: int) -> list[Stands]:
    """Each of the recipients, in their order; `now` in ms UTC."""
    heard = _heard(db, bulletin)
    states: dict[str, str] = dict(
        db.rows("SELECT recipient, state FROM deliveries WHERE bulletin = ?", (bulletin,))
    )
    said: dict[str, tuple[str, str | None]] = {
        recipient: (state, code)
        for recipient, state, code in db.rows(
            "SELECT recipient, state, code FROM statements WHERE bulletin = ? AND event = ?",
            (bulletin, _EVENTS[0]),
        )
    }
    return [
        _stands(one, states.get(one, QUEUED), heard.get(one, _Heard()), said.get(one), now)
        for one in recipients
    ]


def _stands(
    recipient: str, delivery: str, heard: _Heard, said: tuple[str, str | None] | None, now: int
) -> Stands:
    erased, erased_code = heard.erased or (None, None)
    until = None if heard.asked is None else heard.asked + LIMITS.recall_answer_ms
    state, answered, code = _state(delivery, heard, said, until, now)
    return Stands(
        recipient=recipient,
        state=state,
        delivery=delivery,
        asked=heard.asked,
        index=heard.index,
        until=None if state == "stopped" else until,
        answered=answered,
        code=code,
        late=answered is not None and until is not None and answered > until,
        erased=erased,
        erased_code=erased_code,
    )


def _state(
    delivery: str,
    heard: _Heard,
    said: tuple[str, str | None] | None,
    until: int | None,
    now: int,
) -> tuple[StandsAs, int | None, str | None]:
    """(how it stands, when it answered, its code)."""
    if heard.answer is not None:
        event, time, code = heard.answer
        return ("obeyed" if event == Event.OBEYED else "declined"), time, code
    if delivery == State.RECALLED:
        return "stopped", None, None
    if until is not None:
        return ("silent" if now > until else "waiting"), None, None
    if said is not None:
        return ("refused", None, said[1]) if said[0] == "refused" else ("sending", None, None)
    if delivery == REFUSED:
        return "unsent", None, None
    return "none", None, None


def _heard(db: Database, bulletin: bytes) -> dict[str, _Heard]:
    """By recipient; of two answers the later one counts, `obeyed` is the last."""
    marks = ",".join("?" * len(_EVENTS))
    found: dict[str, _Heard] = {}
    for recipient, event, time, index, code in db.rows(
        "SELECT recipient, event, time, idx, code FROM entries WHERE bulletin = ?"  # noqa: S608
        f" AND event IN ({marks}) AND sender != recipient ORDER BY idx",
        (bulletin, *_EVENTS),
    ):
        one = found.setdefault(recipient, _Heard())
        if event == Event.RECALLED:
            one.asked, one.index = time, index
        elif event == Event.ERASED:
            one.erased = time, code
        else:
            one.answer = event, time, code
    return found
