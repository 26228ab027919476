"""Weekly mailbox keys, made ahead: one is used after the other, and none of them is kept for long.

A key has its week. For two days more it still takes what was sealed to it and waited on a slow or
cut line; then it takes nothing. Its private half stays for what is under way: 30 days in which an
ordinary bulletin may be delivered, and the 30 days after which the broker itself destroys what is
sealed to the key. A bulletin with a later deadline is sealed to the key of a later week.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.directory import Directory, KeyInfo
from saphan_schemas.directory_records import Change
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Role

from saphan.keys.keyfiles import SecretKey, new_key

WEEK_MS: Final = 7 * DAY_MS
GRACE_MS: Final = LIMITS.delivery_grace_days * DAY_MS
"""After a bulletin's deadline, what was handed over in time may still be opened."""


@dataclass(frozen=True, slots=True)
class Term:
    """The times of one mailbox key, ms UTC."""

    seal_until: int
    open_until: int


def schedule(begin: int, weeks: int) -> tuple[Term, ...]:
    """Terms of weekly keys, the first week from `begin` (ms UTC) on.

    Raises:
        InvalidInput: `weeks_count`, for none or for more than one operation takes.
    """
    if not 1 <= weeks <= LIMITS.mailbox_weeks:
        raise InvalidInput(
            "weeks_count",
            f"{weeks} weekly keys cannot be made in one operation",
            field="weeks",
            hint=f"give a number from 1 to {LIMITS.mailbox_weeks}",
        )
    ends = (begin + week * WEEK_MS + LIMITS.mailbox_overlap_ms for week in range(1, weeks + 1))
    return tuple(Term(end, end + LIMITS.mailbox_open_ms) for end in ends)


def first_schedule(now: int) -> tuple[Term, ...]:
    """Terms of the keys that an agency begins with; `now` in ms UTC."""
    return schedule(now, LIMITS.mailbox_first_weeks)


def make_keys(terms: Iterable[Term]) -> list[tuple[SecretKey, Change]]:
    """A fresh mailbox key for each term, with the change that enrols it."""
    made = []
    for term in terms:
        key = new_key(Role.MAILBOX)
        times = (term.seal_until, term.open_until)
        made.append((key, Change("add", Role.MAILBOX, key.public, None, *times)))
    return made


def planned_until(keys: Iterable[KeyInfo], now: int) -> int:
    """End of the last week that has a key, ms UTC; `now` where none is left.

    Args:
        keys: the agency's active mailbox keys.
    """
    ends = (key.seal_until - LIMITS.mailbox_overlap_ms for key in keys if key.seal_until)
    return max(ends, default=now)


def choose(directory: Directory, agency: str, now: int, expires: int) -> KeyInfo:
    """The mailbox key to seal to: one that leaves time for a slow line and for the answer.

    Args:
        now: ms UTC; expires: the bulletin's deadline, ms UTC.

    Raises:
        Refused: what `Directory.mailbox` raises when no key will do at all.
    """
    try:
        return directory.mailbox(agency, now + LIMITS.mailbox_overlap_ms, expires + GRACE_MS)
    except Refused:
        return directory.mailbox(agency, now, expires)
