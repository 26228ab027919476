"""A broker's whole store from one engine to the other, compared before it counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from saphan_broker.moved_marker import mark_moved
from saphan_broker.moving.attachments import Brought, copy_attachments
from saphan_broker.moving.comparing import copy_compared
from saphan_broker.moving.copying import Copied, Progress, check_target
from saphan_broker.moving.house import House
from saphan_broker.moving.signed import check_not_behind
from saphan_broker.seeds import DayKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What the new house holds."""

    copied: Copied
    brought: Brought


async def move(old: House, new: House, keys: Path, progress: Progress) -> Moved:
    """Copy everything from `old`, where no broker runs, to `new`, which is empty or half a copy.

    `old` is only read and stays as it is; the data directory says that it is not the store any
    more. Attachments come before rows: a store never names what its house does not hold.

    Raises:
        OperatorError: `store_locked`, `store_in_use`, `store_behind_signer`, `store_differs`,
            `copy_differs`, `blobs_unusable`, and what `copy_store` raises.
    """
    day_keys = await asyncio.to_thread(DayKeys.open, keys)
    async with old.alone() as source:
        await check_not_behind(source, keys)
        async with new.alone(create=True) as target:
            await check_target(source, target)  # before hours of attachments
            brought = await copy_attachments(source, old, new, progress)
            # A crash after it: neither store runs, and the same command makes the copy whole.
            leave = partial(mark_moved, new.data, new.choice)
            copied = await copy_compared(source, target, day_keys, progress, leave)
    return Moved(copied=copied, brought=brought)
