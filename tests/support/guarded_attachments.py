"""Sealed attachments, and who must refuse any change of them."""

from __future__ import annotations

from saphan_protocol.attachment import AttachmentOpener
from saphan_protocol.identity import sha256
from saphan_schemas.records import Blob

from support.agency import Agency, seal_attachment
from support.attaching import pdf
from support.mauling import Guarded, codes, named

SENDER = Agency("la.attacher", 1_752_624_000_000)
KEY, HEADER_ID = SENDER.random(), SENDER.random()
PLAIN = pdf(2_000)
SIGNED = Blob(len(PLAIN), sha256(PLAIN))
SEALED = seal_attachment(KEY, HEADER_ID, 0, PLAIN)


def opened(
    sealed: bytes = SEALED, key: bytes = KEY, header_id: bytes = HEADER_ID, signed: Blob = SIGNED
) -> bytes:
    """The attachment, as a recipient opens it."""
    opener = AttachmentOpener(key, header_id, 0, signed)
    data = b"".join(opener.update(sealed[at : at + 700]) for at in range(0, len(sealed), 700))
    return data + opener.finish()


ATTACHMENTS = named(
    Guarded(
        "sealed attachment, at the recipient",
        SEALED,
        lambda data: opened(sealed=data),
        codes("attachment_invalid"),
        stride=5,
        values=1,
    ),
    Guarded(
        "header of an attachment, at the recipient",
        HEADER_ID,
        lambda data: opened(header_id=data),
        codes("attachment_invalid"),
    ),
    Guarded(
        "content key of an attachment",
        KEY,
        lambda data: opened(key=data),
        codes("attachment_invalid"),
        cut=False,
    ),
    Guarded(
        "digest of an attachment, as the author signed it",
        SIGNED.digest,
        lambda data: opened(signed=Blob(SIGNED.length, data)),
        codes("attachment_mismatch"),
    ),
)
