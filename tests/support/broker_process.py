"""A broker in a process of its own, to be killed: `python -m support.broker_process DATA KEYS`.

The URL of a server that carries it may follow, and how many replicas it must have. It prints its
address on one line and runs until SIGTERM, by the same functions as the program.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from saphan_broker.app import make_app, run_until_told
from saphan_broker.broker import open_broker
from saphan_broker.opening import SQLITE, StoreChoice
from saphan_broker.store.redis.address import RedisAddress


class BrokerProcess:
    """A running child; `url` is where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.process.kill()
        await self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: it holds everything and does nothing, as on a machine that swaps or is moved."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def broker_process(
    data: Path, keys: Path, server: RedisAddress | None = None
) -> AsyncIterator[BrokerProcess]:
    """Start a broker on directories that `init` made; killed at the end if it still runs.

    Args:
        server: the Redis or Valkey server that carries it.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.broker_process",
        str(data),
        str(keys),
        *([] if server is None else [server.url, str(server.replicas)]),
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        assert url, "the broker did not start"
        yield BrokerProcess(process, url)
    finally:
        if process.returncode is None:
            process.kill()  # also one that is stopped
            await process.wait()


async def _run(data: Path, keys: Path, url: str = "", replicas: str = "0") -> None:
    choice = SQLITE
    if url:
        choice = StoreChoice(redis=RedisAddress(url=url, replicas=int(replicas)))
    broker = await open_broker(data, keys, store=choice)
    await broker.start()
    await run_until_told(
        broker,
        make_app(broker),
        "127.0.0.1",
        0,
        started=lambda host, port: print(f"http://{host}:{port}", flush=True),
    )


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
