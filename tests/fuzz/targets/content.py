"""What stands under a seal, and the seals themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Final

from saphan.showing.document import document
from saphan.web.seeking.question import Filters, question
from saphan_protocol.content import (
    content_cipher_key,
    open_content,
    padded_length,
)
from saphan_protocol.detail import open_detail, seal_detail
from saphan_protocol.directory import Directory
from saphan_protocol.extent import record_extent
from saphan_protocol.mailbox import load_public
from saphan_protocol.opening import open_bulletin
from saphan_protocol.stanza import open_stanza, seal_stanza
from saphan_protocol.suite import Cobblestone256Encryptor
from saphan_protocol.tls import (
    CERTIFICATE_BYTES,
    certificate_pem,
    first_certificate,
    key_pem,
    parse_key_pem,
    read_certificate,
    self_signed,
)
from saphan_schemas import bodies
from saphan_schemas.attachments import MEDIA_TYPES, check_bytes, check_list, safe_name
from saphan_schemas.codec import decode, decode_content, encode, encode_content
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import SealedDetail
from saphan_schemas.samples import SAMPLES, sample
from saphan_schemas.text import check_text
from support.agency import Made
from support.ceremony import NOW, build_directory
from support.certificates import KEY as TLS_KEY
from support.contents import check

from fuzz.target import Form, Target, text
from fuzz.targets.directory import agencies
from fuzz.targets.records import KH, LA

ID: Final = bytes(32)
CONTENT_KEY: Final = bytes(range(32))
TYPE: Final = "saphan/training_notice/1"


def _content(data: bytes) -> None:
    decode_content(data, LIMITS.content_bytes)


def _of_type(name: str) -> Callable[[bytes], None]:
    def parse(data: bytes) -> None:
        content = decode_content(data, LIMITS.content_bytes)
        check(name, content)

    return parse


def _seeds_of(name: str) -> list[bytes]:
    stem = name.split("/")[1]
    return [encode_content(sample(one)) for one in SAMPLES if one == stem]


def _begun_files() -> list[bytes]:
    found = []
    for place, (_name, kind) in enumerate(sorted(MEDIA_TYPES.items())):
        start = bytes(kind.offset) + kind.starts[0] if kind.starts else b"text"
        found.append(bytes((place,)) + start + b" and more")
    return found


def _shown(data: bytes) -> None:
    """Any content of a type that this machine has not got is shown, in every language."""
    content = decode_content(data, LIMITS.content_bytes)
    for lang in ("en", "lo", "km"):
        document(TYPE, None, content, lang)


def _sealed(plain: bytes) -> bytes:
    encryptor = Cobblestone256Encryptor(content_cipher_key(CONTENT_KEY, ID), ID)
    padded = plain.ljust(padded_length(len(plain)), b"\0")
    return encryptor.update(padded) + encryptor.finalize()


def _opened(data: bytes) -> None:
    """What an author has sealed, whatever it is."""
    open_content(CONTENT_KEY, ID, _sealed(data))


def _ciphertext(data: bytes) -> None:
    open_content(CONTENT_KEY, ID, data)


@cache
def bulletin() -> Made:
    return agencies()[0].bulletin([KH], NOW)


def _bulletin(data: bytes) -> None:
    """An author's record, sealed under a real header, judged by the recipient."""
    made = bulletin()
    encryptor = Cobblestone256Encryptor(
        content_cipher_key(made.content_key, made.header_id), made.header_id
    )
    padded = data.ljust(padded_length(len(data)), b"\0")
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    directory = _directory()
    open_bulletin(made.content_key, made.header, made.header_id, ciphertext, directory, None)


@cache
def _directory() -> Directory:
    return build_directory(agencies())[0]


def _bulletin_seeds() -> list[bytes]:
    made = bulletin()
    plain = open_content(made.content_key, made.header_id, made.ciphertext)
    return [plain]


def _stanza(data: bytes) -> None:
    open_stanza(data, agencies()[1].mailbox, ID, KH)


def _stanza_seeds() -> list[bytes]:
    mailbox = agencies()[1].mailbox
    return [seal_stanza(CONTENT_KEY, ID, KH, mailbox.key_id, mailbox.public)]


