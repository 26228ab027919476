"""What a commit changes in the indices of days, and what it takes away for good.

A stanza or a ciphertext that is in the server is removed there; of what stands in a pack an empty
field in the server says that it is destroyed, and its bulletin is among those that `cleanse` looks
after. Which of the two it is the script sees, so nothing that moves meanwhile is missed.
"""

from __future__ import annotations

from collections.abc import Iterable

from saphan_broker.store.base import Commit, DeliveryKey, DeliveryRow, StanzaRow
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.before import Before, newest, place, wrapped_day
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Argument
from saphan_broker.store.redis.words import Words, add, add_pairs, add_some

Pairs = list[tuple[Argument, Argument]]


def admitted(words: Words, keys: Keys, commit: Commit) -> None:
    """Deliveries of new bulletins enter the indices."""
    new = {row.id for row in commit.bulletins}
    days = _days(commit.stanzas)
    rows = [row for row in newest(commit).values() if row.bulletin in new]
    _enter(words, keys, rows, days)


def operations(words: Words, keys: Keys, commit: Commit, before: Before) -> dict[bytes, None]:
    """What becomes of bulletins that were there; gives those that it touches."""
    touched = dict.fromkeys(_wrapped(words, keys, commit, before))
    _move(words, keys, commit, before)
    touched |= dict.fromkeys(_holds(words, keys, commit))
    for id_, recipient in commit.destroyed:
        fields = (packing.stanza_field(recipient), packing.wrapped_field(recipient))
        add(words, "wipe", keys.bulletin(id_), id_, *fields)
        touched[id_] = None
    for id_ in commit.bodiless:
        add(words, "bare", keys.bulletin(id_), id_)
        touched[id_] = None
    return touched


def _wrapped(words: Words, keys: Keys, commit: Commit, before: Before) -> Iterable[bytes]:
    """Under which day a stanza of a known delivery is wrapped, unless that is its due-day."""
    new = {row.id for row in commit.bulletins}
    rows = newest(commit)
    for stanza in commit.stanzas:
        key = (stanza.bulletin, stanza.recipient)
        row = rows.get(key) or before.deliveries.get(key)
        if row is None or (stanza.bulletin in new and stanza.due_day == row.due_day):
            continue
        if stanza.due_day != wrapped_day(before, row) or key in before.wrapped:
            field = packing.wrapped_field(stanza.recipient)
            add(words, "HSET", keys.bulletin(stanza.bulletin), field, stanza.due_day)
            yield stanza.bulletin


def _move(words: Words, keys: Keys, commit: Commit, before: Before) -> None:
    """Known deliveries leave an index and enter another one."""
    days = _days(commit.stanzas)
    rows = newest(commit)
    left: dict[bytes, list[bytes]] = {keys.destroyable: [], keys.held: []}
    entering: list[DeliveryRow] = []
    for key, old in before.deliveries.items():
        row = rows.get(key, old)
        if row is None or (place(old) == place(row) != "held"):
            continue
        if place(old) != place(row):
            for index in left.values():
                index.append(packing.due_member(row))
        days.setdefault(key, wrapped_day(before, row))
        entering.append(row)
    for key_of, members in left.items():
        add_some(words, "ZREM", key_of, members)
    _enter(words, keys, entering, days)


def _enter(
    words: Words, keys: Keys, rows: Iterable[DeliveryRow], days: dict[DeliveryKey, int]
) -> None:
    free: Pairs = []
    held: Pairs = []
    for row in rows:
        if place(row) == "free":
            free.append((row.due_day, packing.due_member(row)))
        elif place(row) == "held":
            day = days.get((row.bulletin, row.recipient), row.due_day)
            held.append((day, packing.due_member(row)))
    add_pairs(words, "ZADD", keys.destroyable, free)
    add_pairs(words, "ZADD", keys.held, held)


def _holds(words: Words, keys: Keys, commit: Commit) -> Iterable[bytes]:
    rows = {(row.target, row.order): row for row in commit.holds}
    packed: Pairs = [(packing.hold_field(key), packing.pack_hold(row)) for key, row in rows.items()]
    add_pairs(words, "HSET", keys.holds, packed)
    for key, row in rows.items():
        add(words, "HSET", keys.bulletin(row.bulletin), b"k" + packing.hold_field(key), b"")
        yield row.bulletin


def _days(stanzas: Iterable[StanzaRow]) -> dict[DeliveryKey, int]:
    return {(row.bulletin, row.recipient): row.due_day for row in stanzas}
