"""Listening at an address, with words for what goes wrong."""

from __future__ import annotations

import errno
import logging
import ssl
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from saphan_schemas.errors import OperatorError


def _quotes_nothing(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


HTTP_LOG: Final = logging.getLogger("saphan.node.http")
"""For `web.AppRunner`: of a request that does not parse, and has its answer, aiohttp would log what
stands in it: a token, or a screenful for each that a stranger sends."""
HTTP_LOG.addFilter(_quotes_nothing)


async def bind(
    runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None = None
) -> tuple[str, int]:
    """Listen; gives (host, port), the port as the system chose it if 0 was asked for.

    Raises:
        OperatorError: `port_taken`, `address_unusable`.
    """
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OperatorError(
                "port_taken",
                f"port {port} of {host} is in use by another program",
                field="listen",
                hint="choose another with --listen or --desks HOST:PORT, or stop the other program",
            ) from None
        raise OperatorError(
            "address_unusable", f"cannot listen at {host}:{port}: {error.strerror}", field="listen"
        ) from None
    return host, int(runner.addresses[-1][1])
