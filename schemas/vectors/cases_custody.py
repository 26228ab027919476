"""Vectors of a secret that k of n custodians hold: their sealed shares, and what joins them."""

from __future__ import annotations

from hashlib import sha256, shake_256
from typing import Any, Final

from saphan_protocol.custody import Split, custodian_id, seal_shares
from saphan_protocol.mailbox import MailboxKey
from vector_kit import Cases, Frozen, Vector, case_file, flip

SECRET: Final = sha256(b"secret of a backup").digest()
SEEDS: Final = tuple(shake_256(b"custodian %d" % n).digest(32) for n in range(3))
CONTEXT: Final = b"context"


def custody(frozen: Frozen) -> Cases:
    """Two of three; `openers` are places of the custodians who open and join."""
    keys = [MailboxKey(seed) for seed in SEEDS]
    ids = tuple(custodian_id(key.public) for key in keys)
    split = Split(custodians=ids, quorum=2, context=CONTEXT)

    def shares() -> bytes:
        random = shake_256(b"random").digest(split.random_bytes)
        return b"".join(seal_shares(split, [key.public for key in keys], SECRET, random))

    whole = frozen.get("custody/two_of_three", shares)
    size = len(whole) // 6
    good = [whole[at * size : (at + 1) * size] for at in range(6)]

    def case(expect: str, code: str | None, why: str, sealed: list[bytes], **other: Any) -> Vector:
        return case_file(
            expect,
            code,
            why,
            "3.8",
            seeds=[seed.hex() for seed in SEEDS],
            quorum=other.get("quorum", 2),
            context=other.get("context", CONTEXT),
            openers=other.get("openers", [0, 1]),
            shares=[share.hex() for share in sealed],
            secret=SECRET,
        )

    for openers in ([0, 1], [0, 2], [1, 2], [0, 1, 2]):
        name = "valid_" + "".join(map(str, openers))
        yield name, case("valid", None, "these custodians join it", good, openers=openers)
    yield "one", case("join", "custodians_too_few", "one custodian alone", good, openers=[2])
    yield (
        "other_context",
        case("share", "custody_malformed", "shares of another backup", good, context=b"other"),
    )
    yield (
        "other_quorum",
        case("share", "custody_malformed", "the shares say two, not three", good, quorum=3),
    )
    yield "short", case("share", "custody_malformed", "a share is missing", good[:-1])
    swapped = [*good[2:4], *good[:2], *good[4:]]
    yield "swapped", case("share", "custody_malformed", "two groups changed places", swapped)
    tagged = [flip(good[0], size - 1), *good[1:]]
    yield "tag_flipped", case("share", "custody_malformed", "one bit of a share's tag", tagged)
