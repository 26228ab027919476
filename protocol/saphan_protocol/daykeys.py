"""Day keys: a forward ratchet whose overwritten seed destroys everything due before (design 8).

seed(d+1) = HKDF(seed(d), "next"), key(d) = HKDF(seed(d), "day"); schemas/spec/suite.md section 4.9.
Who holds seed(d) holds every key from day d on, and none before it.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

from saphan_protocol.kdf import KEY_BYTES, derive

DAY_TYPE: Final = "saphan/day/1"
NONCE_BYTES: Final = 12


def next_seed(seed: bytes) -> bytes:
    """seed(d+1) from seed(d), 32 bytes."""
    return derive(seed, DAY_TYPE, ["next"])


def day_key(seed: bytes) -> bytes:
    """key(d) from seed(d), 32 bytes."""
    return derive(seed, DAY_TYPE, ["day"])


def advance(seed: bytes, from_day: int, to_day: int) -> bytes:
    """seed(to_day) from seed(from_day); days since 1970-01-01, about 4 us a day.

    Raises:
        OperatorError: `day_key_destroyed` (the ratchet does not turn back), `day_out_of_range`.
    """
    if to_day < from_day:
        raise OperatorError(
            "day_key_destroyed",
            f"the key of day {to_day} is destroyed: the seed stands at day {from_day}",
            field="day",
            hint="nothing wrapped under that day can be read again, and that is its purpose",
        )
    if to_day - from_day > LIMITS.ratchet_days:
        raise OperatorError(
            "day_out_of_range",
            f"day {to_day} is more than {LIMITS.ratchet_days} days after the seed's day {from_day}",
            field="day",
            hint="check the clock and the retention days of the agreement",
        )
    for _ in range(to_day - from_day):
        seed = next_seed(seed)
    return seed


def day_cipher(key: bytes) -> AESGCM:
    """AES-256-GCM under the 32 bytes of `day_key`; made once for all that is due on that day."""
    if len(key) != KEY_BYTES:
        raise RuntimeError("a day key has 32 bytes")
    return AESGCM(key)


def wrap(cipher: AESGCM, nonce: bytes, plaintext: bytes, context: bytes) -> bytes:
    """AES-256-GCM under a day key: nonce (12) || ciphertext || tag (16).

    Args:
        cipher: from `day_cipher`.
        nonce: 12 fresh random bytes; one repeated under one key gives both plaintexts away.
        plaintext: a stanza, a record or a salt.
        context: what it is and to whom it belongs; authenticated, not stored.
    """
    if len(nonce) != NONCE_BYTES:
        raise RuntimeError("a day key's nonce has 12 bytes")
    return nonce + cipher.encrypt(nonce, plaintext, context)


def unwrap(cipher: AESGCM, wrapped: bytes, context: bytes) -> bytes:
    """Plaintext of what `wrap` returned for this cipher and context.

    Raises:
        OperatorError: `unwrap_failed` (another day's key, another context, or damaged bytes).
    """
    try:
        return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise OperatorError(
            "unwrap_failed",
            f"{len(wrapped)} wrapped bytes do not open under this day's key",
            field="wrapped",
            hint="the seed file does not belong to this store, or the store is damaged",
        ) from None
