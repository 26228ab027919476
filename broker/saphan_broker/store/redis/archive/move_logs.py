"""Moves full blocks and full tiles of the higher levels out of the server's memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from saphan_protocol.tiles import MAX_LEVEL, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH
from saphan_schemas.limits import LIMITS

from saphan_broker.store.base import LOGS, Log
from saphan_broker.store.redis.archive.envelope import HEAD_BYTES
from saphan_broker.store.redis.archive.formats import block_body, block_name, tile_name
from saphan_broker.store.redis.archive.moving import Moving
from saphan_broker.store.redis.archive.reader import BLOCKS, tiles_moved
from saphan_broker.store.redis.line import Command

BLOCKS_AT_ONCE: Final = 8


async def move_blocks(moving: Moving) -> int:
    """Move a few full blocks of each log, oldest first; gives how many."""
    gone = 0
    for log in LOGS:
        full = await moving.final_size(log) // TILE_WIDTH - moving.policy.keep_blocks
        first = await moving.count(log, BLOCKS)
        for n in range(first, min(full, first + BLOCKS_AT_ONCE)):
            gone += await _move_block(moving, log, n)
    return gone


async def _move_block(moving: Moving, log: Log, n: int) -> bool:
    keys = moving.keys[log]
    tile_field = b"0/%d" % n
    rows, signatures, tile = await moving.ask(
        [
            ("HGETALL", keys.block(n)),
            ("HGETALL", keys.signatures(n)),
            ("HGET", keys.tiles, tile_field),
        ]
    )
    if len(rows) != 2 * TILE_WIDTH or tile is None or len(tile) != TILE_BYTES:
        return False  # another process has just moved it
    body = await asyncio.to_thread(block_body, _fields(rows), _fields(signatures), tile)
    if len(body) > LIMITS.object_bytes - HEAD_BYTES:  # operations of 64 KiB: they stay in memory
        return await moving.move(log, BLOCKS, n, n + 1, [])
    await moving.put(block_name(log, n), body)
    removals: list[Command] = [
        ("UNLINK", keys.block(n), keys.signatures(n)),
        ("HDEL", keys.tiles, tile_field),
    ]
    return await moving.move(log, BLOCKS, n, n + 1, removals)


async def move_tiles(moving: Moving) -> int:
    """Move one full tile of each higher level of each log; gives how many."""
    gone = 0
    for log in LOGS:
        size = await moving.final_size(log)
        for level in range(1, MAX_LEVEL + 1):
            full = size >> (TILE_HEIGHT * (level + 1))
            if not full:
                break
            n = await moving.count(log, tiles_moved(level))
            if n < full:
                gone += await _move_tile(moving, log, level, n)
    return gone


async def _move_tile(moving: Moving, log: Log, level: int, n: int) -> bool:
    keys, field = moving.keys[log], b"%d/%d" % (level, n)
    (tile,) = await moving.ask([("HGET", keys.tiles, field)])
    if tile is None or len(tile) != TILE_BYTES:
        return False
    await moving.put(tile_name(log, level, n), tile)
    removals: list[Command] = [("HDEL", keys.tiles, field)]
    return await moving.move(log, tiles_moved(level), n, n + 1, removals)


def _fields(flat: Sequence[Any]) -> dict[bytes, bytes]:
    """HGETALL's answer as a mapping."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
