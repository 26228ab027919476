"""The ratchet turns forward only, and what a day's key wrapped opens under that key alone."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.daykeys import advance, day_cipher, day_key, next_seed, unwrap, wrap
from saphan_protocol.identity import pae
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

SEED = bytes(range(32))
NONCE = bytes(12)


def _hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 of one block from RFC 5869, written out."""
    extracted = hmac.digest(bytes(32), secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def test_seed_and_key_are_hkdf_of_their_names() -> None:
    # An array of one five-letter string is 91 a4/a3 and its letters.
    assert next_seed(SEED) == _hkdf(SEED, pae("saphan/day/1", b"\x91\xa4next"))
    assert day_key(SEED) == _hkdf(SEED, pae("saphan/day/1", b"\x91\xa3day"))


@given(start=st.integers(0, 30_000), first=st.integers(0, 9), second=st.integers(0, 9))
def test_steps_add_up(start: int, first: int, second: int) -> None:
    middle = advance(SEED, start, start + first)
    end = start + first + second
    assert advance(middle, start + first, end) == advance(SEED, start, end)


def test_the_ratchet_does_not_turn_back() -> None:
    with pytest.raises(OperatorError) as refused:
        advance(SEED, 10, 9)
    assert refused.value.code == "day_key_destroyed"


def test_a_day_beyond_reason_is_refused() -> None:
    with pytest.raises(OperatorError) as refused:
        advance(SEED, 0, LIMITS.ratchet_days + 1)
    assert refused.value.code == "day_out_of_range"


def test_what_was_wrapped_opens_and_carries_its_nonce() -> None:
    cipher = day_cipher(day_key(SEED))
    wrapped = wrap(cipher, b"n" * 12, b"stanza", b"bulletin 1")
    assert wrapped[:12] == b"n" * 12
    assert len(wrapped) == 12 + 6 + 16
    assert unwrap(cipher, wrapped, b"bulletin 1") == b"stanza"


@pytest.mark.parametrize(
    ("day", "change", "context"),
    (
        (1, 0, b"bulletin 1"),
        (0, 1, b"bulletin 1"),
        (0, 0, b"bulletin 2"),
        (0, -20, b"bulletin 1"),
        (0, -34, b"bulletin 1"),
    ),
    ids=["other day", "changed byte", "other context", "cut short", "empty"],
)
def test_anything_else_does_not_open(day: int, change: int, context: bytes) -> None:
    wrapped = wrap(day_cipher(day_key(SEED)), NONCE, b"stanza", b"bulletin 1")
    bad = wrapped[:change] if change < 0 else bytes([wrapped[0] ^ change]) + wrapped[1:]
    with pytest.raises(OperatorError) as refused:
        unwrap(day_cipher(day_key(advance(SEED, 0, day))), bad, context)
    assert refused.value.code == "unwrap_failed"


def test_a_seed_of_another_length_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="31 bytes"):
        next_seed(SEED[:31])


def test_a_nonce_of_another_length_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="nonce"):
        wrap(day_cipher(day_key(SEED)), bytes(11), b"", b"")
