"""A plain, blocking client of the node's local API, for commands that ask it one thing."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from saphan_schemas.errors import InvalidInput, OperatorError, Unavailable
from saphan_schemas.limits import KIB
from saphan_schemas.records import Blob

from saphan.api_answer import (
    ANSWER_BYTES,
    SOCKET_NAME,
    TOKEN_NAME,
    UPLOAD_TAKEN,
    UPLOAD_WAIT_S,
    UPLOADS,
    attachment_of,
    read_token,
    refusal,
    unreachable,
)
from saphan.saving import Saving

if TYPE_CHECKING:  # commands that attach nothing need not load what composes bulletins
    from saphan.attaching import LocalFile

TIMEOUT_S: Final = 60.0
"""Longer than the node itself waits for the broker."""


PIECE_BYTES: Final = 256 * KIB


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

    def delete(self, path: str) -> dict[str, Any]:
        """End what is at a path; the JSON object that says so. Raises what `post` raises."""
        return self._ask("DELETE", path, None)

    def upload(self, path: Path, blob: Blob) -> None:
        """Bring a file to the node before a bulletin names it; goes on where it stopped before.

        Raises:
            OperatorError: `file_unreadable`; what the node answers.
        """
        where = f"/v1/attachments/{blob.digest.hex()}"
        found = self.get(where)
        if found["whole"]:
            return
        offset = int(found["held"])
        headers = self._headers() | {"Content-Length": str(blob.length - offset)}
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                target = f"{where}?offset={offset}&length={blob.length}"
                with self._answer("PUT", target, file, headers) as answer:
                    found = _judge(answer.status, answer.read(ANSWER_BYTES + 1))
        except OSError as error:
            raise OperatorError(
                "file_unreadable", f"{path} cannot be read: {error.strerror}", field="attachments"
            ) from None
        if not found["whole"]:
            raise Unavailable("attachment_cut", f"{path} has become shorter", field="attachments")

    def send_signed(self, files: Sequence[LocalFile], value: dict[str, Any]) -> dict[str, Any]:
        """Bring the files and send a signed bulletin; again if another one took an upload away.

        Raises:
            SaphanError: what `upload` and `post` raise.
        """
        for left in reversed(range(UPLOADS)):
            try:
                for file in files:
                    self.upload(file.path, file.attached.blob)
                return self.post("/v1/bulletins/signed", value)
            except (InvalidInput, Unavailable) as error:
                if error.code not in UPLOAD_TAKEN or not left:
                    raise
            time.sleep(UPLOAD_WAIT_S)
        raise RuntimeError("the last attempt returns or raises")

    def save(self, bulletin: str, number: int, out: Path) -> Path:
        """Write an attachment of a bulletin that was read to a file, or into a folder.

        Raises:
            Unavailable: `attachment_cut`, `node_unreachable`.
            OperatorError: `file_exists`, `disk_full`, `file_unwritable`; what the node answers.
        """
        return self.save_from(f"/v1/bulletins/{bulletin}/attachments/{number}", out)

    def save_from(self, where: str, out: Path, expected: Blob | None = None) -> Path:
        """The same from a path of the API; raises the same.

        Args:
            expected: what the file must be, if that is known otherwise than from the node.
        """
        with self._answer("GET", where, None, self._headers()) as answer:
            if answer.status >= 300:
                _judge(answer.status, answer.read(ANSWER_BYTES + 1))
            name, blob = attachment_of(dict(answer.headers.items()))
            blob = expected or blob
            with Saving(out, name, blob) as saving:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    while data := answer.read(PIECE_BYTES):
                        saving.write(data)
                return saving.finish()

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: IO[bytes] | None, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self._socket)
        try:
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise unreachable(str(self._socket), str(error)) from None
            yield answer
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._read_token()}"}

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        headers = self._headers()
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
            return read_token(self._token)
        except OperatorError as error:
            if error.code == "file_missing":
                raise unreachable(str(self._socket), "it has never run here") from None
            raise


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
