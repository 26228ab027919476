"""Vectors of the pre-authentication encoding and of the bulletin id."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from saphan_protocol.identity import identity, record_identity
from saphan_schemas.codec import encode
from saphan_schemas.records import Blob, Bulletin, Header, Marking
from vector_kit import Cases, Frozen, Vector, case_file


def dsse(_frozen: Frozen) -> Cases:
    def case(expect: str, why: str, kind: str, body: bytes, encoded: bytes) -> Vector:
        code = None if expect == "valid" else "differs"
        digest = sha256(encoded).digest()
        return case_file(
            expect, code, why, "4.1", type=kind, body=body, pae=encoded, identity=digest
        )

    uri, hello = "http://example.com/HelloWorld", b"hello world"
    spelled = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    yield "valid_dsse_example", case("valid", "the example of DSSE v1.0.2", uri, hello, spelled)
    yield (
        "valid_empty_body",
        case(
            "valid",
            "a length of zero is 0",
            "saphan/header/1",
            b"",
            b"DSSEv1 15 saphan/header/1 0 ",
        ),
    )
    yield (
        "valid_bytes_not_characters",
        case("valid", "lengths count bytes", "ລ", b"\xff\x00", b"DSSEv1 3 \xe0\xba\xa5 2 \xff\x00"),
    )
    yield (
        "characters_counted",
        case("pae", "the type's characters are counted", "ລ", b"", b"DSSEv1 1 \xe0\xba\xa5 0 "),
    )
    yield (
        "leading_zero",
        case("pae", "a length has a leading zero", "a", b"b", b"DSSEv1 01 a 1 b"),
    )
    yield "bare", case("pae", "type and body run together", "a", b"b", b"ab")
    yield "no_version", case("pae", "the version is missing", "a", b"b", b"1 a 1 b")


def _header() -> Header:
    return Header(
        suite=1,
        nonce=bytes(range(16)),
        sender="la.ospp",
        recipients=("kh.gpo",),
        schema="saphan/case_notice/1",
        schema_digest=sha256(b"schema").digest(),
        marking=Marking("amber", ("H1",)),
        urgency="routine",
        exercise=False,
        created=1_790_000_000_000,
        expires=1_790_600_000_000,
        answer_by=None,
        retain_until=24_000,
    )


def bulletin_id(_frozen: Frozen) -> Cases:
    header = encode(_header())
    blobs = tuple(Blob(n, sha256(b"blob %d" % n).digest()) for n in (4168, 5000, 6000))

    def case(expect: str, code: str | None, why: str, **other: Any) -> Vector:
        record = Bulletin(record_identity(Header, header), blobs[0], blobs[1:])
        bulletin = other.get("bulletin", encode(record))
        return case_file(
            expect,
            code,
            why,
            "4.2",
            header=other.get("header", header),
            header_identity=other.get("header_identity", record_identity(Header, header)),
            bulletin=bulletin,
            bulletin_id=other.get("bulletin_id", record_identity(Bulletin, bulletin)),
        )

    def differs(why: str, **other: Any) -> Vector:
        return case("identity", "differs", why, **other)

    yield "valid", case("valid", None, "a header, a ciphertext and two sealed attachments")
    alone = encode(Bulletin(record_identity(Header, header), blobs[0], ()))
    yield "valid_no_attachments", case("valid", None, "no attachment", bulletin=alone)
    yield (
        "trailing_byte",
        case("encoding", "malformed", "a byte follows the header", header=header + b"\x00"),
    )
    yield (
        "suite_not_minimal",
        case(
            "encoding",
            "not_canonical",
            "suite 1 is written as uint 8",
            header=header[:1] + b"\xcc\x01" + header[2:],
        ),
    )
    yield "no_pae", differs("the header is hashed bare", header_identity=sha256(header).digest())
    yield (
        "other_type",
        differs("hashed as an inner record", header_identity=identity("saphan/inner/1", header)),
    )
    swapped = encode(Bulletin(record_identity(Header, header), blobs[0], blobs[:0:-1]))
    swapped_id = record_identity(Bulletin, swapped)
    yield "attachments_swapped", differs("attachments in another order", bulletin_id=swapped_id)
    yield (
        "of_the_header",
        differs("only the header is named", bulletin_id=record_identity(Header, header)),
    )
