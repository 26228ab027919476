"""`saphan audit fetch`: copy a broker's public logs over HTTP into a folder, to be verified there.

The evidence log's head is asked for first: the directory's, asked for later, then covers every
anchor. Full tiles and bundles never change and are fetched once; a checkpoint is written last, so
that what a broken line leaves behind is continued by the next fetch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from saphan_protocol.audit.log import pinned_keys
from saphan_protocol.checkpoint import Checkpoint, parse_checkpoint, verify_head
from saphan_protocol.notes import parse_note
from saphan_protocol.pins import Pins
from saphan_protocol.tiles import TILE_BYTES, TILE_WIDTH, entries_path, tile_path, tile_widths
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, Unavailable
from saphan_schemas.limits import LIMITS

from saphan.audit.folder import BUNDLE_BYTES, CHECKPOINT
from saphan.durable import PUBLIC_MODE, replace_file
from saphan.node.config import system_clock
from saphan.trust import client, line_error

AT_ONCE: Final = 8
"""Requests in flight: as many as a broker answers at one time."""
REQUEST_SECONDS: Final = 60.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
Progress = Callable[[str, int, int], None]
"""progress(log, files done, files in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One log in the folder: its origin and size, and the files that were fetched for it."""

    origin: str
    size: int
    files: int


async def fetch_logs(
    url: str,
    folder: Path,
    token: str | None,
    pins: Pins | None,
    progress: Progress,
    tls: bytes | None = None,
) -> dict[str, Fetched]:
    """Copy both logs up to their present heads.

    Args:
        url: http:// or https:// address of the broker; the logs lie below it.
        token: bearer token of an enrolled agency; None for public logs.
        pins: heads are verified before anything is fetched for them; None leaves that to `verify`.
        tls: SHA-256 of the broker's TLS key; None: an ordinary authority vouches for its name.

    Raises:
        InvalidInput: `address_malformed`, what is wrong with a head, `too_large`.
        Refused: `token_required`, `token_in_clear`, `tls_pin_differs`, `certificate_*`.
        Unavailable: `broker_unreachable`, `log_unavailable`, `tls_failed`.
        OperatorError: `file_unwritable`, `folder_foreign`.
    """
    base = _base(url, secret=token is not None)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with client(tls, system_clock, headers=headers, timeout=timeout) as http:
        logs = [_Remote(http, base, folder, name, progress) for name in ("evidence", "directory")]
        heads = []
        for log in logs:
            pin = None if pins is None else getattr(pins, log.name)
            heads.append(await log.head(pin))
        found = {}
        for log, (note, head) in zip(reversed(logs), reversed(heads), strict=True):
            found[log.name] = await log.copy(note, head)
    return found


class _Remote:
    """One log behind its URL."""

    def __init__(
        self, http: aiohttp.ClientSession, base: str, folder: Path, name: str, progress: Progress
    ) -> None:
        self.name = name
        self._http = http
        self._base = f"{base}/{name}/"
        self._folder = folder / name
        self._progress = progress

    async def head(self, pin: LogPin | None) -> tuple[bytes, Checkpoint]:
        """The newest note and what it says."""
        note = await self._get(CHECKPOINT, LIMITS.note_bytes)
        if pin is not None:
            # ML-DSA takes a moment: not on the loop that reads the line.
            await asyncio.to_thread(verify_head, note, pinned_keys(pin))
        return note, parse_checkpoint(parse_note(note).text)

    async def copy(self, note: bytes, head: Checkpoint) -> Fetched:
        """Fetch what the head covers and is not here yet; the checkpoint comes last."""
        await asyncio.to_thread(self._check_folder, head)
        wanted, files, seen = self._covered(head.size), 0, 0
        total = sum(_files(level, *widths) for level, widths in enumerate(tile_widths(head.size)))
        while part := list(islice(wanted, 32 * AT_ONCE)):
            absent = await asyncio.to_thread(self._absent, part)
            for first in range(0, len(absent), AT_ONCE):
                await _together(self._copy(*row) for row in absent[first : first + AT_ONCE])
            files += len(absent)
            seen += len(part)
            self._progress(self.name, seen, total)
        await asyncio.to_thread(_put, self._folder / CHECKPOINT, note)
        return Fetched(origin=head.origin, size=head.size, files=files + 1)

    def _covered(self, size: int) -> Iterator[tuple[str, int]]:
        """(path, greatest length) of all files under a head; lazily, for a head may lie."""
        for level, (full, width) in enumerate(tile_widths(size)):
            for n in range(full + (width > 0)):
                span = TILE_WIDTH if n < full else width
                yield tile_path(level, n, span), TILE_BYTES
                if level == 0:
                    yield entries_path(n, span), BUNDLE_BYTES

    def _absent(self, rows: list[tuple[str, int]]) -> list[tuple[str, int]]:
        return [row for row in rows if not (self._folder / row[0]).exists()]

    def _check_folder(self, head: Checkpoint) -> None:
        """The folder is new, or holds an earlier state of this log."""
        try:
            with (self._folder / CHECKPOINT).open("rb") as file:
                there = parse_checkpoint(parse_note(file.read(LIMITS.note_bytes)).text)
        except FileNotFoundError:
            return
        if there.origin != head.origin or there.size > head.size:
            raise OperatorError(
                "folder_foreign",
                f"{self._folder} holds {there.size} leaves of {there.origin}, and the broker shows "
                f"{head.size} of {head.origin}",
                field="folder",
                hint="name an empty folder, and keep this one: a log never becomes shorter",
            )

    async def _copy(self, path: str, bound: int) -> None:
        data = await self._get(path, bound)
        await asyncio.to_thread(_put, self._folder / path, data)

    async def _get(self, path: str, bound: int) -> bytes:
        url = self._base + path
        try:
            async with self._http.get(url, allow_redirects=False) as answer:
                if answer.status == 401:
                    raise Refused(
                        "token_required",
                        "the broker shows its logs to enrolled agencies only",
                        field="token",
                        hint="get one: saphan node token --out FILE; then give --token-file FILE",
                    )
                if answer.status != 200:
                    raise Unavailable("log_unavailable", f"{url} answers {answer.status}")
                return await _body(answer, bound, path)
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, aiohttp.ServerFingerprintMismatch | aiohttp.ClientSSLError):
                raise line_error(error, url) from None
            raise Unavailable(
                "broker_unreachable",
                f"{url} cannot be fetched: {type(error).__name__}",
                hint="fetch again: what is here already is kept",
            ) from None


async def _together(works: Iterable[Coroutine[None, None, None]]) -> None:
    """All at once; the first error ends the others before it goes on."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _files(level: int, full: int, width: int) -> int:
    """Files of one level: tiles, and at level 0 as many bundles."""
    return (full + (width > 0)) * (1 if level else 2)


async def _body(answer: aiohttp.ClientResponse, bound: int, path: str) -> bytes:
    parts, length = [], 0
    async for part in answer.content.iter_any():
        length += len(part)
        if length > bound:
            raise InvalidInput("too_large", f"{path} has more than {bound} bytes", field=path)
        parts.append(part)
    return b"".join(parts)


def _put(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "file_unwritable", f"{path.parent} cannot be made: {error.strerror}", field="folder"
        ) from None
    replace_file(path, data, PUBLIC_MODE)  # whole or not there: half a tile is no tile


def _base(url: str, *, secret: bool) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port is judged here, not by a traceback later
    except ValueError:
        raise _bad_address(url) from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise _bad_address(url)
    if secret and parts.scheme == "http" and host not in LOOPBACK:
        raise Refused(
            "token_in_clear",
            "a token is not sent over a line that others can read",
            field="url",
            hint="write https://",
        )
    return url.rstrip("/")


def _bad_address(url: str) -> InvalidInput:
    return InvalidInput(
        "address_malformed",
        f"{url[:200]} is no address of a broker's logs",
        field="url",
        hint="write https://bridge.example",
    )
