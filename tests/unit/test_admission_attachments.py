"""Admission and opening of bulletins with attachments: the id covers each, sizes are checked."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from saphan_protocol.admission import BULLETIN_TYPE, Admitted, Facts, RefusedAfterSignature, admit
from saphan_protocol.batch import sign_one
from saphan_protocol.content import (
    ATTACHMENT_SEALED_BYTES,
    ATTACHMENTS_SEALED_BYTES,
    ciphertext_length,
    seal_content,
)
from saphan_protocol.identity import CONTENT_TYPE, identity, sha256
from saphan_protocol.opening import INNER_TYPE, Opened, open_bulletin
from saphan_schemas.codec import decode, encode, encode_content
from saphan_schemas.frames import Submission
from saphan_schemas.limits import KIB, LIMITS, MIB
from saphan_schemas.records import BatchSignature, Blob, Blobs, Bulletin, Inner, Sealed
from saphan_schemas.samples import sample
from support.agency import Agency, Made
from support.ceremony import NOW, build_directory
from support.refusals import code_of

LA, KH = Agency("la.ospp", NOW), Agency("kh.gpo", NOW)
DIRECTORY, _LEAVES, _PACKAGE = build_directory([LA, KH])
PHOTO, REPORT = b"photo" * 1000, b"report" * 10


def submit(made: Made) -> tuple[Submission, BatchSignature]:
    (submission,), batch = LA.submissions([made], [KH])
    return submission, batch


def judge(submission: Submission, batch: BatchSignature) -> Admitted:
    s, facts = submission, Facts(DIRECTORY, NOW)
    return admit(
        s.header,
        s.consignment,
        s.item,
        batch,
        s.ciphertext,
        facts,
        peer="la.ospp",
        stanzas=s.stanzas,
        attachments=s.attachments,
    )


def declaring(blobs: Blobs) -> tuple[Submission, BatchSignature]:
    """A submission whose id covers `blobs`, whatever they are."""
    made = LA.bulletin(["kh.gpo"], NOW)
    record = Bulletin(made.header_id, Blob(len(made.ciphertext), made.ciphertext_digest), blobs)
    made.bulletin_id = identity(BULLETIN_TYPE, encode(record))
    submission, batch = submit(made)
    return msgspec.structs.replace(submission, attachments=blobs), batch


def test_the_bulletin_id_covers_every_attachment_and_their_order() -> None:
    made = LA.bulletin(["kh.gpo"], NOW, attachments=[PHOTO, REPORT])
    submission, batch = submit(made)
    admitted = judge(submission, batch)
    assert admitted.attachments == made.blobs
    assert admitted.bulletin_id == made.bulletin_id
    first, second = made.blobs
    longer = Blob(first.length + 1, first.digest)
    other = Blob(first.length, sha256(b"other"))
    for blobs in ((), (first,), (second, first), (longer, second), (other, second), made.blobs * 2):
        forged = msgspec.structs.replace(submission, attachments=blobs)
        with pytest.raises(RefusedAfterSignature) as caught:
            judge(forged, batch)
        assert caught.value.code == "bulletin_id"


@pytest.mark.parametrize(
    "length",
    (
        0,
        1,
        ciphertext_length(0) - 1,
        ciphertext_length(0) + 1,
        ATTACHMENT_SEALED_BYTES + 1,
        ciphertext_length(LIMITS.attachment_bytes + 1),
        2**53,
    ),
)
def test_a_length_that_sealing_never_gives_is_refused(length: int) -> None:
    submission, batch = declaring((Blob(length, b"\x01" * 32),))
    assert code_of(lambda: judge(submission, batch)) == "attachment_length"


def test_so_many_and_so_long_together_and_no_more() -> None:
    assert 36 * MIB + LIMITS.attachments * 4168 == ATTACHMENTS_SEALED_BYTES  # as the spec says
    longest = ATTACHMENT_SEALED_BYTES
    for fits in ((longest, longest), (ciphertext_length(MIB),) * LIMITS.attachments):
        blobs = tuple(Blob(length, bytes([at]) * 32) for at, length in enumerate(fits))
        assert judge(*declaring(blobs)).attachments == blobs
    for much in ((longest,) * 3, (ciphertext_length(0),) * (LIMITS.attachments + 1)):
        blobs = tuple(Blob(length, bytes([at]) * 32) for at, length in enumerate(much))
        submission, batch = declaring(blobs)
        assert code_of(lambda: judge(submission, batch)) == "attachments_too_large"  # noqa: B023


def test_ten_thousand_attachments_are_refused_before_anything_is_looked_at() -> None:
    submission, _batch = declaring((Blob(ciphertext_length(0), b"\x01" * 32),))
    many = msgspec.structs.replace(submission, attachments=submission.attachments * 10_000)
    assert code_of(lambda: decode(Submission, encode(many), 4 * MIB, "submission")) == "malformed"


# --- opening -------------------------------------------------------------------------------------


def open_made(made: Made, blobs: Blobs | None = None) -> Opened:
    return open_bulletin(
        made.content_key,
        made.header,
        made.header_id,
        made.ciphertext,
        DIRECTORY,
        None,
        attachments=made.blobs if blobs is None else blobs,
    )


def sealed_anew(plain: Blobs, described: Sequence[object], sealed: Sequence[bytes]) -> Made:
    """An officer of la.ospp signs `plain` and describes `described`; `sealed` travels."""
    made = LA.bulletin(["kh.gpo"], NOW)
    body = encode_content(sample("training_notice") | {"attachments": list(described)})
    digest = identity(CONTENT_TYPE, body)
    inner = encode(Inner("officer", LA.officer.key_id, made.header_id, digest, plain))
    signature = sign_one(LA.officer, INNER_TYPE, inner, LA.random())
    record = encode(Sealed(inner, (signature,), body))
    made.ciphertext = seal_content(made.content_key, made.header_id, record)
    made.attachments = tuple(sealed)
    return made


def test_a_bulletin_with_attachments_opens() -> None:
    opened = open_made(LA.bulletin(["kh.gpo"], NOW, attachments=[PHOTO, REPORT]))
    assert [blob.length for blob in opened.inner.attachments] == [len(PHOTO), len(REPORT)]


def test_what_is_signed_sealed_and_described_is_as_many_and_as_long() -> None:
    blob = Blob(100, sha256(b"x"))
    told = {"name": "x.pdf", "media_type": "application/pdf"}
    seal = b"s" * ciphertext_length(100)
    assert open_made(sealed_anew((blob,), [told], [seal])).inner.attachments == (blob,)
    for made in (
        sealed_anew((blob,), [], [seal]),
        sealed_anew((), [told], [seal]),
        sealed_anew((blob,), [told], []),
        sealed_anew((blob, blob), [told, told], [seal]),
        sealed_anew((blob,), [told], [b"s" * ciphertext_length(8 * KIB)]),
        sealed_anew((Blob(8 * KIB, blob.digest),), [told], [seal]),
    ):
        assert code_of(lambda: open_made(made)) == "inner_mismatch"  # noqa: B023
