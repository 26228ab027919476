"""A store's beginning in a server that may hold other applications' keys, and its identity."""

from __future__ import annotations

from typing import Final

import hiredis
from saphan_protocol.merkle import EMPTY_ROOT
from saphan_schemas.errors import OperatorError

from saphan_broker.store.base import LOGS
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.keys import all_keys
from saphan_broker.store.redis.line import Line, LineDown, unreachable
from saphan_broker.store.redis.refusals import Reply, checked
from saphan_broker.store.redis.scripts import CREATE, missing, outcome
from saphan_broker.store.redis.server import examine
from saphan_broker.store.redis.writer import new_id

FORMAT: Final = 2
"""Of the layout in the server (`keys`, `packing`); a newer one is refused, an older one brought up
to it when the store is opened (`upgrading`)."""


async def create(address: RedisAddress) -> None:
    """Make an empty store; what it wrote is durable once the store has been opened.

    Raises:
        OperatorError: `store_exists`, `store_foreign`, `store_lossy`, `store_config_unknown`,
            `redis_refused`, ...
    """
    line = await dial(address)
    try:
        await examine(line, address)
        await _create(line, address)
    except LineDown as error:
        raise unreachable(address, str(error)) from None
    finally:
        line.abort()


async def _create(line: Line, address: RedisAddress) -> None:
    keys = all_keys(address.name)
    if await line.one("EXISTS", keys["evidence"].head):
        raise _exists(address)
    remains = [key for log in LOGS for key in (keys[log].tiles, keys[log].block(0))]
    if await line.one("EXISTS", *remains):  # a head was removed; new rows among old ones are none
        raise _foreign(address)
    # The evidence log comes last: a crash in between leaves no store, and `create` goes on.
    for log in LOGS:
        arguments = (FORMAT, new_id(), EMPTY_ROOT, new_id())
        command = CREATE.call((keys[log].head,), *arguments)
        word, _ = outcome(await line.one(*command))
        if word == "stored" and log == "evidence":
            raise _exists(address)


async def identify(address: RedisAddress) -> bytes:
    """The random id of the store in the server, after a look at its settings and format.

    Raises:
        OperatorError: `store_lossy`, `store_config_unknown`, `store_missing`, `store_foreign`,
            `store_format_newer`, `redis_refused`; Unavailable: `redis_unreachable`.
    """
    head = all_keys(address.name)["evidence"].head
    line = await dial(address)
    try:
        await examine(line, address)
        there, found = await line.ask([("EXISTS", head), ("HMGET", head, "format", "store")])
    except LineDown as error:
        raise unreachable(address, str(error)) from None
    finally:
        line.abort()
    if not checked(there):
        raise missing()
    return _judge(found, address)


def _judge(found: Reply, address: RedisAddress) -> bytes:
    if isinstance(found, hiredis.ReplyError) and str(found).startswith("WRONGTYPE"):
        raise _foreign(address)
    form, store = checked(found)
    if form is None or store is None or not form.isdigit():
        raise _foreign(address)
    if int(form) > FORMAT:
        raise OperatorError(
            "store_format_newer",
            f"the store has format {int(form)}, this program knows formats up to {FORMAT}",
            field="redis",
            hint="run the program version that wrote the store, or a newer one",
        )
    assert isinstance(store, bytes)
    return store


def _exists(address: RedisAddress) -> OperatorError:
    return OperatorError(
        "store_exists",
        f"there is already a store named {address.name} in the Redis server at {address.place}",
        field="redis",
        hint="run the broker on it, or name another server or database",
    )


def _foreign(address: RedisAddress) -> OperatorError:
    return OperatorError(
        "store_foreign",
        f"what the Redis server at {address.place} holds as {address.name} is not of this program",
        field="redis",
        hint="name another server or database; nothing of it was touched",
    )
