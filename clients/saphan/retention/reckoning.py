"""The days of one bulletin, from facts alone: when a person is asked, when it is erased and why.

Steps K1 to K6 are those of spec/retention.md. Pure: no clock, no store. Days are those since
1970-01-01 UTC, and due is what a day's first instant has come for.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from saphan_schemas.records import LAST_DAY
from saphan_schemas.retention import Period, Rule, RuleTable

from saphan.retention.facts import Facts

_EPOCH: Final = date(1970, 1, 1)
CANCELLED: Final = frozenset({"cancelled", "wrong_person"})
"""Words of a closing by which an originator took it back."""
WRONG_PERSON: Final = "wrong_person"
"""No review waits for it, and no extension lasts longer."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How a matter was closed, and on which day.

    Args:
        word: closed, cancelled, wrong_person, no_trace or ended.
    """

    day: int
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of a bulletin here.

    Args:
        created: day; retain_until: day of its header, the last one for every holder.
        facts: None while its content is not open here.
        extended: day until which a person has extended it; 0: nobody has; its last day: for good.
    """

    schema: str
    created: int
    retain_until: int
    facts: Facts | None
    closing: Closing | None = None
    extended: int = 0


@dataclass(frozen=True, slots=True)
class Days:
    """When it is erased, by which code of `erased`, and when a person is asked before."""

    erase: int
    rule: str
    review: int | None


def reckon(kept: Kept, table: RuleTable) -> Days:
    """The days of a bulletin by a table.

    K1 nothing is kept beyond `retain_until`. K2 the rule is that of the type, with or without
    persons; periods are half as long for those who need it. K3 the first line of `erase` that
    applies is the day, but one counted from the creation ends with the first extension. K4 a person
    is asked on the author's day or the rule's, whichever is earlier; after an extension on its day.
    K5 a review that nobody decides is the end `undecided_days` later. K6 the earliest counts. (K7:
    what was rejected here has no facts, and `rejected_days`.)
    """
    last = Days(kept.retain_until, "due", None)
    if kept.facts is None:
        return last
    rules = table.of(kept.schema)
    rule = rules.with_persons if kept.facts.persons else rules.without_persons
    half = bool(set(kept.facts.roles) & set(table.halved_for))
    erase = _erase(kept, kept.facts, rule, half)
    review = _review(kept, kept.facts, rule, half)
    found = last if erase is None or erase.erase >= last.erase else erase
    if review is None or review >= found.erase:
        return found
    undecided = Days(review + table.undecided_days, "review", review)
    if undecided.erase < found.erase:
        return undecided
    return Days(found.erase, found.rule, review)


def _erase(kept: Kept, facts: Facts, rule: Rule, half: bool) -> Days | None:
    """K3."""
    for period in rule.erase:
        begin = _begin(kept, facts, period)
        if begin is None or (period.after == "created" and kept.extended and period.when is None):
            continue
        return Days(after(begin, period, half), _code(kept, period), None)
    return None


def _review(kept: Kept, facts: Facts, rule: Rule, half: bool) -> int | None:
    """K4."""
    if kept.extended:
        return kept.extended
    found = [] if facts.review is None else [max(facts.review, kept.created)]
    if rule.review is not None:
        begin = _begin(kept, facts, rule.review)
        if begin is not None:
            found.append(after(begin, rule.review, half))
    return min(found, default=None)


def _begin(kept: Kept, facts: Facts, period: Period) -> int | None:
    """The day from which a period counts; None: the line does not apply."""
    closing = kept.closing
    word = None if closing is None else closing.word
    if period.when is not None and period.when not in (word, facts.word):
        return None
    match period.after:
        case "created":
            return kept.created
        case "closed":
            return None if closing is None else closing.day
        case "valid_until":  # one from before its creation makes no day that has been long ago
            return None if facts.valid_until is None else max(facts.valid_until, kept.created)


def _code(kept: Kept, period: Period) -> str:
    if period.after == "created":
        return "review"  # its own time was the first thing that anybody decided about it
    if period.after == "valid_until":
        return "valid_until"
    cancelled = kept.closing is not None and kept.closing.word in CANCELLED
    return "cancelled" if cancelled else "closed"


def after(begin: int, period: Period, half: bool = False) -> int:
    """The day that is a period after another one; the end of a month has no later days."""
    if period.days is not None:
        return min(LAST_DAY, begin + (period.days + 1) // 2 if half else begin + period.days)
    months = period.months or 0
    day = add_months(begin, months // 2 if half else months)
    return day + 15 if half and months % 2 else day


def add_months(day: int, months: int) -> int:
    """The same day of a later month, or that month's last one."""
    begin = _EPOCH + timedelta(days=day)
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    if year > date.max.year:
        return LAST_DAY
    last = calendar.monthrange(year, month + 1)[1]
    return (date(year, month + 1, min(begin.day, last)) - _EPOCH).days
