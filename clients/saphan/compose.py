"""Composing a bulletin: header, content and inner, checked before anybody signs them.

Used by the officer's client and by the node for machine-made bulletins. Nothing here has a clock or
chooses anything at random: `now` and `nonce` are given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from saphan_protocol.identity import CONTENT_TYPE, identity, record_identity
from saphan_schemas.body_types import BUILT_IN, BodyTypes
from saphan_schemas.codec import decode, encode, encode_content
from saphan_schemas.decoders import convert
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import (
    PAE_TYPES,
    SUITE,
    Blob,
    Blobs,
    Day,
    Header,
    Inner,
    Marking,
    Millis,
    Tlp,
    Urgency,
)
from saphan_schemas.strict_json import parse_json
from saphan_schemas.validation import validate_content

from saphan.corridors import Allowed
from saphan.retention.defaults import default_last_day
from saphan.threads.addressing import Follow

INNER_TYPE: Final = PAE_TYPES[Inner]
DEFAULT_TLP: Final[Tlp] = "amber"
DEFAULT_EXPIRY_MS: Final = 30 * DAY_MS
NO_AGREEMENT: Final = Allowed()
URGENCIES: Final[tuple[Urgency, ...]] = ("routine", "priority", "immediate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file to attach: what the content says of it, and its length and SHA-256.

    Args:
        blob: of a file that was named by its digest only, the length is 0 until it is measured.
    """

    name: str
    media_type: str
    role: str
    blob: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an author decides; None takes the default.

    Args:
        to: agency ids, any order, no duplicates.
        schema: name of a body type, such as "saphan/case_statistics/1".
        about, body: JSON maps of the schema.
        marking: whole; or `tlp` alone, with the handling codes that the agreement has by default.
        expires, answer_by: ms UTC; retain_until: days since 1970-01-01.
        attachments: in the order in which they are shown.
    """

    to: tuple[str, ...]
    schema: str
    about: dict[str, Any]
    body: dict[str, Any]
    marking: Marking | None = None
    tlp: Tlp = DEFAULT_TLP
    urgency: Urgency = "routine"
    exercise: bool = False
    expires: int | None = None
    answer_by: int | None = None
    retain_until: int | None = None
    attachments: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A composed bulletin before it is signed: the exact bytes and what they say."""

    header: Header
    header_bytes: bytes
    header_id: bytes
    content: bytes
    attachments: tuple[Attached, ...] = ()

    def inner(self, author: str | None, author_key: bytes) -> bytes:
        """The record that the author signs as `INNER_TYPE`."""
        content = identity(CONTENT_TYPE, self.content)
        blobs = tuple(one.blob for one in self.attachments)
        return encode(Inner(author, author_key, self.header_id, content, blobs))


def compose(
    wish: Wish,
    *,
    sender: str,
    now: int,
    nonce: bytes,
    allowed: Allowed = NO_AGREEMENT,
    types: BodyTypes = BUILT_IN,
) -> Draft:
    """A bulletin from `sender`, valid against its schema.

    Args:
        now: ms UTC; nonce: 16 random bytes; allowed: by the agreements, where a wish is silent;
        types: those that this program knows.

    Raises:
        InvalidInput: `header_invalid`, `schema_unknown`, `schema_invalid`, `rule_broken`,
            `text_forbidden`, `too_large`, `attachment_name`, `attachment_empty`,
            `attachments_too_large`.
    """
    described = [
        {"media_type": one.media_type, "name": one.name, "role": one.role}
        for one in wish.attachments
    ]
    content = {"about": wish.about, "attachments": described, "body": wish.body}
    try:
        data = encode_content(content)
    except InvalidInput as error:  # a number without quotes: said as any other fault is
        if error.fault is not None:
            error.fault = replace(error.fault, schema=wish.schema)
        raise
    if len(data) > LIMITS.content_bytes:
        raise InvalidInput(
            "too_large",
            f"the content has {len(data)} bytes, at most {LIMITS.content_bytes} are taken",
            field="content",
            hint="shorten it, or send large parts as attachments",
        )
    header = _header(wish, sender, now, nonce, allowed, types.get(wish.schema).digest)
    header_bytes = encode(header)
    try:
        decode(Header, header_bytes, LIMITS.header_bytes, "header")
    except InvalidInput as error:
        raise InvalidInput("header_invalid", error.message, field="header") from None
    validate_content(header, content, types)
    check_lengths(tuple(one.blob for one in wish.attachments))
    return Draft(
        header=header,
        header_bytes=header_bytes,
        header_id=record_identity(Header, header_bytes),
        content=data,
        attachments=wish.attachments,
    )


