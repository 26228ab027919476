"""What the server is and what it promises: read before anything is trusted to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from saphan_schemas.errors import OperatorError

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.line import Command, Line
from saphan_broker.store.redis.refusals import Reply, checked
from saphan_broker.store.redis.scripts import EVERY

KEEPING: Final = (
    ("appendonly", "yes", "nothing is written to a disk"),
    ("appendfsync", "always", "what it answered for may not be on the disk yet"),
    ("maxmemory-policy", "noeviction", "it may throw keys away when memory is short"),
    ("no-appendfsync-on-rewrite", "no", "while it rewrites its file, nothing is synced"),
)
"""Setting, the value that loses nothing, and what every other value means."""
SYNCING: Final = {name: value for name, value, _why in KEEPING[:2]}
"""What makes the server's answer come after its sync."""


class Promises(msgspec.Struct, frozen=True):
    """What the server keeps of what it answers for."""

    losses: tuple[str, ...]
    """Each setting by which it may lose data, with its value; empty: none."""
    syncs: bool
    """Every write reaches its disk before it is answered."""
    waits_for_disk: bool
    """It knows WAITAOF."""

    def waiting(self, replicas: int, wait_ms: int) -> list[Command]:
        """What, behind a write on one connection, tells how durable the write is.

        Args:
            replicas: how many must have it; wait_ms: how long they may take.

        The answers are judged by `durable`. A replica answers the first question when it has the
        write, and says so with what it had on its disk before: alone, WAITAOF would learn of the
        disk a second later, with the replica's next report. Asked again, it answers at once. A
        server that does not know WAITAOF syncs before it answers, as long as it is set up so.
        """
        half = max(wait_ms // 2, 1)
        received: Command = ("WAIT", replicas, half)
        if not (self.waits_for_disk and self.syncs):
            set_up: list[Command] = [("CONFIG", "GET", *SYNCING)] if self.syncs else []
            alone: Command = ("WAIT", replicas, wait_ms)
            return [*set_up, alone] if replicas else set_up
        on_disk: Command = ("WAITAOF", 1, replicas, half)
        return [received, on_disk] if replicas else [on_disk]


def durable(replies: Sequence[Reply]) -> tuple[bool, int]:
    """Whether a write is on the server's own disk, and how many replicas have it.

    Raises:
        What a refusal means: the server does not wait (any more).
    """
    local, replicas = True, 0
    for found in [checked(reply) for reply in replies]:
        if not isinstance(found, list):
            replicas = found
        elif len(found) == 2 * len(SYNCING):
            local = _settings(found).items() >= SYNCING.items()
        else:
            local, replicas = found[0] >= 1, found[1]
    return local, replicas


async def examine(line: Line, address: RedisAddress) -> Promises:
    """Ask what the server promises, and make our scripts known to it.

    Raises:
        OperatorError: `store_lossy`, `store_config_unknown`.
    """
    names = [name for name, _value, _why in KEEPING]
    found, known, *loaded = await line.ask(
        [("CONFIG", "GET", *names), ("COMMAND", "INFO", "WAITAOF"), *(s.load for s in EVERY)]
    )
    for reply in loaded:
        checked(reply)
    losses, syncs = _lost_by_failover(address), False
    if isinstance(found, list):
        settings = dict.fromkeys(names, "") | _settings(found)
        syncs = settings.items() >= SYNCING.items()
        wrong = [name for name, value, _why in KEEPING if settings[name] != value]
        losses += [f"{name} {settings[name]}" for name in wrong]
        if wrong and not address.accept_loss:
            raise _lossy(settings)
    elif address.accept_loss:
        losses.append("settings unknown")
    else:
        raise OperatorError(
            "store_config_unknown",
            "the Redis server does not tell how it is set up, so it may lose what it is given",
            field="redis",
            hint="let the user of --redis-user run CONFIG GET (ACL: +config|get)",
        )
    waits = isinstance(known, list) and bool(known) and bool(known[0])
    return Promises(tuple(losses), syncs, waits)


def _lost_by_failover(address: RedisAddress) -> list[str]:
    """Who lets sentinels promote a replica has acknowledged writes at one, or loses them so."""
    if not address.sentinels or address.replicas:
        return []
    if address.accept_loss:
        return ["replicas 0"]
    raise OperatorError(
        "store_lossy",
        "the sentinels may promote a replica that lacks what was answered: none is waited for",
        field="replicas",
        hint="add --replicas N, of N + 1 or more that follow the primary; --accept-loss is for "
        "trying out",
    )


def _settings(found: list[bytes]) -> dict[str, str]:
    """CONFIG GET's answer."""
    words = [word.decode() for word in found]
    return dict(zip(words[::2], words[1::2], strict=True))


def _lossy(settings: dict[str, str]) -> OperatorError:
    wrong = [(name, value, why) for name, value, why in KEEPING if settings[name] != value]
    said = "; ".join(f"{name} is {settings[name]!r}: {why}" for name, _value, why in wrong)
    return OperatorError(
        "store_lossy",
        f"the Redis server may lose what it has answered for: {said}",
        field="redis",
        hint="set "
        + ", ".join(f"`{name} {value}`" for name, value, _why in wrong)
        + " in its configuration; --accept-loss is for trying out",
    )
