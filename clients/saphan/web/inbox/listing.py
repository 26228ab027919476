"""The inbox in order: what is late, what is urgent, what is new; filtered and counted. Pure.

1. A bulletin asks for attention while nobody of the agency has read it, or while an answer to it
   is owed. Those come first: what is overdue, then by urgency, the nearest deadline first.
2. Everything else follows, the newest first.
3. What was taken back or erased asks for no attention; it stays in its place, struck through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, NamedTuple
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


class Key(NamedTuple):
    """What a line is found and counted by; thousands of lines share one."""

    type: str
    corridor: str
    urgency: str
    states: frozenset[str]

    def values(self, name: str) -> Iterable[str]:
        """What it has of a filter."""
        return self.states if name == "state" else (getattr(self, name),)


@dataclass(frozen=True, slots=True)
class Line:
    """A row, and what the list knows of it; `until`: by when an answer is owed, ms UTC."""

    row: InboxRow
    group: str
    key: Key
    until: int | None = None

    @property
    def states(self) -> frozenset[str]:
        """Of `STATES`, those that it is in."""
        return self.key.states

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


def line_of(row: InboxRow) -> Line:
    """A row whatever is owed; step 3."""
    states = {name for name, has in _MARKS if has(row)}
    asks = "unread" in states
    key = Key(row.schema, row.sender, row.urgency, frozenset(states))
    return Line(row, row.urgency if asks else "seen", key)


def listing(
    lines: Sequence[Line], owed: Mapping[str, int | None], filters: Filters, now: int, page: int
) -> Listing:
    """One page of the list.

    Args:
        lines: newest first; owed: what this agency has to answer, until when; now: ms UTC.
        page: from 1; beyond the last one it is the last one.
    """
    if owed:
        lines = [_owing(one, owed, now) if one.row.id in owed else one for one in lines]
    keys = Counter(line.key for line in lines)
    counts, wanted = _counted(keys, filters)
    groups: dict[str, list[Line]] = {name: [] for name in GROUPS}
    for line in lines if len(wanted) == len(keys) else [one for one in lines if one.key in wanted]:
        groups[line.group].append(line)
    for name in GROUPS[:-1]:
        groups[name].sort(key=lambda line: line.deadline or FAR)  # those without: newest first
    total = sum(map(len, groups.values()))
    pages = max(1, -(-total // ON_A_PAGE))
    page = min(max(1, page), pages)
    shown = tuple(_cut(groups, (page - 1) * ON_A_PAGE))
    unread = sum(count for key, count in keys.items() if "unread" in key.states)
    return Listing(shown, counts, total, unread, page, pages)


_MARKS: Final[tuple[tuple[str, Callable[[InboxRow], bool]], ...]] = (
    ("exercise", lambda row: row.exercise),
    ("corrected", lambda row: bool(row.replaced_by)),
    ("flagged", lambda row: row.suppressed),
    ("recalled", lambda row: row.recalled is not None),
    ("erased", lambda row: row.erased is not None),
    ("unread", lambda row: is_unread(row)),
)


def is_unread(row: InboxRow) -> bool:
    """Nobody of the agency has read it who might; step 1."""
    return not (row.read or row.opened) and row.recalled is None and row.erased is None


def _owing(line: Line, owed: Mapping[str, int | None], now: int) -> Line:
    """Steps 1 and 3, for a request that is owed an answer."""
    until = owed[line.row.id]
    if line.states & {"recalled", "erased"}:
        return line
    over = until is not None and until < now
    key = line.key._replace(states=line.states | {"owed"})
    return Line(line.row, "overdue" if over else line.row.urgency, key, until)


def _counted(
    keys: Mapping[Key, int], filters: Filters
) -> tuple[Mapping[str, Mapping[str, int]], set[Key]]:
    """What is behind each value of each filter, and what all of them let through: a key counts for
    a filter if all the others let it through."""
    names = [one.name for one in fields(Filters)]
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    wanted = set[Key]()
    for key, count in keys.items():
        chosen = ((name, getattr(filters, name)) for name in names)
        misses = [name for name, value in chosen if value and value not in key.values(name)]
        if not misses:
            wanted.add(key)
        for name in () if len(misses) > 1 else misses or names:
            for value in key.values(name):
                counts[name][value] += count
    return counts, wanted


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
