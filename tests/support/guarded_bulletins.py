"""What belongs to a bulletin, each with the layer that must notice a changed byte."""

from __future__ import annotations

from typing import Any

from saphan_protocol.admission import Facts, admit
from saphan_protocol.admission import measure as blob_of
from saphan_protocol.batch import VerifiedRoots, index_batches, sign_one
from saphan_protocol.content import content_cipher_key, padded_length, seal_content
from saphan_protocol.identity import CONTENT_TYPE, identity
from saphan_protocol.opening import INNER_TYPE, open_bulletin
from saphan_protocol.stanza import open_stanza
from saphan_protocol.suite import Cobblestone256Encryptor
from saphan_schemas.codec import decode, encode, encode_content
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    BatchSignature,
    Blobs,
    HeadRef,
    Inner,
    Marking,
    Sealed,
    Signature,
    SignatureItem,
)
from saphan_schemas.samples import sample

from support.agency import Agency
from support.ceremony import NOW, build_directory
from support.mauling import Guarded, codes, named

LA, KH = Agency("la.ospp", NOW), Agency("kh.gpo", NOW)
DIRECTORY, LEAVES, PACKAGE = build_directory([LA, KH])
FACTS = Facts(DIRECTORY, NOW, verified=VerifiedRoots())
SEEN = HeadRef("bridge.test/evidence/1", 70_000, LA.random())
MADE = LA.bulletin(["kh.gpo", "th.oncb"], NOW, marking=Marking("amber", ("H0", "H1")))
ATTACHED = LA.bulletin(["kh.gpo"], NOW, attachments=[b"warrant", b"photo" * 1000])
# The middle of three: its item has a path, an index and a size that could be other ones.
(_, SENT, _), BATCH = LA.submissions(
    [LA.bulletin(["kh.gpo"], NOW), MADE, LA.bulletin(["kh.gpo"], NOW)], [KH], SEEN
)
BATCHES = index_batches([BATCH])
(WITH_FILES,), FILES_BATCH = LA.submissions([ATTACHED], [KH], SEEN)
CIPHERTEXT = blob_of(SENT.ciphertext)


def submitted(**changes: Any) -> object:
    """`admit` as the broker calls it, with parts of the submission replaced."""
    parts: dict[str, Any] = {
        "header_bytes": SENT.header,
        "consignment_bytes": SENT.consignment,
        "item": SENT.item,
        "batches": BATCHES,
        "ciphertext": CIPHERTEXT,
        "stanzas": SENT.stanzas,
    }
    return admit(**(parts | changes), facts=FACTS, peer="la.ospp")


def attached(blobs: Any) -> object:
    """The same for a bulletin with two attachments, whose lengths and digests are replaced."""
    return submitted(
        header_bytes=WITH_FILES.header,
        consignment_bytes=WITH_FILES.consignment,
        item=WITH_FILES.item,
        batches=index_batches([FILES_BATCH]),
        ciphertext=blob_of(WITH_FILES.ciphertext),
        stanzas=WITH_FILES.stanzas,
        attachments=blobs,
    )


def _record(kind: type[Any], data: bytes) -> Any:
    """A record that travels inside a frame, parsed as the frame's decoder does."""
    return decode(kind, data, LIMITS.frame_bytes, "part")


# --- header, consignment, signature, stanza, ciphertext: at the broker --------------------------

