"""What the server is and what it promises: read before anything is trusted to it."""

from __future__ import annotations

from typing import Final

import msgspec
from saphan_schemas.errors import OperatorError

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.line import Command, Line, checked
from saphan_broker.store.redis.scripts import EVERY

KEEPING: Final = (
    ("appendonly", "yes", "nothing is written to a disk"),
    ("appendfsync", "always", "what it answered for may not be on the disk yet"),
    ("maxmemory-policy", "noeviction", "it may throw keys away when memory is short"),
    ("no-appendfsync-on-rewrite", "no", "while it rewrites its file, nothing is synced"),
)
"""Setting, the value that loses nothing, and what every other value means."""


class Promises(msgspec.Struct, frozen=True):
    """What the server keeps of what it answers for."""

    losses: tuple[str, ...]
    """Each setting by which it may lose data, with its value; empty: none."""
    appends: bool
    """It writes an append-only file."""
    waits_for_disk: bool
    """It knows WAITAOF."""

    def waiting(self, address: RedisAddress) -> Command | None:
        """The command that, behind a write on one connection, tells how durable the write is."""
        if self.waits_for_disk and self.appends:
            return ("WAITAOF", 1, address.replicas, address.wait_ms)
        if address.replicas:
            return ("WAIT", address.replicas, address.wait_ms)
        return None


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
    losses, appends = [], False
    if isinstance(found, list):
        values = dict(zip(found[::2], found[1::2], strict=True))
        settings = {name: values.get(name.encode(), b"").decode() for name in names}
        appends = settings["appendonly"] == "yes"
        losses = [
            f"{name} {settings[name]}" for name, value, _why in KEEPING if settings[name] != value
        ]
        if losses and not address.accept_loss:
            raise _lossy(settings)
    elif address.accept_loss:
        losses = ["settings unknown"]
    else:
        raise OperatorError(
            "store_config_unknown",
            "the Redis server does not tell how it is set up, so it may lose what it is given",
            field="redis",
            hint="let the user of --redis-user run CONFIG GET (ACL: +config|get)",
        )
    waits = isinstance(known, list) and bool(known) and bool(known[0])
    return Promises(tuple(losses), appends, waits)


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
