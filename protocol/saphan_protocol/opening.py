"""Opening a bulletin: from the content key to checked content and a proven author (design 3, 4.4).

The inner signature covers the header's identity, so nobody who may open a bulletin can forward it
as if it had been addressed to somebody else. The author's key is judged at the first admission of
the bulletin that can be shown; the broker cannot see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.codec import decode, decode_content
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blobs, Header, Inner, Role, Sealed, Signature

from saphan_protocol.batch import VerifiedRoots, verify_one
from saphan_protocol.content import ciphertext_length, open_content
from saphan_protocol.directory import Directory, KeyInfo
from saphan_protocol.identity import CONTENT_TYPE, identity

INNER_TYPE: Final = "saphan/inner/1"


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened bulletin; `content` is the parsed view of `content_bytes`."""

    inner: Inner
    inner_bytes: bytes
    signatures: tuple[Signature, ...]
    content_bytes: bytes
    content: dict[str, Any]
    authors: tuple[KeyInfo, ...]


def open_bulletin(
    content_key: bytes,
    header: Header,
    header_id: bytes,
    ciphertext: bytes,
    directory: Directory,
    at: int | None,
    verified: VerifiedRoots | None = None,
    *,
    attachments: Blobs = (),
) -> Opened:
    """Decrypt, parse and judge the author; the schema is validated by the caller.

    Args:
        verified: signatures known to hold; a node signs the inners of a batch together.
        attachments: length and digest of each sealed attachment, as the bulletin id covers them.

    Raises:
        InvalidInput: `ciphertext_invalid` (unopened), `padding_invalid`, `content_malformed`,
            `inner_mismatch`, `signature_invalid` (rejected).
        Refused: `author_unknown`, `author_revoked`.
    """
    sealed_bytes = open_content(content_key, header_id, ciphertext)
    try:
        sealed = decode(Sealed, sealed_bytes, LIMITS.ciphertext_bytes, "sealed")
        inner = decode(Inner, sealed.inner, 4096, "inner")
        content = decode_content(sealed.content, LIMITS.content_bytes)
    except InvalidInput as error:
        raise InvalidInput("content_malformed", error.message, field=error.field) from None
    _check_binding(inner, header_id, sealed.content)
    _check_attachments(inner, attachments, content)
    authors = check_authors(
        inner, sealed.inner, sealed.signatures, header.sender, directory, at, verified
    )
    return Opened(inner, sealed.inner, sealed.signatures, sealed.content, content, authors)


def _check_binding(inner: Inner, header_id: bytes, content: bytes) -> None:
    if inner.header != header_id:
        raise InvalidInput(
            "inner_mismatch", "the author signed for another header", field="inner.header"
        )
    if inner.content != identity(CONTENT_TYPE, content):
        raise InvalidInput(
            "inner_mismatch", "the author signed another content", field="inner.content"
        )


def _check_attachments(inner: Inner, sealed: Blobs, content: dict[str, Any]) -> None:
    """What is signed, what is sealed and what the content describes are as many and as long.

    The bytes themselves are compared with the signed digests when each attachment is opened.
    """
    described = content.get("attachments")
    counts = {len(inner.attachments), len(sealed)}
    if isinstance(described, list):  # what has another form is the schema's to refuse
        counts.add(len(described))
    if len(counts) != 1:
        raise InvalidInput(
            "inner_mismatch",
            "the attachments that are signed, sealed and described are not as many",
            field="inner.attachments",
        )
    for plain, blob in zip(inner.attachments, sealed, strict=True):
        if ciphertext_length(plain.length) != blob.length:
            raise InvalidInput(
                "inner_mismatch",
                f"{plain.length} bytes are signed, and none so long is sealed",
                field="inner.attachments",
            )


def check_authors(
    inner: Inner,
    body: bytes,
    signatures: tuple[Signature, ...],
    sender: str,
    directory: Directory,
    at: int | None,
    verified: VerifiedRoots | None = None,
) -> tuple[KeyInfo, ...]:
    """Every signature on the inner is by an active officer or node of the sender; the first is the
    author named inside. An author without a handle is the node itself (a machine-made bulletin).

    Raises:
        Refused: `author_unknown`, `author_revoked`; InvalidInput: `signature_invalid`.
    """
    role = Role.NODE if inner.author is None else Role.OFFICER
    if signatures[0].item.key != inner.author_key:
        raise Refused("author_unknown", "the first signature is not the named author's")
    authors = []
    for number, signature in enumerate(signatures):
        key = _author(directory, signature.item.key, Role.OFFICER if number else role, at)
        if key.agency != sender or (number == 0 and key.handle != inner.author):
            raise Refused(
                "author_unknown", f"the author is no {role.value} of {sender}", field="inner.author"
            )
        try:
            verify_one(signature, directory.verifying(key.key_id), INNER_TYPE, body, verified)
        except InvalidInput as error:
            raise InvalidInput("signature_invalid", error.message, field="inner") from None
        authors.append(key)
    # By handle, not by key: an officer between two keys has both, and is one pair of eyes.
    if len({key.handle for key in authors}) != len(authors):
        raise Refused("author_unknown", "one officer cannot sign twice")
    return tuple(authors)


def _author(directory: Directory, key_id: bytes, role: Role, at: int | None) -> KeyInfo:
    try:
        return directory.key(key_id, role, at)
    except Refused as error:
        code = "author_revoked" if error.code == "key_revoked" else "author_unknown"
        raise Refused(code, error.message, field="inner.author_key") from None