def _detail(data: bytes) -> None:
    detail = decode(SealedDetail, data, LIMITS.statement_bytes, "detail")
    open_detail(detail, agencies()[0].mailbox, ID, LA)


def _detail_seeds() -> list[bytes]:
    mailbox = agencies()[0].mailbox
    return [encode(seal_detail("a reason", ID, LA, mailbox.key_id, mailbox.public))]


def _attachments(data: bytes) -> None:
    """What content says of its attachments, once its shape is known to be right."""
    found = decode_content(data, LIMITS.content_bytes).get("attachments")
    if isinstance(found, list) and all(
        isinstance(one, dict)
        and one.keys() == {"name", "media_type", "role"}
        and all(isinstance(value, str) for value in one.values())
        for one in found
    ):
        check_list(found)


def _attachment_seeds() -> list[bytes]:
    one = {"name": "report.pdf", "media_type": "application/pdf", "role": "other"}
    return [encode_content({"attachments": [one]})]


def _attachment_bytes(data: bytes) -> None:
    """Of every media type: which one is wanted, the first byte says."""
    kinds = sorted(MEDIA_TYPES)
    check_bytes(kinds[data[0] % len(kinds) if data else 0], data[1:])


def _name(given: str) -> str:
    return safe_name(given, "application/pdf")


def _certificate_seeds() -> list[bytes]:
    return [self_signed(TLS_KEY, ["bridge.example", "127.0.0.1"], now=NOW, serial=7)]


def _pem_seeds() -> list[bytes]:
    return [certificate_pem(one) for one in _certificate_seeds()]


def _key_seeds() -> list[bytes]:
    return [key_pem(TLS_KEY)]


def _searched(data: bytes) -> None:
    words = data.decode("utf-8", "replace")
    question(words, Filters())


def _row(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    longest: int,
    form: Form = "msgpack",
    *,
    slow: bool = False,
) -> Target:
    return Target(
        name=name,
        parse=parse,
        seeds=seeds,
        form=form,
        errors=(InvalidInput, Refused),
        longest=longest,
        slow=slow,
    )


def _all_seeds() -> list[bytes]:
    return [one for name in bodies.NAMES for one in _seeds_of(name)]


CONTENT: Final = LIMITS.content_bytes
SEALED: Final = LIMITS.ciphertext_bytes - 20_000

TARGETS: Final = (
    _row("content", _content, _all_seeds, CONTENT),
    *(
        _row(f"content-{name.split('/')[1]}", _of_type(name), partial(_seeds_of, name), CONTENT)
        for name in bodies.NAMES
    ),
    _row("content-shown", _shown, _all_seeds, CONTENT, slow=True),
    _row("content-attachments", _attachments, _attachment_seeds, CONTENT),
    _row("attachment-bytes", _attachment_bytes, _begun_files, 512, "bytes"),
    _row("sealed-content", _opened, _bulletin_seeds, SEALED, slow=True),
    _row("sealed-bulletin", _bulletin, _bulletin_seeds, SEALED, slow=True),
    _row(
        "ciphertext", _ciphertext, lambda: [_sealed(s) for s in _bulletin_seeds()], SEALED, "bytes"
    ),
    _row("record-extent", record_extent, _bulletin_seeds, SEALED),
    _row("stanza", _stanza, _stanza_seeds, 1168, "bytes", slow=True),
    _row("sealed-detail", _detail, _detail_seeds, LIMITS.statement_bytes, slow=True),
    _row("mailbox-key", load_public, lambda: [agencies()[0].mailbox.public], 1216, "bytes"),
    _row("certificate", read_certificate, _certificate_seeds, CERTIFICATE_BYTES, "bytes"),
    _row("certificate-pem", first_certificate, _pem_seeds, CERTIFICATE_BYTES, "text"),
    _row("tls-key", parse_key_pem, _key_seeds, CERTIFICATE_BYTES, "text", slow=True),
    _row(
        "text", text(lambda given: check_text(given, "field")), lambda: [b"patrol"], CONTENT, "text"
    ),
    _row("attachment-name", text(_name), lambda: [b"report.pdf"], CONTENT, "text"),
    _row("search-question", _searched, lambda: [b"Somchai 020 5551 2345"], CONTENT, "text"),
)
