"""Ports: what the system refuses in words, one that several processes share, a listener's end."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Final

from aiohttp import web
from saphan_schemas.errors import OperatorError

TURNS_TO_COME_UP: Final = 4
"""Accepted, its transport made, its protocol told; and one to spare."""


def reserved(host: str, port: int) -> socket.socket:
    """A port that is ours for as long as we run, bound beside which the processes listen.

    Asked for without sharing first: another broker of the same user at this port would not be
    refused otherwise, and each would get some of the other's nodes.

    Raises:
        OperatorError: `port_taken`, `address_unusable`.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))
            port = alone.getsockname()[1]
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
        return held
    except OSError as error:
        raise cannot_listen(host, port, error) from None


def cannot_listen(host: str, port: int, error: OSError) -> OperatorError:
    """`port_taken` or `address_unusable`, as the system has refused an address."""
    if error.errno == errno.EADDRINUSE:
        return OperatorError(
            "port_taken",
            f"port {port} of {host} is in use by another program",
            field="listen",
            hint="choose another with --listen HOST:PORT, or stop the other program",
        )
    return OperatorError(
        "address_unusable",
        f"cannot listen at {host}:{port}: {error.strerror or error}",
        field="listen",
        hint="name an address of this machine with --listen HOST:PORT",
    )


async def close(runner: web.AppRunner) -> None:
    """Take no more connections, let those just accepted come up, then close them all.

    The server can close only what it knows, and an accepted connection needs some turns of the
    event loop until it does. Before Python 3.12 a server that is closed in those turns drops it
    unclosed, and who connected waits until their patience ends: so it turns deaf first.
    """
    loop = asyncio.get_running_loop()
    for site in runner.sites:
        for listening in getattr(site._server, "sockets", ()):
            loop.remove_reader(listening.fileno())
    for _ in range(TURNS_TO_COME_UP):
        await asyncio.sleep(0)
    await runner.cleanup()
