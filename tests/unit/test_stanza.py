"""Stanzas and sealed details are bound to bulletin, agency and mailbox key, each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.detail import (
    TEXT_BYTES,
    open_detail,
    open_erasure,
    seal_detail,
    seal_erasure,
)
from saphan_protocol.identity import pae_array
from saphan_protocol.mailbox import MailboxKey, seal
from saphan_protocol.stanza import open_stanza, seal_stanza
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import ErasureDetail, ExportCount, SealedDetail

KEY = MailboxKey(bytes(range(32)))
OTHER = MailboxKey(bytes(32))
CONTENT_KEY = b"k" * 32
BULLETIN = b"b" * 32


def _stanza() -> bytes:
    return seal_stanza(CONTENT_KEY, BULLETIN, "la.ospp", KEY.key_id, KEY.public)


def _code(call: object, *arguments: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        call(*arguments)  # type: ignore[operator]
    return refused.value.code


def test_a_stanza_gives_the_content_key() -> None:
    stanza = _stanza()
    assert len(stanza) == 1168
    assert open_stanza(stanza, KEY, BULLETIN, "la.ospp") == CONTENT_KEY


def test_a_stanza_is_bound_to_bulletin_agency_and_key() -> None:
    stanza = _stanza()
    assert _code(open_stanza, stanza, KEY, b"c" * 32, "la.ospp") == "stanza_unopenable"
    assert _code(open_stanza, stanza, KEY, BULLETIN, "kh.gpo") == "stanza_unopenable"
    assert _code(open_stanza, stanza, OTHER, BULLETIN, "la.ospp") == "stanza_unopenable"
    # The same private key under a false id: the info differs although the key would open it.
    renamed = seal_stanza(CONTENT_KEY, BULLETIN, "la.ospp", OTHER.key_id, KEY.public)
    assert _code(open_stanza, renamed, KEY, BULLETIN, "la.ospp") == "stanza_unopenable"


def test_a_stanza_with_a_secret_of_another_length_is_refused_unopened() -> None:
    info = pae_array("saphan/stanza/1", [BULLETIN, "la.ospp", KEY.key_id])
    long = seal(KEY.public, bytes(33), info)
    assert KEY.open(long, info) == bytes(33)
    assert _code(open_stanza, long, KEY, BULLETIN, "la.ospp") == "stanza_unopenable"
    with pytest.raises(RuntimeError, match="content key"):
        seal_stanza(bytes(31), BULLETIN, "la.ospp", KEY.key_id, KEY.public)


def _detail(text: str) -> SealedDetail:
    return seal_detail(text, BULLETIN, "kh.gpo", KEY.key_id, KEY.public)


@pytest.mark.parametrize("text", ("", "no such case", "ខ្មែរ ລາວ", "x" * TEXT_BYTES, "a\x00"))
def test_a_detail_is_read_by_the_originator_and_always_as_long(text: str) -> None:
    detail = _detail(text)
    assert len(detail.sealed) == 2160
    assert decode(SealedDetail, encode(detail), 4096, "detail") == detail
    assert open_detail(detail, KEY, BULLETIN, "kh.gpo") == text


def test_a_detail_is_bound_to_bulletin_issuer_and_key() -> None:
    detail = _detail("no such case")
    assert _code(open_detail, detail, KEY, b"c" * 32, "kh.gpo") == "stanza_unopenable"
    assert _code(open_detail, detail, KEY, BULLETIN, "la.ospp") == "stanza_unopenable"
    assert _code(open_detail, detail, OTHER, BULLETIN, "kh.gpo") == "key_mismatch"


def test_what_an_eraser_knew_is_read_by_the_originator_alone_and_is_no_reason() -> None:
    known = ErasureDetail((ExportCount("bundled", 1), ExportCount("saved", 7)), 2, 65_535)
    detail = seal_erasure(known, BULLETIN, "kh.gpo", KEY.key_id, KEY.public)
    assert len(detail.sealed) == 2160
    assert open_erasure(detail, KEY, BULLETIN, "kh.gpo") == known
    assert _code(open_erasure, detail, KEY, b"c" * 32, "kh.gpo") == "stanza_unopenable"
    assert _code(open_erasure, detail, OTHER, BULLETIN, "kh.gpo") == "key_mismatch"
    assert _code(open_detail, detail, KEY, BULLETIN, "kh.gpo") == "stanza_unopenable"
    assert _code(open_erasure, _detail("text"), KEY, BULLETIN, "kh.gpo") == "stanza_unopenable"


@pytest.mark.parametrize(
    ("text", "code"), (("x" * 1023, "too_large"), ("ລ" * 341, "too_large"), ("\ud800", "malformed"))
)
def test_a_detail_that_cannot_be_sealed_is_refused(text: str, code: str) -> None:
    assert _code(_detail, text) == code


@pytest.mark.parametrize(
    ("plain", "code"),
    (
        (b"\x00\x01a" + b"\x00" * 1020 + b"\x01", "padding_invalid"),
        (b"\x03\xff".ljust(1024, b"a"), "padding_invalid"),
        (b"\x00\x00" + bytes(1021), "padding_invalid"),
        (b"", "padding_invalid"),
        (b"\x00\x01\xff".ljust(1024, b"\x00"), "malformed"),
    ),
    ids=["dirty padding", "length beyond", "short", "empty", "not utf-8"],
)
def test_a_detail_sealed_otherwise_is_refused(plain: bytes, code: str) -> None:
    info = pae_array("saphan/detail/1", [BULLETIN, "kh.gpo", KEY.key_id])
    detail = SealedDetail(KEY.key_id, seal(KEY.public, plain, info))
    assert _code(open_detail, detail, KEY, BULLETIN, "kh.gpo") == code


@given(text=st.text(max_size=300))
def test_any_text_comes_back(text: str) -> None:
    assert open_detail(_detail(text), KEY, BULLETIN, "kh.gpo") == text
