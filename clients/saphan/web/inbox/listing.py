"""The inbox in order: what is late, what is urgent, what is new; filtered and counted. Pure.

1. A bulletin asks for attention while nobody of the agency has read it, or while an answer to it
   is owed. Those come first: what is overdue, then by urgency, the nearest deadline first.
2. Everything else follows, the newest first.
3. What was taken back or erased asks for no attention; it stays in its place, struck through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final
from urllib.parse import urlencode

from saphan.desk.listed import InboxRow

ON_A_PAGE: Final = 50
GROUPS: Final = ("overdue", "immediate", "priority", "routine", "seen")
STATES: Final = ("unread", "owed", "corrected", "recalled", "erased", "flagged", "exercise")
"""What a list can be narrowed to."""
FAR: Final = 2**53
"""Behind every deadline."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; "" is everything.

    Args:
        type: name of a schema; corridor: the sending agency; state: one of `STATES`.
    """

    type: str = ""
    corridor: str = ""
    state: str = ""
    urgency: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        """Of an address; what is no filter is left out."""
        return cls(**{one.name: query.get(one.name, "")[:128] for one in fields(cls)})

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    def but(self, **changes: str) -> Filters:
        """These with other values."""
        return replace(self, **changes)

    def href(self, page: int | str = 1) -> str:
        """The address of the list so narrowed."""
        found = {one.name: value for one in fields(self) if (value := getattr(self, one.name))}
        query = urlencode(found)
        if page != 1:
            query += f"{'&' if query else ''}page={page}"
        return f"/inbox?{query}" if query else "/inbox"


@dataclass(frozen=True, slots=True)
class Line:
    """A row, and what the list knows of it; `until`: by when an answer is owed, ms UTC."""

    row: InboxRow
    group: str
    states: frozenset[str]
    until: int | None = None

    @property
    def stands(self) -> bool:
        """Nothing has taken its place, and nobody has taken it back."""
        return not self.states & {"corrected", "recalled", "erased"}

    @property
    def deadline(self) -> int | None:
        """What its clock runs to, while it asks for attention."""
        if self.until is not None or self.group == "seen":
            return self.until
        return self.row.answer_by


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list.

    Args:
        groups: (name, how many it has in all, its lines on this page).
        counts: by filter and value, how many there are if only this filter were changed.
        total: lines on all pages; unread: of the whole inbox.
    """

    groups: tuple[tuple[str, int, tuple[Line, ...]], ...]
    counts: Mapping[str, Mapping[str, int]]
    total: int
    unread: int
    page: int
    pages: int


def listing(
    rows: Sequence[InboxRow], owed: Mapping[str, int | None], filters: Filters, now: int, page: int
) -> Listing:
    """One page of the list.

    Args:
        rows: oldest first; owed: what this agency has to answer, until when; now: ms UTC.
        page: from 1; beyond the last one it is the last one.
    """
    counts: dict[str, Counter[str]] = {one.name: Counter() for one in fields(Filters)}
    groups: dict[str, list[Line]] = {name: [] for name in GROUPS}
    unread = 0
    for row in reversed(rows):
        line = _line(row, owed, now)
        unread += "unread" in line.states
        if _count(line, filters, counts):
            groups[line.group].append(line)
    for name in GROUPS[:-1]:
        groups[name].sort(key=lambda line: line.deadline or FAR)  # those without: newest first
    total = sum(map(len, groups.values()))
    pages = max(1, -(-total // ON_A_PAGE))
    page = min(max(1, page), pages)
    shown = tuple(_cut(groups, (page - 1) * ON_A_PAGE))
    return Listing(shown, counts, total, unread, page, pages)


def _line(row: InboxRow, owed: Mapping[str, int | None], now: int) -> Line:
    states = set[str]()
    if row.exercise:
        states.add("exercise")
    if row.replaced_by:
        states.add("corrected")
    if row.suppressed:
        states.add("flagged")
    if row.recalled is not None:
        states.add("recalled")
    if row.erased is not None:
        states.add("erased")
    if row.recalled is not None or row.erased is not None:
        return Line(row, "seen", frozenset(states))
    if not row.read and not row.opened:
        states.add("unread")
    until = owed.get(row.id)
    if row.id in owed:
        states.add("owed")
    if until is not None and until < now:
        return Line(row, "overdue", frozenset(states), until)
    group = row.urgency if states & {"unread", "owed"} else "seen"
    return Line(row, group, frozenset(states), until)


def _count(line: Line, filters: Filters, counts: Mapping[str, Counter[str]]) -> bool:
    """Whether it is listed; it counts for a filter's value if all other filters let it through."""
    values: dict[str, tuple[str, ...] | frozenset[str]] = {
        "type": (line.row.schema,),
        "corridor": (line.row.sender,),
        "state": line.states,
        "urgency": (line.row.urgency,),
    }
    misses = [
        name
        for name, own in values.items()
        if (wanted := getattr(filters, name)) and wanted not in own
    ]
    if len(misses) < 2:
        for name in misses or values:
            counts[name].update(values[name])
    return not misses


def _cut(
    groups: Mapping[str, list[Line]], start: int
) -> Iterator[tuple[str, int, tuple[Line, ...]]]:
    left = ON_A_PAGE
    for name, lines in groups.items():
        shown = tuple(lines[start : start + left])
        start = max(0, start - len(lines))
        left -= len(shown)
        if shown:
            yield name, len(lines), shown
