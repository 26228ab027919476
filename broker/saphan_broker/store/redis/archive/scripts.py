"""The archive's scripts; sent whole, so that a server that was restarted need not know them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Final

from saphan_broker.store.redis.line import Argument, Command


def _read(name: str) -> bytes:
    folder = resources.files("saphan_broker.store.redis").joinpath("lua")
    return folder.joinpath(f"{name}.lua").read_bytes()


def _with_slots(name: str) -> bytes:
    """A script behind its flags and the part that both of them share."""
    flags, _, rest = _read(name).partition(b"\n")
    return flags + b"\n" + _read("archive_slots") + rest


_FIND: Final = _with_slots("archive_find")
_MOVE: Final = _read("archive_move")
_DROP: Final = _read("archive_drop")
_WAKE: Final = _read("archive_wake")
_FINISH: Final = _with_slots("archive_finish")


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
