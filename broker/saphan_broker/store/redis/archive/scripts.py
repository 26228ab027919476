"""The archive's scripts; sent whole, so that a server that was restarted need not know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from saphan_broker.store.redis.line import Argument, Command
from saphan_broker.store.redis.scripts import Script

_FIND: Final = Script("archive_find").source
_MOVE: Final = Script("archive_move").source
_FINISH: Final = Script("archive_finish").source


def find(head: bytes, prefix: bytes, slots: bytes) -> Command:
    """See `lua/archive_find.lua`."""
    return ("EVAL", _FIND, 1, head, prefix, slots)


def move(keys: Sequence[bytes], *arguments: Argument) -> Command:
    """See `lua/archive_move.lua`; asked twice, the second time it finds the count moved."""
    return ("EVAL", _MOVE, len(keys), *keys, *arguments)


def finish(keys: Sequence[bytes], *arguments: Argument) -> Command:
    """See `lua/archive_finish.lua`; asked twice, the second time every bulletin has changed."""
    return ("EVAL", _FINISH, len(keys), *keys, *arguments)
