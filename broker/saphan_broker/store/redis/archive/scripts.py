"""The archive's scripts; sent whole, so that a server that was restarted need not know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from saphan_broker.store.redis.keys import Keys, aging_keys
from saphan_broker.store.redis.line import Argument, Command
from saphan_broker.store.redis.scripts import read, with_slots
from saphan_broker.store.redis.words import Words, add

_FIND: Final = with_slots("archive_find")
_MOVE: Final = read("archive_move")
_AGING: Final = with_slots("aging")
_DROP: Final = read("archive_drop")
_WAKE: Final = read("archive_wake")
_FINISH: Final = with_slots("archive_finish")


def find(keys: Sequence[bytes], prefix: bytes, slots: bytes) -> Command:
    """See `lua/archive_find.lua`."""
    return ("EVAL", _FIND, len(keys), *keys, prefix, slots)


def move(keys: Sequence[bytes], *arguments: Argument) -> Command:
    """See `lua/archive_move.lua`; asked twice, the second time it finds the count moved."""
    return ("EVAL", _MOVE, len(keys), *keys, *arguments)


def finish(keys: Sequence[bytes], *arguments: Argument) -> Command:
    """See `lua/archive_finish.lua`; asked twice, the second time every bulletin has changed."""
    return ("EVAL", _FINISH, len(keys), *keys, *arguments)


def wake(keys: Sequence[bytes], *arguments: Argument) -> Command:
    """See `lua/archive_wake.lua`; asked twice, the second time the pack is not there."""
    return ("EVAL", _WAKE, len(keys), *keys, *arguments)


def drop(keys: Sequence[bytes], *names: Argument) -> Command:
    """See `lua/archive_drop.lua`."""
    return ("EVAL", _DROP, len(keys), *keys, *names)


def write(keys: Keys, epoch: int, commands: Sequence[Command]) -> Command:
    """Some commands, all or none, under the epoch of the lease; see `lua/aging.lua`."""
    words: Words = []
    for command in commands:
        add(words, *command)
    named = aging_keys(keys)
    return ("EVAL", _AGING, len(named), *named, epoch, keys.prefix, "", *words)
