"""The command line's end of a running broker's admin sockets, one for each of its processes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
from saphan_schemas.errors import FAMILIES, OperatorError, SaphanError

from saphan_broker.socket_places import socket_path, sockets

TIMEOUT_SECONDS: Final = 60
"""An operation waits for a durable signed head; a disk that takes longer is an answer too."""

LOOK_SECONDS: Final = 10
"""A look needs no disk; a process that hangs is left out of the answer."""

Body = Mapping[str, object] | None


def ask(data: Path, method: str, path: str, body: Body = None) -> Any:
    """One request to whichever process of a data directory answers first; gives its JSON answer.

    Raises:
        OperatorError: `broker_not_running`, `socket_path_long`; else what the broker answers.
    """
    return asyncio.run(_ask(data, method, path, body))


def ask_each(data: Path, method: str, path: str, body: Body = None) -> list[Any]:
    """The same request to every process of a data directory that runs; their answers, in order.

    Raises:
        OperatorError: `broker_not_running`, `socket_path_long`; what the first of them answers, if
            not one of them has done what was asked.
    """
    return asyncio.run(_ask_each(data, method, path, body))


async def _ask(data: Path, method: str, path: str, body: Body) -> Any:
    last = None
    for socket in _places(data):
        try:
            return await _ask_one(socket, method, path, body)
        except OperatorError as error:
            if error.code != "broker_not_running":
                raise
            last = error
    raise last or AssertionError("there is always one place to ask at")


async def _ask_each(data: Path, method: str, path: str, body: Body) -> list[Any]:
    asked = (_ask_one(socket, method, path, body) for socket in _places(data))
    said = await asyncio.gather(*asked, return_exceptions=True)
    answers = [one for one in said if not isinstance(one, BaseException)]
    if answers:
        return answers
    errors = [one for one in said if isinstance(one, BaseException)]
    raise next((e for e in errors if getattr(e, "code", "") != "broker_not_running"), errors[0])


def _places(data: Path) -> Sequence[Path]:
    return sockets(data) or (socket_path(data),)


async def _ask_one(socket: Path, method: str, path: str, body: Body) -> Any:
    timeout = aiohttp.ClientTimeout(total=LOOK_SECONDS if method == "GET" else TIMEOUT_SECONDS)
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
