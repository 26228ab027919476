"""A secret among custodians: any k of them, and never fewer."""

from __future__ import annotations

from hashlib import shake_256
from itertools import combinations

import pytest
from saphan_protocol.custody import (
    SEALED_BYTES,
    Split,
    custodian_id,
    join_shares,
    open_shares,
    seal_shares,
)
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.errors import InvalidInput, Refused

SECRET = shake_256(b"the secret").digest(32)
KEYS = [MailboxKey(shake_256(f"custodian {n}".encode()).digest(32)) for n in range(7)]


def split(count: int, quorum: int, context: bytes = b"here") -> Split:
    ids = tuple(custodian_id(key.public) for key in KEYS[:count])
    return Split(custodians=ids, quorum=quorum, context=context)


def sealed(among: Split) -> tuple[bytes, ...]:
    publics = [key.public for key in KEYS[: len(among.custodians)]]
    return seal_shares(among, publics, SECRET, shake_256(b"random").digest(among.random_bytes))


@pytest.mark.parametrize(("count", "quorum"), [(1, 1), (3, 1), (3, 2), (4, 4), (5, 3)])
def test_every_quorum_joins_it_and_nobody_else(count: int, quorum: int) -> None:
    among = split(count, quorum)
    shares = sealed(among)
    assert {len(one) for one in shares} == {SEALED_BYTES}
    opened = {place: open_shares(among, shares, KEYS[place]) for place in range(count)}
    for group in combinations(range(count), quorum):
        assert join_shares(among, {place: opened[place] for place in group}) == SECRET
    for group in combinations(range(count), quorum - 1):
        with pytest.raises(Refused, match="are needed") as refused:
            join_shares(among, {place: opened[place] for place in group})
        assert refused.value.code == "custodians_too_few"


def test_seven_custodians_cost_what_the_page_says() -> None:
    among = split(7, 4)
    assert len(sealed(among)) == 140
    assert max(len(split(7, k).groups) * k for k in range(1, 8)) == 140


def test_one_custodians_shares_say_nothing_of_the_secret() -> None:
    """All shares but the last of a group are the given randomness; the last is masked by it."""
    among = split(3, 2)
    held = open_shares(among, sealed(among), KEYS[0])
    other = seal_shares(
        among,
        [key.public for key in KEYS[:3]],
        bytes(32),
        shake_256(b"random").digest(among.random_bytes),
    )
    assert held == open_shares(among, other, KEYS[0])


def test_shares_are_of_their_split_only() -> None:
    among = split(3, 2)
    shares = sealed(among)
    for wrong, given in (
        (split(3, 2, b"elsewhere"), shares),
        (split(3, 3), shares),
        (among, shares[:-1]),
        (among, (*shares[1:], shares[0])),
    ):
        with pytest.raises(InvalidInput) as refused:
            open_shares(wrong, given, KEYS[0])
        assert refused.value.code == "custody_malformed"
    with pytest.raises(Refused) as stranger:
        open_shares(among, shares, KEYS[5])
    assert stranger.value.code == "custodian_unknown"


def test_one_changed_share_gives_another_secret() -> None:
    among = split(2, 2)
    shares = sealed(among)
    opened = {place: open_shares(among, shares, KEYS[place]) for place in (0, 1)}
    opened[1] = {group: bytes(32) for group in opened[1]}
    assert join_shares(among, opened) != SECRET


@pytest.mark.parametrize(("count", "quorum"), [(0, 0), (2, 0), (2, 3), (0, 1)])
def test_what_cannot_hold_a_secret_is_refused(count: int, quorum: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        split(count, quorum)
    assert refused.value.code == "custodians_malformed"


def test_eight_custodians_or_one_twice_are_refused() -> None:
    ids = tuple(bytes([n]) * 32 for n in range(8))
    for wrong in (ids, (ids[0], ids[0])):
        with pytest.raises(InvalidInput) as refused:
            Split(custodians=wrong, quorum=1, context=b"")
        assert refused.value.code == "custodians_malformed"
