"""Sealed content: padding that says nothing, a cipher that commits, and exact bytes back."""

from __future__ import annotations

import hashlib
import hmac
from importlib import import_module

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.content import (
    attachment_cipher_key,
    ciphertext_length,
    ciphertext_length_valid,
    content_cipher_key,
    open_content,
    padded_length,
    padme,
    seal_content,
)
from saphan_protocol.extent import record_extent
from saphan_protocol.identity import pae
from saphan_protocol.suite import Cobblestone256Encryptor
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Sealed, Signature, SignatureItem
from support.cobblestone import open_by_hand

KEY = b"k" * 32
HEADER = b"h" * 32


def _sealed(content: bytes = b"\x81\xa1a\x00", signatures: int = 1) -> bytes:
    item = SignatureItem(b"i" * 32, 1, 0, (), b"s" * 32)
    return encode(Sealed(b"inner", (Signature(item, bytes(3373)),) * signatures, content))


def _raw(plain: bytes) -> bytes:
    """What a sender with the key can make of any plaintext."""
    encryptor = Cobblestone256Encryptor(content_cipher_key(KEY, HEADER), HEADER)
    return encryptor.update(plain) + encryptor.finalize()


def _code(ciphertext: bytes, key: bytes = KEY, header: bytes = HEADER) -> str:
    with pytest.raises(InvalidInput) as refused:
        open_content(key, header, ciphertext)
    return refused.value.code


@pytest.mark.parametrize("size", (4, 500, 5_000, 16_384, 65_536))
@pytest.mark.parametrize("signatures", (1, 2))
def test_the_exact_record_comes_back(size: int, signatures: int) -> None:
    # Content that ends in zero bytes: only the record's own length tells them from padding.
    sealed = _sealed(b"c" * (size - 3) + bytes(3), signatures)
    ciphertext = seal_content(KEY, HEADER, sealed)
    assert len(ciphertext) == ciphertext_length(len(sealed)) <= LIMITS.ciphertext_bytes
    assert open_content(KEY, HEADER, ciphertext) == sealed


@pytest.mark.parametrize("size", (4, 20_000))
def test_cobblestone_opens_by_hand_from_its_description(size: int) -> None:
    sealed = _sealed(b"c" * size)
    ciphertext = seal_content(KEY, HEADER, sealed)
    plain = open_by_hand(content_cipher_key(KEY, HEADER), HEADER, ciphertext)
    assert plain == sealed.ljust(padded_length(len(sealed)), b"\x00")
    # The commitment: one ciphertext has one key and one header.
    with pytest.raises(ValueError, match="commitment"):
        open_by_hand(content_cipher_key(b"K" * 32, HEADER), HEADER, ciphertext)
    with pytest.raises(InvalidTag):
        open_by_hand(content_cipher_key(KEY, HEADER), HEADER, ciphertext[:-1])


def test_cipher_keys_are_hkdf_of_the_named_contexts() -> None:
    def hkdf(info: bytes) -> bytes:
        extracted = hmac.digest(bytes(32), KEY, hashlib.sha256)
        return hmac.digest(extracted, info + b"\x01", hashlib.sha256)

    header = b"\xc4\x20" + HEADER
    assert content_cipher_key(KEY, HEADER) == hkdf(pae("saphan/content/1", b"\x91" + header))
    for index, coded in ((0, b"\x00"), (7, b"\x07"), (200, b"\xcc\xc8")):
        info = pae("saphan/attachment/1", b"\x92" + header + coded)
        assert attachment_cipher_key(KEY, HEADER, index) == hkdf(info)


@pytest.mark.parametrize(
    ("length", "padded"),
    ((0, 0), (1, 1), (2, 2), (9, 10), (100, 104), (4096, 4096), (4097, 4352), (65_537, 67_584)),
)
def test_padme_lengths(length: int, padded: int) -> None:
    assert padme(length) == padded


@given(length=st.integers(0, 2**40))
def test_padme_never_shrinks_grows_little_and_stays_where_it_is(length: int) -> None:
    padded = padme(length)
    assert length <= padded <= length * 1.12 + 1
    assert padme(padded) == padded


@given(length=st.integers(0, 100_000))
def test_a_length_is_valid_exactly_if_sealing_gives_it(length: int) -> None:
    assert ciphertext_length_valid(ciphertext_length(length))
    assert ciphertext_length_valid(length) == (length in SEALED_LENGTHS)


SEALED_LENGTHS = {ciphertext_length(length) for length in range(100_000)}


