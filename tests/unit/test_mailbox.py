"""HPKE to a mailbox: opens for its key and its info, and says one thing when it does not."""

from __future__ import annotations

import pytest
from saphan_protocol.keys import key_id
from saphan_protocol.mailbox import OVERHEAD_BYTES, MailboxKey, load_public, seal
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Role

KEY = MailboxKey(bytes(range(32)))
OTHER = MailboxKey(bytes(32))


def test_a_seal_opens_for_its_key_and_info() -> None:
    sealed = seal(KEY.public, b"secret", b"info")
    assert len(sealed) == 6 + OVERHEAD_BYTES
    assert KEY.open(sealed, b"info") == b"secret"
    assert KEY.key_id == key_id(Role.MAILBOX, KEY.public)


@pytest.mark.parametrize(
    "case", ("other key", "other info", "empty", "head only", "flip", "longer")
)
def test_what_does_not_open_has_one_code(case: str) -> None:
    sealed = seal(KEY.public, b"secret", b"info")
    key = OTHER if case == "other key" else KEY
    info = b"other" if case == "other info" else b"info"
    sealed = {
        "empty": b"",
        "head only": sealed[:1120],
        "flip": sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:],
        "longer": sealed + b"\x00",
    }.get(case, sealed)
    with pytest.raises(InvalidInput) as refused:
        key.open(sealed, info)
    assert refused.value.code == "stanza_unopenable"


def test_a_low_order_encapsulation_does_not_open() -> None:
    sealed = seal(KEY.public, b"secret", b"info")
    with pytest.raises(InvalidInput) as refused:
        KEY.open(sealed[:1088] + bytes(32) + sealed[1120:], b"info")
    assert refused.value.code == "stanza_unopenable"


def test_sealing_to_a_low_order_key_is_refused_with_its_own_code() -> None:
    with pytest.raises(InvalidInput) as refused:
        seal(KEY.public[:1184] + bytes(32), b"secret", b"info")
    assert refused.value.code == "key_weak"


@pytest.mark.parametrize("public", (b"", KEY.public[:-1], KEY.public + b"\0", b"\xff" * 1216))
def test_what_is_no_key_is_malformed(public: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_public(public)
    assert refused.value.code == "key_malformed"
