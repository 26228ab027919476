"""Sealing in pieces: any cut of the pieces gives the same bytes, and only the signed ones open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.attachment import AttachmentOpener, AttachmentSealer
from saphan_protocol.content import attachment_cipher_key, ciphertext_length
from saphan_protocol.identity import sha256
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Blob
from support.cobblestone import open_by_hand

KEY, HEADER_ID = b"k" * 32, b"h" * 32
EDGES = (0, 1, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385, 40_000)


def sealed(data: bytes, step: int = 5_000, place: int = 0) -> tuple[bytes, AttachmentSealer]:
    sealer = AttachmentSealer(KEY, HEADER_ID, place, len(data))
    parts = [sealer.update(data[at : at + step]) for at in range(0, len(data), step)]
    return b"".join([*parts, *sealer.finish()]), sealer


def opened(data: bytes, plain: Blob, step: int = 5_000) -> bytes:
    opener = AttachmentOpener(KEY, HEADER_ID, 0, plain)
    parts = [opener.update(data[at : at + step]) for at in range(0, len(data), step)]
    whole = b"".join([*parts, opener.finish()])
    assert opener.sealed == Blob(len(data), sha256(data))
    return whole


@pytest.mark.parametrize("length", EDGES)
@pytest.mark.parametrize("step", [1_000, 16_384, 100_000])
def test_what_was_sealed_opens_in_any_pieces(length: int, step: int) -> None:
    data = bytes(number * 7 % 251 for number in range(length))
    made, sealer = sealed(data, step)
    assert sealer.plain == Blob(length, sha256(data))
    assert sealer.sealed == Blob(len(made), sha256(made))
    assert len(made) == ciphertext_length(length)
    assert opened(made, sealer.plain, 70_001 - step // 2) == data


def test_another_program_opens_it_from_the_description() -> None:
    data = b"%PDF-1.7 " * 3_000
    made, _ = sealed(data, place=7)
    plain = open_by_hand(attachment_cipher_key(KEY, HEADER_ID, 7), HEADER_ID, made)
    assert plain.rstrip(b"\x00") == data


@given(st.binary(max_size=9_000), st.integers(1, 9_000), st.integers(1, 9_000))
def test_any_bytes_in_any_pieces(data: bytes, sealing: int, opening: int) -> None:
    made, sealer = sealed(data, sealing)
    assert opened(made, sealer.plain, opening) == data


@pytest.mark.parametrize("length", [0, 4_999, 5_001])
def test_more_or_fewer_bytes_than_announced_are_refused(length: int) -> None:
    sealer = AttachmentSealer(KEY, HEADER_ID, 0, 5_000)
    sealer.update(bytes(length))
    with pytest.raises(InvalidInput, match="attachment_mismatch"):
        list(sealer.finish())


@pytest.mark.parametrize("end", [0, 30, 56, 60, 4_000, -1])
def test_what_is_cut_short_is_not_the_attachment(end: int) -> None:
    made, sealer = sealed(b"x" * 5_000)
    with pytest.raises(InvalidInput, match="attachment_invalid"):
        opened(made[:end], sealer.plain)


@pytest.mark.parametrize(
    ("length", "code"),
    [(4_990, "padding_invalid"), (5_010, "attachment_mismatch"), (90_000, "attachment_mismatch")],
)
def test_another_length_than_the_signed_one_is_refused(length: int, code: str) -> None:
    made, _ = sealed(b"x" * 5_000)
    with pytest.raises(InvalidInput, match=code):
        opened(made, Blob(length, sha256(b"x" * length)))
