"""The async SDK: an agency's case system sends and receives through its own node.

async with Node("/srv/saphan/la.ospp") as node:
    bulletin_id = await node.send(to="kh.gpo", schema="saphan/case_statistics/0",
                                  about={...}, body={...})
    async for bulletin in node.inbox():
        print(bulletin.sender, bulletin.schema, bulletin.body)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from saphan_schemas.errors import InvalidInput, SaphanError

from saphan.api_answer import (
    ANSWER_BYTES,
    SOCKET_NAME,
    TOKEN_BYTES,
    TOKEN_NAME,
    refusal,
    unreachable,
)
from saphan.private import read_private

PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """A received bulletin, opened, its author and schema checked by the node.

    `seq` is its place in the inbox: keep the last one and pass it to `Node.inbox(after=...)`.
    Times are ms UTC.
    """

    id: str
    seq: int
    sender: str
    recipients: tuple[str, ...]
    schema: str
    tlp: str
    codes: tuple[str, ...]
    urgency: str
    exercise: bool
    created: int
    expires: int
    answer_by: int | None
    author: str | None
    about: dict[str, Any]
    body: dict[str, Any]


class Node:
    """The agency's own node, through its local API.

    Args:
        address: the agency's folder (its Unix socket and token are found there), or
            http://127.0.0.1:PORT with `token`.
        token: bearer token; read from the folder if it is not given.

    Raises:
        OperatorError: `key_file_exposed`, `file_missing`, for the token file.
    """

    def __init__(self, address: str | Path, *, token: str | None = None) -> None:
        self._folder = None if str(address).startswith("http") else Path(address) / "node"
        self._base = "http://node" if self._folder is not None else str(address).rstrip("/")
        self._token = token
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        token = self._token or await asyncio.to_thread(self._read_token)
        connector: aiohttp.BaseConnector | None = None
        if self._folder is not None:
            connector = aiohttp.UnixConnector(str(self._folder / SOCKET_NAME))
        self._http = aiohttp.ClientSession(
            connector=connector, headers={"Authorization": f"Bearer {token}"}
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def send(
        self,
        *,
        to: str | list[str],
        schema: str,
        about: dict[str, Any],
        body: dict[str, Any],
        **options: Any,
    ) -> str:
        """Send a machine-made bulletin; its id once it is durable in the node's outbox.

        Args:
            to: an agency, or several.
            options: marking={"tlp": ..., "codes": [...]}, urgency, exercise, expires, answer_by,
                retain_until, as in the API.

        Raises:
            InvalidInput: `schema_invalid` with the field, and others; Refused: `agreement_*`;
            Unavailable: `node_unreachable`, `outbox_busy`.
        """
        recipients = [to] if isinstance(to, str) else list(to)
        wish = {"to": recipients, "schema": schema, "about": about, "body": body, **options}
        answer = await self._ask("POST", "/v1/bulletins", wish)
        return str(answer["id"])

    async def status(self, bulletin_id: str) -> dict[str, Any]:
        """Deliveries and the timeline of signed events with their proofs.

        Raises:
            InvalidInput: `bulletin_unknown`, `id_malformed`; Unavailable: `node_unreachable`.
        """
        return await self._ask("GET", f"/v1/bulletins/{bulletin_id}")

    async def identity(self) -> dict[str, Any]:
        """Who the node is, how its line stands, its agreements and alarms."""
        return await self._ask("GET", "/v1/identity")

    async def inbox(self, *, after: int = 0, follow: bool = True) -> AsyncIterator[Bulletin]:
        """Received bulletins in the order in which they were accepted; then, with `follow`, new
        ones as they come. Fetching one is a reading by a system, and the sender's log shows it.

        Args:
            after: `seq` of the last bulletin that was worked through; 0: from the beginning.

        Raises:
            Unavailable: `node_unreachable`; what the node answers.
        """
        while True:
            # Listening begins before looking, so that nothing falls between the two.
            events = await self._listen() if follow else None
            try:
                while True:
                    page = await self._ask("GET", f"/v1/inbox?after={after}&limit={PAGE}")
                    for row in page["bulletins"]:
                        content = await self._ask("GET", f"/v1/bulletins/{row['id']}/content")
                        after = row["seq"]
                        yield _bulletin(row, content["content"])
                    if len(page["bulletins"]) == PAGE:
                        continue
                    if events is None:
                        return
                    if not await _something_came(events):
                        break
            finally:
                if events is not None:
                    events.close()

    async def _listen(self) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            response = await self._session().get(self._base + "/v1/events", timeout=timeout)
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(str(self._folder or self._base), type(error).__name__) from None
        if response.status != 200:
            raise _error(response.status, await response.read())
        return response

    async def _ask(self, method: str, path: str, value: object = None) -> dict[str, Any]:
        body = None if value is None else msgspec.json.encode(value)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with self._session().request(
                method, self._base + path, data=body, headers=headers
            ) as response:
                data = await response.read()
                if response.status >= 300:
                    raise _error(response.status, data)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(str(self._folder or self._base), type(error).__name__) from None
        return msgspec.json.decode(data, type=dict[str, Any])

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("use it as `async with Node(...) as node:`")
        return self._http

    def _read_token(self) -> str:
        if self._folder is None:
            raise InvalidInput("token_missing", "an address needs its token", field="token")
        return read_private(self._folder / TOKEN_NAME, TOKEN_BYTES, "api-token").decode().strip()


async def _something_came(events: aiohttp.ClientResponse) -> bool:
    """Wait for an event of the inbox; False when the stream ended and must be opened anew."""
    try:
        async for line in events.content:
            if line.startswith(b"data:") and (b'"inbox"' in line or b'"lagged"' in line):
                return True
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
    return False


def _bulletin(row: dict[str, Any], content: dict[str, Any]) -> Bulletin:
    return Bulletin(
        id=row["id"],
        seq=row["seq"],
        sender=row["sender"],
        recipients=tuple(row["recipients"]),
        schema=row["schema"],
        tlp=row["marking"]["tlp"],
        codes=tuple(row["marking"]["codes"]),
        urgency=row["urgency"],
        exercise=row["exercise"],
        created=row["created"],
        expires=row["expires"],
        answer_by=row["answer_by"],
        author=row["author"],
        about=content["about"],
        body=content["body"],
    )


def _error(status: int, data: bytes) -> SaphanError:
    try:
        value = msgspec.json.decode(data[:ANSWER_BYTES], type=dict[str, Any])
    except msgspec.DecodeError:
        value = {}
    return refusal(status, value)