def test_the_library_gives_the_lengths_of_the_formula() -> None:
    for length in (0, 4096, 16_384, 16_385, 32_768, 65_536, 69_633):
        assert len(_raw(bytes(padded_length(length)))) == ciphertext_length(length)


@pytest.mark.parametrize("length", (-1, 0, 55, 56, 71, 72, 4096 + 56, 4096 + 71, 4096 + 73))
def test_other_lengths_are_refused(length: int) -> None:
    assert not ciphertext_length_valid(length)
    if length >= 0:
        assert _code(bytes(length)) == "ciphertext_invalid"


def test_another_key_or_header_or_byte_is_refused() -> None:
    ciphertext = seal_content(KEY, HEADER, _sealed())
    assert _code(ciphertext, key=b"K" * 32) == "ciphertext_invalid"
    assert _code(ciphertext, header=b"H" * 32) == "ciphertext_invalid"
    for position in (0, 23, 24, 55, 56, 2_000, len(ciphertext) - 1):
        changed = bytearray(ciphertext)
        changed[position] ^= 0x80
        assert _code(bytes(changed)) == "ciphertext_invalid"


def test_a_chunk_cut_off_at_its_edge_is_refused() -> None:
    sealed = _sealed(b"c" * 30_000)
    ciphertext = seal_content(KEY, HEADER, sealed)
    assert _code(ciphertext[: 56 + 16_400]) == "ciphertext_invalid"
    assert _code(ciphertext[: 56 + 16_400] + bytes(4096 + 16)) == "ciphertext_invalid"


RECORD = _sealed()


@pytest.mark.parametrize(
    "plain",
    (
        RECORD.ljust(4095, b"\x00") + b"\x01",
        RECORD + b"\x01" + bytes(4096 - len(RECORD) - 1),
        RECORD.ljust(4352, b"\x00"),
        bytes(4096),
        b"\xff" * 4096,
        b"\x93\xc4\x05inner\x90\xc6\xff\xff\xff\xff".ljust(4096, b"\x00"),
        b"\x91" * 4096,
        b"\xdc\xff\xff".ljust(4096, b"\x00"),
        b"\x82\xa1a\x00\xa1b\x00".ljust(4096, b"\x00"),
    ),
    ids=[
        "last byte", "first byte", "larger bucket", "nothing", "no record", "length beyond",
        "nested", "endless array", "a map",
    ],
)  # fmt: skip
def test_other_padding_or_no_record_is_refused(plain: bytes) -> None:
    if plain == bytes(4096):
        # A single zero is the integer 0: well padded, and refused when it is parsed as a record.
        assert open_content(KEY, HEADER, _raw(plain)) == b"\x00"
        return
    assert _code(_raw(plain)) == "padding_invalid"


def test_the_largest_record_is_within_the_walk() -> None:
    item = SignatureItem(b"i" * 32, LIMITS.batch_items, 65_535, (b"p" * 32,) * 16, b"s" * 32)
    signatures = (Signature(item, bytes(3373)),) * 2
    sealed = encode(Sealed(bytes(4096), signatures, bytes(LIMITS.content_bytes)))
    assert record_extent(sealed) == len(sealed)
    assert open_content(KEY, HEADER, seal_content(KEY, HEADER, sealed)) == sealed


def test_too_large_is_refused_before_any_work() -> None:
    assert _code(bytes(LIMITS.ciphertext_bytes + 1)) == "too_large"
    with pytest.raises(InvalidInput) as refused:
        seal_content(KEY, HEADER, _sealed(bytes(LIMITS.ciphertext_bytes)))
    assert refused.value.code == "too_large"


def test_sealing_anything_but_one_record_is_a_bug() -> None:
    for sealed in (RECORD + b"\x00", RECORD[:-1], b""):
        with pytest.raises(RuntimeError, match="one record"):
            seal_content(KEY, HEADER, sealed)


@given(inner=st.binary(max_size=300), content=st.binary(max_size=300), tail=st.binary(max_size=40))
def test_the_extent_is_where_another_parser_stops(
    inner: bytes, content: bytes, tail: bytes
) -> None:
    record = encode([inner, [[[b"k" * 32, 70_000, 300, [b"p" * 32] * 16, b""], None]], content])
    unpacker = import_module("msgpack").Unpacker()  # another author's parser as oracle
    unpacker.feed(record + tail)
    unpacker.unpack()
    assert record_extent(record + tail) == unpacker.tell() == len(record)
    for cut in range(len(record)):
        assert record_extent(record[:cut]) is None