def _header(
    wish: Wish, sender: str, now: int, nonce: bytes, allowed: Allowed, digest: bytes
) -> Header:
    if len(set(wish.to)) != len(wish.to):
        raise InvalidInput("header_invalid", "a recipient stands twice", field="header.recipients")
    return Header(
        suite=SUITE,
        nonce=nonce,
        sender=sender,
        recipients=tuple(sorted(wish.to)),
        schema=wish.schema,
        schema_digest=digest,
        marking=wish.marking or Marking(wish.tlp, allowed.codes),
        urgency=wish.urgency,
        exercise=wish.exercise,
        created=now,
        expires=now + DEFAULT_EXPIRY_MS if wish.expires is None else wish.expires,
        answer_by=wish.answer_by,
        retain_until=_kept_until(wish, now // DAY_MS, allowed),
    )


def _kept_until(wish: Wish, today: int, allowed: Allowed) -> int:
    """What is said, else the table's day for its type, or its review if that is later, within the
    agreements.

    Nobody can decide anything about a bulletin whose key was destroyed before its review.
    """
    if wish.retain_until is not None:
        return wish.retain_until
    last = default_last_day(wish.schema, wish.about, wish.body, today, allowed.keep)
    return min(last, today + allowed.retain_days)


def check_lengths(blobs: Blobs) -> None:
    """Refuse attachments that are empty, too long, or too long together.

    Raises:
        InvalidInput: `attachment_empty`, `attachments_too_large`.
    """
    for place, blob in enumerate(blobs):
        field = f"attachments.{place}"
        if not blob.length:
            raise InvalidInput(
                "attachment_empty",
                f"attachment {place + 1} has no bytes",
                field=field,
                hint="look at the file; attach it again when it has its content",
            )
        if blob.length > LIMITS.attachment_bytes:
            raise _too_large(f"attachment {place + 1} has {blob.length} bytes", field)
    total = sum(blob.length for blob in blobs)
    if total > LIMITS.attachments_bytes:
        raise _too_large(f"the attachments have {total} bytes together", "attachments")


def _too_large(what: str, field: str) -> InvalidInput:
    return InvalidInput(
        "attachments_too_large",
        what,
        field=field,
        hint=f"at most {LIMITS.attachment_bytes} bytes are taken for one, and "
        f"{LIMITS.attachments_bytes} for all of a bulletin; send several bulletins",
    )


class _Attached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An attachment that was uploaded before, by its SHA-256."""

    digest: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    name: str
    media_type: str
    role: str = "other"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bulletin as people and case systems write it down, in JSON.

    Times that no header can hold end here: later they would end a whole batch of bulletins.
    """

    schema: str
    about: dict[str, Any]
    body: dict[str, Any]
    to: tuple[str, ...] = ()
    marking: Marking | None = None
    urgency: Urgency = "routine"
    exercise: bool = False
    expires: Millis | None = None
    answer_by: Millis | None = None
    retain_until: Day | None = None
    attachments: Annotated[tuple[_Attached, ...], Meta(max_length=LIMITS.attachments)] = ()


class _Marking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tlp: Tlp
    codes: tuple[str, ...] | None = None


def parse_wish(data: bytes, to: tuple[str, ...] = (), follow: Follow | None = None) -> Wish:
    """Read a bulletin from JSON: {schema, about, body, to?, marking?, attachments?, ...}.

    Args:
        data: at most `LIMITS.api_body_bytes`; `marking` is {"tlp": "amber", "codes": ["H1"]}, or
            without codes for those of the agreement.
        to: recipients given beside the file; then the file names none.
        follow: who else it goes to, when neither names anybody: by what it corrects or answers.

    Raises:
        InvalidInput: `too_large`, `malformed`, `recipients_missing`.
    """
    if len(data) > LIMITS.api_body_bytes:
        raise InvalidInput(
            "too_large",
            f"the bulletin has {len(data)} bytes of JSON, at most {LIMITS.api_body_bytes} count",
        )
    try:
        value: dict[str, Any] = parse_json(dict, data)
        marking = value.pop("marking", None)
        found = convert(value, _File)
        mark = _marking(marking)
    except ValueError as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise InvalidInput(
            "malformed",
            f"the bulletin does not parse: {error}",
            hint='write JSON: {"schema": ..., "about": {...}, "body": {...}}',
        ) from None
    recipients = to or found.to
    if not recipients and follow is not None:
        recipients = follow(found.about)
    if not recipients:
        raise InvalidInput(
            "recipients_missing", "the bulletin names no recipient", field="to", hint="--to kh.gpo"
        )
    fields = {name: getattr(found, name) for name in _File.__struct_fields__}
    attachments = tuple(
        Attached(
            name=one.name,
            media_type=one.media_type,
            role=one.role,
            blob=Blob(0, bytes.fromhex(one.digest)),
        )
        for one in found.attachments
    )
    return Wish(**(fields | mark | {"to": recipients, "attachments": attachments}))


def _marking(value: object) -> dict[str, Any]:
    """`marking` of a wish; `tlp` where no code is named: the agreement has some by default."""
    if value is None:
        return {}
    found = convert(value, _Marking)
    if found.codes is None:
        return {"tlp": found.tlp}
    return {"marking": convert([found.tlp, list(found.codes)], Marking)}
