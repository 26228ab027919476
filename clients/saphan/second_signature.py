"""What a second officer signs: the exact bytes that they were shown, and nothing that a node says
of them.

The node gives header, inner and content of a bulletin that waits; what is displayed is made of
these bytes here, after their digests were compared, so the signature is on what was on the screen
(F6 of schemas/spec/officers.md).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

from saphan_protocol.batch import sign_one
from saphan_protocol.identity import CONTENT_TYPE, identity, record_identity
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, decode_content, encode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.officer_records import REFUSAL_TYPE, OfficerRefusal
from saphan_schemas.records import (
    PAE_TYPES,
    Header,
    Inner,
    OfficerRead,
    Signature,
)
from saphan_schemas.validation import validate_content

from saphan.base64_text import bytes_of
from saphan.own_types.told import TypesFor, only_ours

Json = dict[str, Any]
INNER_TYPE: Final = PAE_TYPES[Inner]
READ_TYPE: Final = PAE_TYPES[OfficerRead]
REASON_CHARS: Final = 400
_NAMES: Final = ("header", "inner", "content")


@dataclass(frozen=True, slots=True)
class Exact:
    """A bulletin that waits: its parsed records, and the bytes that are signed."""

    draft: bytes
    header: Header
    header_bytes: bytes
    inner: Inner
    inner_bytes: bytes
    content: Json

    @property
    def attachments(self) -> list[Json]:
        """As the content describes them and the author has signed them."""
        described = self.content["attachments"]
        return [
            {"number": number, **each, "length": blob.length, "sha256": blob.digest.hex()}
            for number, (each, blob) in enumerate(
                zip(described, self.inner.attachments, strict=True), 1
            )
        ]


@dataclass(frozen=True, slots=True)
class Signer:
    """An officer with their key, at a time (ms UTC)."""

    agency: str
    handle: str
    key: SigningKey
    now: int

    def reading(self, draft: bytes) -> tuple[bytes, Signature]:
        """The signed record that they read it."""
        said = OfficerRead(draft, self.agency, self.handle, self.key.key_id, self.now)
        record = encode(said)
        return record, sign_one(self.key, READ_TYPE, record, os.urandom(32))

    def refusal(self, draft: bytes, reason: str | None) -> tuple[bytes, Signature]:
        """The signed record that they do not sign it, or take their own back.

        Raises:
            InvalidInput: `reason_length`.
        """
        if reason is not None and not 1 <= len(reason) <= REASON_CHARS:
            raise InvalidInput(
                "reason_length",
                f"a reason has 1 to {REASON_CHARS} characters",
                field="reason",
                hint="say it shortly, and the rest to the author",
            )
        key = self.key.key_id
        record = encode(OfficerRefusal(draft, self.agency, self.handle, key, self.now, reason))
        return record, sign_one(self.key, REFUSAL_TYPE, record, os.urandom(32))

    def second(self, exact: Exact) -> Signature:
        """Their signature over the same inner record as the author's."""
        return sign_one(self.key, INNER_TYPE, exact.inner_bytes, os.urandom(32))


def schema_of(answer: Json) -> str:
    """The type that a node's answer is said to be in; empty where it says none (`exact_of` refuses
    it then)."""
    try:
        header = bytes_of(answer["exact"]["header"])
        return decode(Header, header, LIMITS.header_bytes, "header").schema
    except (KeyError, TypeError, ValueError, InvalidInput):
        return ""


def exact_of(answer: Json, draft: bytes, types_for: TypesFor = only_ours) -> Exact:
    """The bytes of a node's answer, once everything in them names everything else.

    Args:
        types_for: gives the types that this program knows, with an agency's own of this name.

    Raises:
        OperatorError: `node_answer`: it is another bulletin than was asked for, or none.
    """
    try:
        given = {name: bytes_of(answer["exact"][name]) for name in _NAMES}
        header = decode(Header, given["header"], LIMITS.header_bytes, "header")
        inner = decode(Inner, given["inner"], LIMITS.statement_bytes, "inner")
        content = decode_content(given["content"], LIMITS.content_bytes)
        exact = Exact(draft, header, given["header"], inner, given["inner"], content)
        header_id = record_identity(Header, given["header"])
        content_id = identity(CONTENT_TYPE, given["content"])
        if (inner.header, inner.content, header_id) != (header_id, content_id, draft):
            raise ValueError("its parts do not belong together")
        # What is no bulletin cannot be shown, and a name of a file could lead anywhere.
        validate_content(header, content, types_for(header.schema))
        exact.attachments  # noqa: B018 (ValueError: as many are described as are signed)
    except (KeyError, TypeError, ValueError, InvalidInput) as error:
        raise OperatorError(
            "node_answer",
            f"what the node shows is not the bulletin that was asked for: {error}",
            field="node",
            hint="sign nothing; tell the node's keeper",
        ) from None
    return exact
