"""Objects in whatever obstore reaches: an S3 bucket in service, its other stores in tests.

What a crash means: an S3 server shows an object whole or not at all, and answers a put when it is
as durable as that service promises. Parts of a put that was cut off are no object; a bucket's rule
for incomplete multipart uploads removes them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore
from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import LIMITS, MIB

from saphan_broker.objects.base import Found, check_name, too_large, unusable

PAGE: Final = 256
PART_BYTES: Final = 5 * MIB
"""Of a put in parts: the least that S3 takes, except for the last one."""
PARTS_AT_ONCE: Final = 1
RETRY_MS: Final = 5_000
SHOWN_CHARS: Final = 240
LATER: Final = frozenset({408, 409, 425, 429})
"""Refusals of a service that has too much to do, or does the same for somebody else right now."""
_REDIRECT: Final = "incorrectly configured region"
_STATUS: Final = re.compile(r"status code: ((\d{3})[A-Za-z ]*)")
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")


class RemoteObjects:
    """Implements `Objects` over a store of obstore.

    Args:
        store: with its own prefix, timeouts and retries.
        where: what messages call it; no secret.
    """

    def __init__(self, store: ObjectStore, where: str) -> None:
        self._store = store
        self._where = where

    async def put(self, name: str, data: bytes) -> None:
        """See `Objects.put`."""
        if len(data) > LIMITS.object_bytes:
            raise ValueError(f"{len(data)} bytes are too many for one object")
        with self._errors():
            await obstore.put_async(self._store, check_name(name), data, use_multipart=False)

    async def put_parts(self, name: str, parts: AsyncIterator[bytes]) -> None:
        """See `Objects.put_parts`; in memory: one of `PART_BYTES` on its way, one that fills up."""
        with self._errors():
            await obstore.put_async(
                self._store,
                check_name(name),
                parts,
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )

    async def copy(self, source: str, target: str) -> bool:
        """See `Objects.copy`; the service copies by itself.

        An answer of success may have the error in its body, which obstore reads in part: so the
        service is asked for what it has made.
        """
        with self._errors():
            try:
                await obstore.copy_async(self._store, check_name(source), check_name(target))
            except FileNotFoundError:
                return False
        if not await self.exists(target):
            raise self._away("it has not made the copy that it has confirmed")
        return True

    async def get(self, name: str) -> bytes | None:
        """See `Objects.get`."""
        with self._errors():
            try:
                answer = await obstore.get_async(self._store, check_name(name))
            except FileNotFoundError:
                return None
            if answer.meta["size"] > LIMITS.object_bytes:
                raise too_large(name, answer.meta["size"])
            return bytes(await answer.bytes_async())

    async def get_range(self, name: str, offset: int, length: int) -> bytes | None:
        """See `Objects.get_range`."""
        if length > 0:
            with self._errors():
                try:
                    found = await obstore.get_range_async(
                        self._store, check_name(name), start=offset, length=length
                    )
                    return bytes(found)
                except FileNotFoundError:
                    return None
                except BaseError:
                    # Nothing from `offset` on is an error of the protocol; it is none of ours.
                    size = await self.size(name)
                    if size is not None and offset < size:
                        raise
                    return None if size is None else b""
        return b"" if await self.exists(name) else None

    async def size(self, name: str) -> int | None:
        """See `Objects.size`."""
        with self._errors():
            try:
                return (await obstore.head_async(self._store, check_name(name)))["size"]
            except FileNotFoundError:
                return None

    async def exists(self, name: str) -> bool:
        """See `Objects.exists`."""
        return await self.size(name) is not None

    async def delete(self, name: str) -> None:
        """See `Objects.delete`."""
        with self._errors():
            try:
                await obstore.delete_async(self._store, check_name(name))
            except FileNotFoundError:
                return

    async def list(self, prefix: str) -> AsyncIterator[Found]:
        """See `Objects.list`."""
        folder = check_name(prefix) if prefix else None
        with self._errors():
            async for page in obstore.list(self._store, folder, chunk_size=PAGE):
                for one in page:
                    changed = int(one["last_modified"].timestamp() * 1000)
                    yield Found(one["path"], one["size"], changed)

    async def close(self) -> None:
        """See `Objects.close`; obstore's connections end with the process or when they idle."""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what obstore raises into our own; what the caller's parts raise passes."""
        try:
            yield
        except FileNotFoundError as error:
            raise unusable(
                f"{self._where} cannot be written: {_shown(error)}",
                "make the bucket, or name one that exists",
            ) from None
        except BaseError as error:
            raise self._judged(error) from None

    def _judged(self, error: BaseError) -> SaphanError:
        status = _STATUS.search(str(error))
        code = int(status[2]) if status else 0
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or code in (401, 403):
            return unusable(
                f"{self._where} refuses the broker's credentials: {_shown(error)}",
                "compare the credentials file with what the service has given out",
            )
        if (400 <= code < 500 and code not in LATER) or _REDIRECT in str(error):
            return unusable(
                f"{self._where} refuses what the broker asks: {_shown(error)}",
                "check the bucket's name, its region and the endpoint",
            )
        return self._away(_shown(error))

    def _away(self, why: str) -> Unavailable:
        return Unavailable(
            "blobs_unreachable",
            f"{self._where} does not answer: {why}",
            field="blobs",
            hint="check that the service runs and can be reached; the broker tries again by itself",
            retry_after_ms=RETRY_MS,
        )


def _shown(error: Exception) -> str:
    """The error in a line: the service's own code, or the status, or the first line."""
    text = str(error)
    if found := _CODE.search(text) or _STATUS.search(text):
        return found[1].strip()
    return text.partition("\n")[0].strip()[:SHOWN_CHARS]
