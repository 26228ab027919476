"""A plain, blocking client of the node's local API, for commands that ask it one thing."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

from saphan_schemas.errors import OperatorError

from saphan.api_answer import (
    ANSWER_BYTES,
    SOCKET_NAME,
    TOKEN_BYTES,
    TOKEN_NAME,
    refusal,
    unreachable,
)
from saphan.private import read_private

TIMEOUT_S: Final = 60.0
"""Longer than the node itself waits for the broker."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the node's Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class LocalNode:
    """The agency's node on this machine.

    Args:
        folder: the node's folder, with `api.sock` and `api.token`.
    """

    def __init__(self, folder: Path) -> None:
        self._socket = folder / SOCKET_NAME
        self._token = folder / TOKEN_NAME

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path; raises what `post` raises."""
        return self._ask("GET", path, None)

    def post(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        """Send one JSON object; the answer's JSON object.

        Raises:
            Unavailable: `node_unreachable`, or what the node answers.
            OperatorError: `key_file_exposed` (the token), `node_answer`, or what it answers.
            InvalidInput, Refused: what the node answers, with its code.
        """
        return self._ask("POST", path, json.dumps(value).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._read_token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = _UnixConnection(self._socket)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read(ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(str(self._socket), str(error)) from None
        finally:
            connection.close()
        return _judge(answer.status, data)

    def _read_token(self) -> str:
        try:
            data = read_private(self._token, TOKEN_BYTES, "api-token")
        except OperatorError as error:
            if error.code == "file_missing":
                raise unreachable(str(self._socket), "it has never run here") from None
            raise
        token = data.decode("ascii", errors="replace").strip()
        if not token.isascii() or not token.isprintable():
            raise OperatorError(
                "file_unreadable", f"{self._token} holds no token", field="api-token"
            )
        return token


def _judge(status: int, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data) if len(data) <= ANSWER_BYTES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise OperatorError(
            "node_answer",
            f"the node answered status {status} with something that is no JSON object",
            field="node",
            hint="see the node's log; node and command should be of one version",
        )
    if status < 300:
        return value
    raise refusal(status, value)
