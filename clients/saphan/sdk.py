"""The async SDK: an agency's case system sends and receives through its own node.

async with Node("/srv/saphan/la.ospp") as node:
    bulletin_id = await node.send(to="kh.gpo", schema="saphan/case_statistics/1",
                                  about={...}, body={...})
    async for bulletin in node.inbox():
        print(bulletin.sender, bulletin.schema, bulletin.body)
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.records import Blob

from saphan.api_answer import (
    SOCKET_NAME,
    TOKEN_NAME,
    UPLOAD_TAKEN,
    UPLOAD_WAIT_S,
    UPLOADS,
    attachment_of,
    object_of,
    read_token,
    refusal,
    unreachable,
    usable,
)
from saphan.attaching import PIECE_BYTES, LocalFile, measure_all
from saphan.compose import Attached
from saphan.received import Bulletin, bulletin_of
from saphan.saving import Saving

PAGE: Final = 100
NOT_SHOWN: Final = frozenset({"bulletin_recalled", "bulletin_erased"})
"""Codes of bulletins that stay in the list, and whose content nobody is shown any more."""


class Node:
    """The agency's own node, through its local API.

    Args:
        address: the agency's folder (its Unix socket and the keeper's token are found there), or
            http://127.0.0.1:PORT with a token.
        token: bearer token; token_file: file with it, which only its owner may read.

    Raises:
        OperatorError: `key_file_exposed`, `file_missing`, `file_unreadable`, for the token file.
        InvalidInput: `token_missing`, `token_malformed`.
    """

    def __init__(
        self,
        address: str | Path,
        *,
        token: str | None = None,
        token_file: str | Path | None = None,
    ) -> None:
        self._token_file = None if token_file is None else Path(token_file)
        self._folder = (
            None if str(address).startswith(("http:", "https:")) else Path(address) / "node"
        )
        self._base = "http://node" if self._folder is not None else str(address).rstrip("/")
        self._token = token
        self._attaching = asyncio.Lock()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        token = self._token
        if token is None:
            token = await asyncio.to_thread(self._read_token)
        elif not usable(token):  # such as "" of an unset variable: not the keeper's instead
            raise InvalidInput("token_malformed", "what is given is no token", field="token")
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
        to: str | list[str] | None = None,
        schema: str,
        about: dict[str, Any],
        body: dict[str, Any],
        attachments: Sequence[str | Path | tuple[str, str | Path]] = (),
        idempotency_key: str | None = None,
        **options: Any,
    ) -> str:
        """Send a machine-made bulletin; its id once it is durable in the node's outbox.

        Args:
            to: an agency, or several; None: all that had what this corrects, or who has asked
                what it answers.
            attachments: files, or (role, file); at most 32 of 16 MiB, together 32 MiB.
            idempotency_key: 8 to 128 visible characters; sent again with the same key, the same
                bulletin has the same id and goes out once, however often that was tried.
            options: marking={"tlp": ..., "codes": [...]}, urgency, exercise, expires, answer_by,
                retain_until, as in the API.

        Raises:
            InvalidInput: `schema_invalid` with the field, `attachment_*`, and others;
            Refused: `agreement_*`, `repeat_differs`, `token_scope`; Unavailable:
            `node_unreachable`, `outbox_busy`.
        """
        recipients = [to] if isinstance(to, str) else list(to or ())
        wish = {"to": recipients, "schema": schema, "about": about, "body": body, **options}
        named = [one if isinstance(one, tuple) else ("other", one) for one in attachments]
        files = await asyncio.to_thread(measure_all, [(Path(file), role) for role, file in named])
        if not files:
            return await self._push(wish, idempotency_key)
        wish["attachments"] = [_named(file.attached) for file in files]
        async with self._attaching:
            return await self._send_with(files, wish, idempotency_key)

    async def status(self, bulletin_id: str) -> dict[str, Any]:
        """Deliveries and the timeline of signed events with their proofs.

        Raises:
            InvalidInput: `bulletin_unknown`, `id_malformed`; Unavailable: `node_unreachable`.
        """
        return await self._ask("GET", f"/v1/bulletins/{bulletin_id}")

    async def thread(self, bulletin_id: str) -> dict[str, Any]:
        """All bulletins that belong together with one, and who owes an answer by when.

        Raises:
            InvalidInput: `bulletin_unknown`, `id_malformed`; Unavailable: `node_unreachable`.
        """
        return await self._ask("GET", f"/v1/bulletins/{bulletin_id}/thread")

    async def recall(self, bulletin_id: str, reason: str) -> dict[str, Any]:
        """Take back what this agency has sent; how each recipient stands, as `recalled` says it.

        Args:
            reason: error, consent_withdrawn, wrong_person or court_order.

        Raises:
            InvalidInput: `bulletin_unknown`, `recall_code`; Refused: `recall_foreign`,
            `recalled_before`, `nothing_to_recall`, `token_scope`; Unavailable: `node_unreachable`.
        """
        path = f"/v1/bulletins/{bulletin_id}/recall"
        return await self._ask("POST", path, {"reason": reason})

    async def recalled(self, bulletin_id: str) -> dict[str, Any]:
        """How a recall stands: of an own bulletin `recipients`, of a received one `here`.

        Raises:
            InvalidInput: `bulletin_unknown`; Unavailable: `node_unreachable`.
        """
        return await self._ask("GET", f"/v1/bulletins/{bulletin_id}/recall")

    async def attachment(
        self, bulletin_id: str, number: int, *, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """An attachment's bytes, after its bulletin was read (`inbox` reads); the last of them only
        when the SHA-256 of all was right, if they were asked for from the beginning.

        Raises:
            Refused: `attachment_unread`; InvalidInput: `attachment_unknown`, `bulletin_unknown`;
            Unavailable: `node_unreachable`, `attachment_cut`.
        """
        async with self._attachment(bulletin_id, number, offset) as (response, _, blob):
            async for data in _checked(response, blob, whole=not offset):
                yield data

    async def save(self, bulletin_id: str, number: int, out: str | Path) -> Path:
        """Write an attachment to a new file, or into a folder under its own safe name.

        Raises:
            OperatorError: `file_exists`, `disk_full`, `file_unwritable`; what `attachment` raises.
        """
        async with self._attachment(bulletin_id, number, 0) as (response, name, blob):
            saving = await asyncio.to_thread(Saving, Path(out), name, blob)
            try:
                async for data in response.content.iter_chunked(PIECE_BYTES):
                    await asyncio.to_thread(saving.write, data)
                return await asyncio.to_thread(saving.finish)
            finally:
                await asyncio.to_thread(saving.close)

    @asynccontextmanager
    async def _attachment(
        self, bulletin_id: str, number: int, offset: int
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, str, Blob]]:
        """The node's answer, with the attachment's name, and its length from `offset` on."""
        where = f"/v1/bulletins/{bulletin_id}/attachments/{number}?offset={offset}"
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            async with self._session().get(self._base + where, timeout=timeout) as response:
                if response.status != 200:
                    raise _error(response.status, await response.read())
                yield response, *attachment_of(response.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(str(self._folder or self._base), type(error).__name__) from None

    async def _push(self, wish: dict[str, Any], key: str | None) -> str:
        headers = {} if key is None else {"Idempotency-Key": key}
        return str((await self._ask("POST", "/v1/bulletins", wish, headers))["id"])

    async def _send_with(
        self, files: Sequence[LocalFile], wish: dict[str, Any], key: str | None
    ) -> str:
        """Bring the files and send; again if another program's bulletin took an upload away."""
        for left in reversed(range(UPLOADS)):
            try:
                for file in files:
                    await self._upload(file)
                return await self._push(wish, key)
            except (InvalidInput, Unavailable) as error:
                if error.code not in UPLOAD_TAKEN or not left:
                    raise
            await asyncio.sleep(UPLOAD_WAIT_S)
        raise RuntimeError("the last attempt returns or raises")

    async def _upload(self, file: LocalFile) -> None:
        """Bring a file to the node; goes on where it stopped before."""
        blob = file.attached.blob
        where = f"/v1/attachments/{blob.digest.hex()}"
        found = await self._ask("GET", where)
        if found["whole"]:
            return
        offset = int(found["held"])
        target = f"{self._base}{where}?offset={offset}&length={blob.length}"
        try:
            async with self._session().put(target, data=_pieces(file.path, offset)) as response:
                data = await response.read()
                if response.status >= 300:
                    raise _error(response.status, data)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(str(self._folder or self._base), type(error).__name__) from None

    async def identity(self) -> dict[str, Any]:
        """Who the node is, how its line stands, its agreements and alarms."""
        return await self._ask("GET", "/v1/identity")

    async def inbox(self, *, after: int = 0, follow: bool = True) -> AsyncIterator[Bulletin]:
        """Received bulletins in the order in which they were accepted; then, with `follow`, new
        ones as they come. Fetching one is a reading by a system, and the sender's log shows it.
        What its sender has taken back, or what is erased here, is left out.

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
                        content = await self._content(row["id"])
                        if content is not None:
                            yield bulletin_of(row, content)
                    after = page["next"]
                    if page["more"]:
                        continue
                    if events is None:
                        return
                    if not await _something_came(events):
                        break
            finally:
                if events is not None:
                    events.close()

    async def _content(self, bulletin_id: str) -> dict[str, Any] | None:
        """What a bulletin says; None: nobody is shown it any more."""
        try:
            return await self._ask("GET", f"/v1/bulletins/{bulletin_id}/content")
        except Refused as error:
            if error.code not in NOT_SHOWN:
                raise
            return None

    async def _listen(self) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            response = await self._session().get(self._base + "/v1/events", timeout=timeout)
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(str(self._folder or self._base), type(error).__name__) from None
        if response.status != 200:
            raise _error(response.status, await response.read())
        return response

    async def _ask(
        self, method: str, path: str, value: object = None, more: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        body = None if value is None else msgspec.json.encode(value)
        headers = {} if body is None else {"Content-Type": "application/json", **(more or {})}
        try:
            async with self._session().request(
                method, self._base + path, data=body, headers=headers
            ) as response:
                data = await response.read()
                if response.status >= 300:
                    raise _error(response.status, data)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(str(self._folder or self._base), type(error).__name__) from None
        return object_of(data)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("use it as `async with Node(...) as node:`")
        return self._http

    def _read_token(self) -> str:
        path = self._token_file
        if path is None and self._folder is not None:
            path = self._folder / TOKEN_NAME
        if path is None:
            raise InvalidInput("token_missing", "an address needs its token", field="token")
        return read_token(path)


async def _pieces(path: Path, offset: int) -> AsyncIterator[bytes]:
    """A file's bytes, read beside the event loop."""
    file = await asyncio.to_thread(open, path, "rb")
    try:
        await asyncio.to_thread(file.seek, offset)
        while data := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield data
    finally:
        await asyncio.to_thread(file.close)


async def _checked(
    response: aiohttp.ClientResponse, blob: Blob, *, whole: bool
) -> AsyncIterator[bytes]:
    """The bytes, the last piece held back until the digest of all is right."""
    digest, last = hashlib.sha256(), b""
    async for data in response.content.iter_chunked(PIECE_BYTES):
        digest.update(data)
        if last:
            yield last
        last = data
    if whole and digest.digest() != blob.digest:
        raise Unavailable("attachment_cut", "other bytes than the attachment's came; try again")
    if last:
        yield last


def _named(attached: Attached) -> dict[str, str]:
    return {
        "digest": attached.blob.digest.hex(),
        "name": attached.name,
        "media_type": attached.media_type,
        "role": attached.role,
    }


async def _something_came(events: aiohttp.ClientResponse) -> bool:
    """Wait for an event of the inbox; False when the stream ended and must be opened anew."""
    try:
        async for line in events.content:
            if line.startswith(b"data:") and (b'"inbox"' in line or b'"lagged"' in line):
                return True
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
    return False


def _error(status: int, data: bytes) -> SaphanError:
    try:
        value = object_of(data)
    except OperatorError:
        value = {}
    return refusal(status, value)
