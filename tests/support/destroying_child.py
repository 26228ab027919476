"""A broker that destroys what is due and dies at one effect, or runs out of disk.

Arguments: data, keys, the witnessed time in ms, and where: a name of `PLACES`, or `full`. It says
what became of it as one JSON object, if it lives to do so.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from saphan_broker import private_files
from saphan_broker.blobs.files import BlobFiles
from saphan_broker.blobs.store import BlobStore
from saphan_broker.broker import Broker, open_broker
from saphan_broker.logs.signer import Signer
from saphan_broker.store.sqlite import SqliteStore
from saphan_schemas.errors import SaphanError

ROOM: Final = 8_192
"""What any file may have while the disk is full: less than one commit writes."""


def die(*_args: object, **_kwargs: object) -> Any:
    """Nothing runs after this: no handler, no `finally`, no buffer is written."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(real: Callable[..., Any]) -> Callable[..., Any]:
    """The same effect, and then nothing more."""

    def work(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        die()

    return work


def dies_at_destruction(real: Callable[..., Any]) -> Callable[..., Any]:
    """Before the commit that destroys."""

    async def commit(self: SqliteStore, commit: Any, sign: Any = None) -> None:
        if commit.destroyed:
            die()
        await real(self, commit, sign)

    return commit


PLACES: Final[dict[str, Callable[[], Any]]] = {
    "before the commit": lambda: patch.object(
        SqliteStore, "commit", dies_at_destruction(SqliteStore.commit)
    ),
    "before the signature": lambda: patch.object(Signer, "sign", die),
    "after the signature": lambda: patch.object(Signer, "sign", dies_after(Signer.sign)),
    "before the files": lambda: patch.object(BlobStore, "destroy", die),
    "between the files and their marker": lambda: patch.object(
        BlobFiles, "destroy", dies_after(BlobFiles.destroy)
    ),
    "before cleansing": lambda: patch.object(SqliteStore, "cleanse", die),
    "before the seed": lambda: patch.object(private_files, "replace", die),
    "after the seed": lambda: patch.object(
        private_files, "replace", dies_after(private_files.replace)
    ),
}
"""Effects in their order, each with what kills the process there."""


async def destroy(broker: Broker) -> str | None:
    """One look; the code of what it met."""
    try:
        await broker.retention.sweep.look()
    except SaphanError as error:
        return error.code
    return None


async def destroy_without_room(broker: Broker) -> list[str | None]:
    """A look while no file may grow, then again and again until the broker goes on."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, limits[1]))
    said = [await destroy(broker)]
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    while said[-1] is not None:
        await asyncio.sleep(0.05)
        said.append(await destroy(broker))
    return said


async def run(data: Path, keys: Path, now: int, where: str) -> None:
    broker = await open_broker(data, keys, clock=lambda: now)
    await broker.start(override="a test")
    await broker.role._duties.end()  # type: ignore[attr-defined]  # only our own looks destroy
    broker.witnessed.heard(now)
    if where == "full":
        said = await destroy_without_room(broker)
        print(json.dumps({"said": said, "destroyed": broker.state.counters.destroyed}))
    else:
        with PLACES[where]():
            await destroy(broker)
    await broker.stop()


if __name__ == "__main__":
    place, keys_place, time_ms, where_to = sys.argv[1:]
    asyncio.run(run(Path(place), Path(keys_place), int(time_ms), where_to))
