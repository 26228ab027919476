"""`saphan-broker run --quotas FILE`: the operator's quotas, read at the start and on SIGHUP."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from saphan_schemas.errors import SaphanError

from saphan_broker.alarms import Alarms
from saphan_broker.quotas import read_quotas
from saphan_broker.state import State

_log = logging.getLogger("saphan.broker")

ALARM: Final = "quotas_not_read"


@asynccontextmanager
async def quotas_of(path: Path | None, state: State) -> AsyncIterator[None]:
    """The quotas of a file in force inside the block; a SIGHUP reads it again.

    Without a file the defaults hold, and a hang-up means what it means to any program.

    Raises:
        OperatorError: `quotas_unreadable`; InvalidInput: `quotas_malformed`.
    """
    if path is None:
        yield
        return
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    try:
        state.quotas = await asyncio.to_thread(read_quotas, path)
        reading = asyncio.create_task(_read_again(path, state, asked), name="quotas")
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _read_again(path: Path, state: State, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            state.quotas = await asyncio.to_thread(read_quotas, path)
        except SaphanError as error:
            _complain(state.alarms, error)
        else:
            state.alarms.clear(ALARM)
            _log.warning("quotas were read again: %d agencies named", len(state.quotas.named))


def _complain(alarms: Alarms, error: SaphanError) -> None:
    """What was in force stays so: a slip in the file must not let a flood in."""
    alarms.sound(ALARM, f"the quotas stay as they were: {error}; {error.hint}")
