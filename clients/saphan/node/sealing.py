"""Sealing a composed bulletin, and consigning it: pure steps over given keys and random bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from saphan_protocol.admission import BULLETIN_TYPE
from saphan_protocol.content import seal_content
from saphan_protocol.directory import KeyInfo
from saphan_protocol.identity import identity, sha256
from saphan_protocol.stanza import seal_stanza
from saphan_schemas.codec import encode
from saphan_schemas.records import (
    Blob,
    Blobs,
    Bulletin,
    Consignment,
    HeadRef,
    Sealed,
    Signature,
    StanzaRef,
)

from saphan.compose import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBulletin:
    """A bulletin as it travels, with the key that opens it."""

    draft: Draft
    id: bytes
    ciphertext: bytes
    digest: bytes
    attachments: Blobs
    content_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consigned:
    """Carriage of one bulletin: the record to be signed and one stanza per recipient, in order."""

    bulletin: bytes
    body: bytes
    recipients: tuple[str, ...]
    stanzas: tuple[bytes, ...] = field(repr=False)


def seal(
    draft: Draft,
    inner: bytes,
    signatures: tuple[Signature, ...],
    content_key: bytes,
    attachments: Blobs = (),
) -> SealedBulletin:
    """Ciphertext and bulletin id of a signed bulletin (design section 3).

    Args:
        content_key: 32 fresh random bytes, used for this bulletin alone.
        attachments: length and SHA-256 of each one, sealed under the same content key.

    Raises:
        InvalidInput: `too_large`.
    """
    plain = encode(Sealed(inner, signatures, draft.content))
    ciphertext = seal_content(content_key, draft.header_id, plain)
    digest = sha256(ciphertext)
    record = Bulletin(draft.header_id, Blob(len(ciphertext), digest), attachments)
    return SealedBulletin(
        draft=draft,
        id=identity(BULLETIN_TYPE, encode(record)),
        ciphertext=ciphertext,
        digest=digest,
        attachments=attachments,
        content_key=content_key,
    )


def consign(
    bulletin_id: bytes,
    content_key: bytes,
    mailboxes: Sequence[KeyInfo],
    node_key: bytes,
    seen: HeadRef | None,
) -> Consigned:
    """One stanza for each mailbox (sorted by agency) and the record that names them.

    Raises:
        InvalidInput: `key_malformed`, `key_weak`.
    """
    stanzas = tuple(
        seal_stanza(content_key, bulletin_id, box.agency, box.key_id, box.public)
        for box in mailboxes
    )
    refs = tuple(
        StanzaRef(box.agency, box.key_id, sha256(stanza))
        for box, stanza in zip(mailboxes, stanzas, strict=True)
    )
    body = encode(Consignment(bulletin_id, node_key, seen, refs))
    return Consigned(
        bulletin=bulletin_id,
        body=body,
        recipients=tuple(box.agency for box in mailboxes),
        stanzas=stanzas,
    )