AT_THE_BROKER = named(
    Guarded(
        "header",
        SENT.header,
        lambda data: submitted(header_bytes=data),
        # The signature covers the bulletin id, and that the header: nothing changed comes further.
        codes(
            "malformed not_canonical suite_unknown recipients_malformed marking_malformed"
            " times_malformed sender_not_peer bulletin_id"
        ),
        values=255,
    ),
    Guarded(
        "consignment",
        SENT.consignment,
        lambda data: submitted(consignment_bytes=data),
        codes("malformed not_canonical recipients_malformed key_unknown signature_missing"),
        values=255,
    ),
    Guarded(
        "signature item",
        encode(SENT.item),
        lambda data: submitted(item=_record(SignatureItem, data)),
        codes("malformed key_foreign batch_path signature_missing"),
        values=255,
    ),
    Guarded(
        "batch signature",
        encode(BATCH),
        lambda data: submitted(batches=index_batches([_record(BatchSignature, data)])),
        codes("malformed signature_missing signature_invalid"),
        values=1,
    ),
    Guarded(
        "stanza, at the broker",
        SENT.stanzas[0],
        lambda data: submitted(stanzas=(data,)),
        codes("stanza_digest"),
        values=1,
    ),
    Guarded(
        "ciphertext, at the broker",
        SENT.ciphertext,
        lambda data: submitted(ciphertext=data),
        codes("bulletin_id"),
        stride=5,
        values=1,
    ),
    Guarded(
        "attachments' lengths and digests, at the broker",
        encode(ATTACHED.blobs),
        lambda data: attached(_record(Blobs, data)),
        codes("malformed not_canonical bulletin_id"),
    ),
)

# --- what only the recipient can judge ----------------------------------------------------------


def opened(header_id: bytes = MADE.header_id, ciphertext: bytes = MADE.ciphertext) -> object:
    return open_bulletin(MADE.content_key, MADE.header, header_id, ciphertext, DIRECTORY, None)


CONTENT = encode_content(sample("training_notice"))


def _inner_of(content: bytes) -> bytes:
    digest = identity(CONTENT_TYPE, content)
    return encode(Inner("officer", LA.officer.key_id, MADE.header_id, digest, ()))


INNER = _inner_of(CONTENT)
AUTHOR = sign_one(LA.officer, INNER_TYPE, INNER, LA.random())
SEALED = encode(Sealed(INNER, (AUTHOR,), CONTENT))


def _resealed(
    inner: bytes = INNER, signatures: tuple[Signature, ...] = (AUTHOR,), content: bytes = CONTENT
) -> object:
    """What a hostile holder of the content key could seal instead."""
    sealed = encode(Sealed(inner, signatures, content))
    return opened(ciphertext=seal_content(MADE.content_key, MADE.header_id, sealed))


def _resealed_by_hand(sealed: bytes) -> object:
    """The same for bytes that our own sealing would not take: no record, no right padding."""
    padded = sealed.ljust(padded_length(len(sealed)), b"\x00")
    encryptor = Cobblestone256Encryptor(
        content_cipher_key(MADE.content_key, MADE.header_id), MADE.header_id
    )
    return opened(ciphertext=encryptor.update(padded) + encryptor.finalize())


AT_THE_RECIPIENT = named(
    Guarded(
        "stanza, at the recipient",
        SENT.stanzas[0],
        lambda data: open_stanza(data, KH.mailbox, MADE.bulletin_id, "kh.gpo"),
        codes("stanza_unopenable"),
        values=1,
    ),
    Guarded(
        "ciphertext, at the recipient",
        MADE.ciphertext,
        lambda data: opened(ciphertext=data),
        codes("ciphertext_invalid"),
        stride=5,
        values=1,
    ),
    Guarded(
        "header, when its ciphertext is opened",
        MADE.header_bytes,
        lambda data: opened(header_id=identity("saphan/header/1", data)),
        codes("ciphertext_invalid"),
        values=1,
    ),
    Guarded(
        "inner",
        INNER,
        lambda data: _resealed(inner=data),
        codes("content_malformed inner_mismatch author_unknown"),
    ),
    Guarded(
        "inner's signature",
        encode(AUTHOR),
        lambda data: _resealed(signatures=(_record(Signature, data),)),
        codes("malformed author_unknown signature_invalid"),
        values=1,
    ),
    Guarded(
        "content",
        CONTENT,
        lambda data: _resealed(content=data),
        codes("content_malformed inner_mismatch"),
        values=1,
    ),
    Guarded(
        "content, with an inner made to fit",
        CONTENT,
        lambda data: _resealed(inner=_inner_of(data), content=data),
        codes("content_malformed signature_invalid"),
        values=1,
    ),
    Guarded(
        "sealed record",
        SEALED,
        _resealed_by_hand,
        codes("padding_invalid content_malformed inner_mismatch author_unknown signature_invalid"),
        values=1,
        cut=False,  # more zeros are the padding that it gets anyway
    ),
)
