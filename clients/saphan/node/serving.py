"""A node with its local API, from start to clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import known_keys

from saphan.listening import close
from saphan.node.api.routes import load_token, make_app
from saphan.node.binding import HTTP_LOG, bind
from saphan.node.config import NodeConfig
from saphan.node.desks.listener import desks_served
from saphan.node.service import NodeService, running

log = logging.getLogger("saphan.node")

SOCKET_PATH_BYTES: Final = 107
"""What the kernel takes as the name of a Unix socket."""


@asynccontextmanager
async def serving(config: NodeConfig) -> AsyncIterator[NodeService]:
    """A running node whose API listens for as long as the block lasts.

    Raises:
        OperatorError: `port_taken`, `socket_path_long`, and what `service.build` raises.
    """
    async with running(config) as service:
        token = await asyncio.to_thread(load_token, config)
        await asyncio.to_thread(known_keys)  # errors look up their hints there, on the event loop
        runner = web.AppRunner(
            make_app(service, token),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=2.0,
            keepalive_timeout=LIMITS.api_patience_ms / 1000,  # each silent one costs a file handle
            logger=HTTP_LOG,
        )
        await runner.setup()
        try:
            listening = await asyncio.to_thread(_bind_socket, config.socket)
            await web.SockSite(runner, listening).start()
            if config.listen is not None:
                await bind(runner, *config.listen)
            if config.desks is None:
                yield service
                return
            async with desks_served(service, *config.desks) as (host, port):
                log.info("desks are served at %s:%d", host, port)
                service.listening["desks"] = (host, port)
                yield service
        finally:
            await close(runner)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(config.socket.unlink)


async def run_until_told(config: NodeConfig, started: Callable[[NodeService], None]) -> None:
    """Run until SIGTERM or SIGINT; what was begun is finished. SIGHUP: read the settings again.

    Raises:
        OperatorError: what `serving` raises.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(config) as service:
        rereading: set[asyncio.Task[None]] = set()

        def reread() -> None:
            task = asyncio.create_task(service.reread_settings())
            rereading.add(task)
            task.add_done_callback(rereading.discard)

        loop.add_signal_handler(signal.SIGHUP, reread)
        started(service)
        await told.wait()


def _bind_socket(path: Path) -> socket.socket:
    """A Unix socket that only its owner can open; what a dead node left is taken away.

    The node's lock is held by now, so nobody else listens there.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise OperatorError(
            "socket_path_long",
            f"{path} is longer than the {SOCKET_PATH_BYTES} bytes a Unix socket's name may have",
            field="dir",
            hint="move the agency's folder to a shorter path",
        )
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        made.bind(str(path))
    except OSError as error:
        made.close()
        raise OperatorError(
            "file_unwritable", f"{path} cannot be made: {error.strerror}", field="dir"
        ) from None
    finally:
        os.umask(previous)
    return made
