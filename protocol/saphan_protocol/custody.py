"""A secret among custodians, k of n: an XOR split for every k of them, its shares sealed by HPKE.

No custodian, and no k-1 of them together, learns anything of the secret; any k of them join it.
There is no field arithmetic to get wrong, and no primitive that the suite does not have already
(docs/adr/0009-k-of-n-custodians.md). Seven custodians cost at most 140 sealed shares of 1168 bytes.
Numbered steps are those of schemas/spec/backup.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final

from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS

from saphan_protocol.identity import pae_array, sha256
from saphan_protocol.mailbox import OVERHEAD_BYTES, MailboxKey, seal

CUSTODY_TYPE: Final = "saphan/custody/1"
SECRET_BYTES: Final = 32
SEALED_BYTES: Final = SECRET_BYTES + OVERHEAD_BYTES

Group = tuple[int, ...]
"""Places of k custodians in the split's list, ascending."""


def custodian_id(public: bytes) -> bytes:
    """A custodian's identity, 32 bytes: a key id (bytes.md) with `custodian` as its role."""
    return sha256(b"custodian\x00" + public)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Who holds a secret together.

    Args:
        custodians: their ids, 1 to 7, in the order that numbers them.
        quorum: how many of them open it, 1 to all.
        context: what the secret is for, bound into every share; any bytes.

    Raises:
        InvalidInput: `custodians_malformed`.
    """

    custodians: tuple[bytes, ...]
    quorum: int
    context: bytes

    def __post_init__(self) -> None:
        count = len(self.custodians)
        if len(set(self.custodians)) != count:
            raise _malformed("one custodian stands in it twice")
        if not 1 <= self.quorum <= count <= LIMITS.custodians:
            raise _malformed(
                f"{self.quorum} of {count} custodians; 1 to {LIMITS.custodians} are possible, and"
                " no more may be needed than there are"
            )

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every k custodians, in the order in which their shares stand (step K2)."""
        return tuple(combinations(range(len(self.custodians)), self.quorum))

    @property
    def random_bytes(self) -> int:
        """How much randomness `seal_shares` is to be given."""
        return SECRET_BYTES * (self.quorum - 1) * comb(len(self.custodians), self.quorum)

    def info(self, group: Group, place: int) -> bytes:
        """What one sealed share is bound to (step K3)."""
        whole = [self.context, self.quorum, list(self.custodians)]
        return pae_array(CUSTODY_TYPE, [*whole, list(group), place])


def seal_shares(
    split: Split, publics: Sequence[bytes], secret: bytes, random: bytes
) -> tuple[bytes, ...]:
    """The sealed shares of a 32-byte secret, 1168 bytes each, group by group (steps K1 to K3).

    Args:
        publics: public keys of the split's custodians in its order, 1216 bytes each.
        random: `split.random_bytes` fresh random bytes.

    Raises:
        InvalidInput: `key_malformed`, `key_weak`.
    """
    if tuple(map(custodian_id, publics)) != split.custodians or len(secret) != SECRET_BYTES:
        raise RuntimeError("the keys are not those of the split, or the secret has another length")
    if len(random) != split.random_bytes:
        raise RuntimeError(f"{len(random)} random bytes were passed, not {split.random_bytes}")
    sealed: list[bytes] = []
    for number, group in enumerate(split.groups):
        start = number * (split.quorum - 1) * SECRET_BYTES
        shares = [
            random[start + at * SECRET_BYTES : start + (at + 1) * SECRET_BYTES]
            for at in range(split.quorum - 1)
        ]
        shares.append(_xor([secret, *shares]))  # K1: all but the last are random
        sealed += [
            seal(publics[place], share, split.info(group, place))
            for place, share in zip(group, shares, strict=True)
        ]
    return tuple(sealed)


def open_shares(split: Split, sealed: Sequence[bytes], key: MailboxKey) -> dict[Group, bytes]:
    """One custodian's shares, of each group that they are in (step K4); about 2 ms.

    Raises:
        Refused: `custodian_unknown`, who is not of this split.
        InvalidInput: `custody_malformed`, shares that are not of this split.
    """
    mine = custodian_id(key.public)
    if mine not in split.custodians:
        raise Refused(
            "custodian_unknown",
            f"nothing was sealed to the custodian {mine.hex()[:16]}",
            field="custodian",
            hint="see which custodians the file names: saphan custodian show FILE",
        )
    groups, place = split.groups, split.custodians.index(mine)
    if len(sealed) != len(groups) * split.quorum:
        raise _damaged(f"it holds {len(sealed)} shares, not {len(groups) * split.quorum}")
    found: dict[Group, bytes] = {}
    for number, group in enumerate(groups):
        if place not in group:
            continue
        one = sealed[number * split.quorum + group.index(place)]
        try:
            found[group] = key.open(one, split.info(group, place))
        except InvalidInput:
            raise _damaged("a share does not open with the key it names") from None
        if len(found[group]) != SECRET_BYTES:
            raise _damaged("a share has another length")
    return found


def join_shares(split: Split, opened: Mapping[int, Mapping[Group, bytes]]) -> bytes:
    """The secret from k custodians' opened shares (step K5); wrong shares give a wrong secret.

    Args:
        opened: what `open_shares` gave, by the custodian's place in the split.

    Raises:
        Refused: `custodians_too_few`.
    """
    for secret in joined_shares(split, opened):
        return secret
    raise too_few(split, len(opened))


def joined_shares(split: Split, opened: Mapping[int, Mapping[Group, bytes]]) -> Iterator[bytes]:
    """What each group of which all have opened their shares joins; one secret, if none lies."""
    for group in split.groups:
        if all(group in opened.get(place, {}) for place in group):
            yield _xor([opened[place][group] for place in group])


def too_few(split: Split, count: int) -> Refused:
    """The error when only `count` custodians have opened their shares."""
    return Refused(
        "custodians_too_few",
        f"{count} of the custodians have opened their shares; {split.quorum} are needed",
        field="custodians",
        hint="each of them runs: saphan custodian open FILE --key KEY --out SHARE",
    )


def _xor(parts: Sequence[bytes]) -> bytes:
    joined = 0
    for part in parts:
        joined ^= int.from_bytes(part, "big")
    return joined.to_bytes(SECRET_BYTES, "big")


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "custodians_malformed",
        f"these custodians cannot hold a secret together: {why}",
        field="custodians",
        hint="name each custodian's public file once, and a quorum of at most their number",
    )


def _damaged(why: str) -> InvalidInput:
    return InvalidInput(
        "custody_malformed",
        f"the shares are not those of this split: {why}",
        field="shares",
        hint="take another copy of the file",
    )
