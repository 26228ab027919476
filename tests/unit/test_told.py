"""Each batch signature travels once: what the sender leaves out, the receiver still has."""

from __future__ import annotations

import random

from saphan_protocol.told import KEPT, SENT, Kept, Sent
from saphan_schemas.records import BatchSignature


def batch(number: int) -> BatchSignature:
    return BatchSignature(bytes(32), 1, number.to_bytes(32), bytes(3373))


def test_a_signature_is_sent_once() -> None:
    sent = Sent()
    assert sent.fresh([batch(1), batch(2)]) == (batch(1), batch(2))
    assert sent.fresh([batch(2), batch(3)]) == (batch(3),)
    assert sent.fresh([]) == ()


def test_what_is_left_out_is_there_whatever_was_sent_before() -> None:
    draw = random.Random(1)
    for _ in range(50):
        sent, kept = Sent(), Kept()
        for _ in range(100):
            needed = [batch(draw.randrange(2 * SENT)) for _ in range(draw.randrange(1, 2 * KEPT))]
            known = kept.take(sent.fresh(needed))
            assert all(known[one.key, one.size, one.root] == one for one in needed)


def test_the_receiver_keeps_a_bounded_number() -> None:
    kept = Kept()
    for number in range(10 * KEPT):
        kept.take([batch(number)])
    assert len(kept.take([])) == KEPT
