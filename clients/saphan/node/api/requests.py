"""Requests of the local API, parsed: strict JSON in, records out; errors name field and hint."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web
from saphan_protocol.directory import Directory
from saphan_protocol.identity import CONTENT_TYPE, identity, record_identity
from saphan_protocol.opening import check_authors
from saphan_schemas import strict_json
from saphan_schemas.body_types import BodyTypes
from saphan_schemas.codec import decode, decode_content
from saphan_schemas.errors import InvalidInput, Refused, Unavailable
from saphan_schemas.frames import Result
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header, Inner, Signature
from saphan_schemas.validation import validate_content

from saphan.base64_text import bytes_of, text_of
from saphan.compose import Attached, Draft, check_lengths
from saphan.node.outbox import Prepared

T = TypeVar("T")
INNER_BYTES: Final = 4096
SIGNATURE_BYTES: Final = 8192
HIGHEST: Final = 2**53
DEFAULT_ROWS: Final = 100
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


class SignedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An officer's bulletin: exact bytes of three records and the canonical content, in base64."""

    header: str
    inner: str
    signature: str
    content: str


class ReadBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An officer's signed reading, in base64."""

    record: str
    signature: str


class SecondBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second officer's signature over the inner record of what waits, in base64."""

    signature: str


class DirectoryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A directory operation, a finished agreement, an order on one, or an agency's own schema (a
    SchemaPackage), in base64; exactly one."""

    operation: str | None = None
    agreement: str | None = None
    order: str | None = None
    schema: str | None = None


async def read_body(request: web.Request, max_bytes: int = LIMITS.api_body_bytes) -> bytes:
    """The request's body.

    Raises:
        InvalidInput: `too_large`, before more than the bound was read; `too_slow` after 30 s.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(LIMITS.api_patience_ms / 1000):
            while part := await request.content.read(64 * 1024):
                parts.append(part)
                size += len(part)
                if size > max_bytes:
                    raise InvalidInput(
                        "too_large", f"the request has more than {max_bytes} bytes", field="body"
                    )
    except TimeoutError:
        raise InvalidInput(
            "too_slow",
            f"the request was not whole after {LIMITS.api_patience_ms // 1000} s",
            field="body",
        ) from None
    return b"".join(parts)


def parse_json(data: bytes, kind: type[T]) -> T:
    """A JSON object of exactly these fields.

    Raises:
        InvalidInput: `malformed`.
    """
    try:
        return strict_json.parse_json(kind, data)
    except ValueError as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise InvalidInput(
            "malformed",
            f"the request does not parse: {error}",
            field="body",
            hint="see GET /v1/openapi.json",
        ) from None


def unbase64(text: str, field: str) -> bytes:
    """Bytes of a base64 field, in its one spelling.

    Raises:
        InvalidInput: `malformed`.
    """
    try:
        data = bytes_of(text)
    except ValueError:
        data = b""
    if not data or text_of(data) != text:
        raise InvalidInput("malformed", f"{field} is not base64", field=field)
    return data


def number(request: web.Request, name: str, default: int, highest: int, lowest: int = 0) -> int:
    """A number of the query string.

    Raises:
        InvalidInput: `malformed`.
    """
    text = request.query.get(name, str(default))
    if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
        raise InvalidInput(
            "malformed", f"{name} is not a whole number of {lowest}..{highest}", field=name
        )
    return int(text)


def page(request: web.Request) -> tuple[int, int]:
    """Which rows of a list: those after this place, and how many; never none, which has no end.

    Raises:
        InvalidInput: `malformed`.
    """
    return (
        number(request, "after", 0, HIGHEST),
        number(request, "limit", DEFAULT_ROWS, LIMITS.api_page_items, lowest=1),
    )


def logged(result: Result) -> dict[str, Any]:
    """What a broker's result on a directory item says to whoever handed it in.

    Raises:
        Unavailable, Refused: the broker's code, message and hint.
    """
    if result.code is not None:
        if result.retry_after_ms:
            raise Unavailable(result.code, result.message, hint=result.hint)
        raise Refused(result.code, result.message, hint=result.hint)
    return {"indices": list(result.indices)}


def prepare_signed(
    body: SignedBody, agency: str, directory: Directory, types: BodyTypes
) -> Prepared:
    """An officer's bulletin, checked before it is sealed: binding, author, schema.

    Raises:
        InvalidInput: codec codes, `inner_mismatch`, `signature_invalid`, `schema_*`,
            `attachment_*`, `attachments_too_large`.
        Refused: `author_unknown`, `author_revoked`, `sender_not_peer`.
    """
    header_bytes, inner_bytes = unbase64(body.header, "header"), unbase64(body.inner, "inner")
    content_bytes = unbase64(body.content, "content")
    header = decode(Header, header_bytes, LIMITS.header_bytes, "header")
    inner = decode(Inner, inner_bytes, INNER_BYTES, "inner")
    signed = unbase64(body.signature, "signature")
    signature = decode(Signature, signed, SIGNATURE_BYTES, "signature")
    content = decode_content(content_bytes, LIMITS.content_bytes)
    header_id = record_identity(Header, header_bytes)
    if header.sender != agency:
        raise Refused(
            "sender_not_peer", f"this node sends for {agency} only", field="header.sender"
        )
    if (inner.header, inner.content) != (header_id, identity(CONTENT_TYPE, content_bytes)):
        raise InvalidInput(
            "inner_mismatch", "the officer signed another header or content", field="inner"
        )
    if inner.author is None:
        raise Refused("author_unknown", "an officer's bulletin names its author", field="inner")
    check_authors(inner, inner_bytes, (signature,), agency, directory, None)
    validate_content(header, content, types)
    return Prepared(
        draft=Draft(
            header=header,
            header_bytes=header_bytes,
            header_id=header_id,
            content=content_bytes,
            attachments=_attached(inner, content["attachments"]),
        ),
        author=inner.author,
        inner=inner_bytes,
        signatures=(signature,),
    )


def _attached(inner: Inner, described: list[dict[str, str]]) -> tuple[Attached, ...]:
    """What the content says of each attachment, with what the officer signed of it."""
    if len(described) != len(inner.attachments):
        raise InvalidInput(
            "inner_mismatch",
            f"{len(inner.attachments)} attachments are signed, {len(described)} described",
            field="inner.attachments",
        )
    check_lengths(inner.attachments)
    return tuple(
        Attached(**one, blob=blob) for one, blob in zip(described, inner.attachments, strict=True)
    )


def json_response(value: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )
