"""The command line's end of a running broker's admin socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
from saphan_schemas.errors import FAMILIES, OperatorError, SaphanError

from saphan_broker.admin import socket_path

TIMEOUT_SECONDS: Final = 60
"""An operation waits for a durable signed head; a disk that takes longer is an answer too."""


def ask(data: Path, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
    """One request to the broker that serves a data directory; gives its JSON answer.

    Raises:
        OperatorError: `broker_not_running`, `socket_path_long`; else what the broker answers.
    """
    return asyncio.run(_ask(socket_path(data), method, path, body))


async def _ask(socket: Path, method: str, path: str, body: Mapping[str, object] | None) -> Any:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    connector = aiohttp.UnixConnector(str(socket))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.request(method, f"http://broker{path}", json=body) as response,
        ):
            answer = await response.json()
            if response.status != 200:
                raise _error(response.status, answer["error"])
            return answer
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
        raise OperatorError(
            "broker_not_running",
            f"no broker answers at {socket}: {type(error).__name__}",
            field="data",
            hint="start it with `saphan-broker run`, and give this command the same --data",
        ) from None


def _error(status: int, shown: Mapping[str, Any]) -> SaphanError:
    """The broker's error as if it had been raised here."""
    family = next((one for one in FAMILIES if one.http_status == status), OperatorError)
    return family(shown["code"], shown["message"], field=shown["field"], hint=shown["hint"])
