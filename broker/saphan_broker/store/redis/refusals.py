"""What it means that the server refuses a command."""

from __future__ import annotations

import re
from typing import Any, Final

import hiredis
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable

Reply = Any
"""bytes, int, None or a list of them; hiredis.ReplyError for a command that was refused."""


def checked(reply: Reply) -> Reply:
    """The reply itself, or what its refusal means raised."""
    if isinstance(reply, hiredis.ReplyError):
        raise refusal(str(reply))
    return reply


def forgotten(reply: Reply) -> bool:
    """Whether the server does not know a script of ours any more (SCRIPT FLUSH)."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")


_BUSY: Final = ("LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "ERR max")
_REFUSED: Final = ("NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "DENIED", "ERR invalid password")
_NOT_IN_SCRIPT: Final = ("ERR ACL failure in script", "ERR The user executing the script")
_DENIED: Final = re.compile(r"'[a-z|]+' command")


def refusal(said: str) -> SaphanError:
    """What an error of the server means; nothing of the refused command was done.

    Never quotes more than the error's first words: the rest may quote the command.
    """
    if said.startswith("OOM"):
        return OperatorError(
            "store_memory_full",
            "the Redis server has used all the memory it may; nothing of this write was kept",
            field="redis",
            hint="raise its maxmemory; the broker goes on by itself",
        )
    if said.startswith("MISCONF"):
        return OperatorError(
            "disk_full",
            "the Redis server cannot write to its disk; nothing of this write was kept",
            field="redis",
            hint="look into the server's log, free space on its disk; the broker goes on by itself",
        )
    if said.startswith(_REFUSED + _NOT_IN_SCRIPT):
        denied = _DENIED.search(said)
        what = denied[0] if denied else said.split(" ", 1)[0]
        return OperatorError(
            "redis_refused",
            f"the Redis server does not let us in, or not do this ({what})",
            field="redis",
            hint="check --redis-user, --redis-password-file and what that user may do",
        )
    if said.startswith("READONLY"):
        return OperatorError(
            "redis_read_only",
            "the Redis server is a replica: it takes no writes",
            field="redis",
            hint="name the primary with --redis",
        )
    if said.startswith("NOREPLICAS"):
        return Unavailable(
            "replicas_missing",
            "the Redis server takes no writes: too few replicas for its min-replicas-to-write",
            hint="nothing of this write was kept; the broker goes on when they follow it again",
        )
    if said.startswith(_BUSY):
        return Unavailable(
            "store_busy", f"the Redis server takes no commands now ({said.split(' ', 1)[0]})"
        )
    return OperatorError(
        "redis_failed",
        f"the Redis server refused a command: {said[:100]}",
        field="redis",
        hint="it must be Redis 7.0 or Valkey 7.2, or newer, and not a cluster",
    )
