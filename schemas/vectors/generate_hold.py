"""Write the vectors of hold orders: packages with one defect each, and terms.

    python schemas/vectors/generate_hold.py [folder]

Each package is judged as its agency's next hold order; the step is that of directory.md, Hold
orders. ML-DSA draws its own randomness: what was made once stands in frozen_hold.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from hashlib import shake_256
from pathlib import Path
from typing import Any, Final

from saphan_protocol.batch import sign_one
from saphan_protocol.hold_order import HOLD_TYPE, hold_commitment, terms_commitment
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.hold_records import HoldOrder, HoldScope, HoldTerms, SignedHoldOrder
from saphan_schemas.records import Role, Signature
from vector_kit import Frozen, flip

HERE: Final = Path(__file__).resolve().parent
AGENCY: Final = "kh.gpo"
TIME: Final = 1_767_225_600_000
REVIEW: Final = 20_820
THRESHOLD: Final = 2
Case = tuple[str, int, str, str, bytes]
"""(name, step, what must follow, why, package)."""


def drawn(name: str, length: int = 32) -> bytes:
    """Bytes made from a name."""
    return shake_256(b"hold " + name.encode()).digest(length)


def key(name: str, role: Role) -> SigningKey:
    """A key of the vectors, made from its name."""
    return SigningKey(role, drawn(name, 64))


ROOTS: Final = tuple(key(f"root {number}", Role.ROOT) for number in range(3))
ORDER: Final = key("order", Role.ORDER)
GONE: Final = key("revoked order", Role.ORDER)
NODE: Final = key("node", Role.NODE)


class Maker:
    """Signed hold orders; what the library's randomness made is kept."""

    def __init__(self, frozen: Frozen) -> None:
        self._frozen = frozen

    def signature(self, label: str, signer: SigningKey, body: bytes, kind: str) -> Signature:
        """`signer` over `body`, made once."""
        salt = drawn(f"salt of {label}")
        made = self._frozen.get(label, lambda: encode(sign_one(signer, kind, body, salt)))
        return decode(Signature, made, 8192, label)

    def package(
        self,
        label: str,
        number: int,
        action: str = "hold",
        hold: bytes | None = None,
        keys: Sequence[SigningKey] = (ORDER,),
        **changes: Any,
    ) -> bytes:
        """A package; `changes`: agency, signed (what was signed), type, review."""
        record = (
            changes.get("agency", AGENCY),
            number,
            action,
            hold,
            drawn(f"terms of {label}"),
            changes.get("review", REVIEW),
            TIME,
        )
        body = encode(HoldOrder(*record))  # type: ignore[arg-type]
        signed, kind = changes.get("signed", body), changes.get("type", HOLD_TYPE)
        signatures = tuple(
            self.signature(f"{label}/{place}", signer, signed, kind)
            for place, signer in enumerate(keys)
        )
        return encode(SignedHoldOrder(body, signatures, drawn(f"leaf of {label}")))


def name_of(package: bytes) -> bytes:
    """The commitment in its leaf."""
    signed = decode(SignedHoldOrder, package, 1 << 20, "package")
    return hold_commitment(signed.salt, signed.order)


def earlier(maker: Maker) -> list[bytes]:
    """What the log has: a hold in force, and one that is released."""
    first, second = maker.package("first", 1), maker.package("second", 2)
    return [first, second, maker.package("third", 3, "release", name_of(second))]


def cases(maker: Maker, before: Sequence[bytes]) -> Iterator[Case]:
    """Each package, as the fourth order."""
    held, over = name_of(before[0]), name_of(before[1])
    good = maker.package("valid", 4)
    yield "valid", 0, "valid", "one signature of the order key", good
    yield "valid_roots", 0, "valid", "two of three roots", maker.package("r", 4, keys=ROOTS[:2])
    yield (
        "valid_release",
        0,
        "valid",
        "of the hold in force",
        maker.package("release", 4, "release", held),
    )
    yield (
        "valid_renewal",
        0,
        "valid",
        "another review day",
        maker.package("renew", 4, "hold", held, review=REVIEW + 300),
    )
    yield from _forms(maker, good)
    yield from _signers(maker, good)
    for label, number, why in (("again", 3, "said before"), ("gap", 5, "one is left out")):
        yield label, 3, "hold_number", why, maker.package(label, number)
    for label, name, why in (
        ("released_before", over, "that hold is released"),
        ("never_held", drawn("nothing"), "no order has that commitment"),
        ("a_release", name_of(before[2]), "it names a release"),
    ):
        package = maker.package(label, 4, "release", name)
        yield label, 4, "hold_over", why, package


def _forms(maker: Maker, good: bytes) -> Iterator[Case]:
    yield "cut", 1, "malformed", "the last byte is gone", good[:-1]
    yield "longer", 1, "malformed", "a byte follows", good + b"\x00"
    longer = b"\xdc\x00\x03" + good[1:]
    yield "spelled_longer", 1, "not_canonical", "the array of three has a longer header", longer
    nothing = maker.package("release of nothing", 4, "release")
    yield "release_of_nothing", 1, "hold_malformed", "a release names what it releases", nothing
    twice = maker.package("twice", 4, keys=(ROOTS[0], ROOTS[0]))
    yield "signed_twice", 1, "hold_malformed", "one root signs twice", twice


def _signers(maker: Maker, good: bytes) -> Iterator[Case]:
    other = encode(HoldOrder(AGENCY, 4, "hold", None, drawn("other"), REVIEW, TIME))
    for label, keys, why in (
        ("one_root", (ROOTS[0],), "one of the two roots needed"),
        ("a_node", (NODE,), "the agency's node key"),
        ("revoked", (GONE,), "an order key that was revoked before"),
        ("order_and_root", (ORDER, ROOTS[0]), "neither one order key nor roots alone"),
    ):
        yield label, 2, "hold_signer", why, maker.package(label, 4, keys=keys)
    foreign = maker.package("foreign", 1, agency="la.ospp")
    yield "other_agency", 2, "hold_signer", "another agency's order by this key", foreign
    bad = "signature_invalid"
    body = maker.package("body", 4, signed=other)
    yield "other_body", 2, bad, "another order was signed", body
    kind = maker.package("type", 4, type="saphan/agreement_order/1")
    yield "other_type", 2, bad, "signed as an order on an agreement", kind
    at = good.rindex(drawn("leaf of valid")) - 3  # before the salt and its header: the signature
    yield "ed25519_flipped", 2, bad, "one bit of the Ed25519 half", flip(good, at)


def terms() -> Iterator[tuple[str, str, HoldTerms]]:
    """(name, what must follow, terms)."""
    none = HoldScope((), (), None, None, (), ())
    one, two = sorted((drawn("bulletin 1"), drawn("bulletin 2")))
    for name, expect, scope in (
        ("ids", "valid", HoldScope((one, two), (), None, None, (), ())),
        ("types", "valid", HoldScope((), ("saphan/training_notice/1",), TIME, None, (), ())),
        ("period", "valid", HoldScope((), (), TIME, TIME, (), ())),
        ("thread_and_case", "valid", HoldScope((), (), None, None, (one,), ("AB-12", "AB-13"))),
        ("nothing", "hold_scope", none),
        ("unsorted", "hold_scope", HoldScope((two, one), (), None, None, (), ())),
        ("twice", "hold_scope", HoldScope((), (), None, None, (), ("AB-12", "AB-12"))),
        ("backwards", "hold_scope", HoldScope((), (), TIME, TIME - 1, (), ())),
    ):
        yield name, expect, HoldTerms("court of appeal 12/2026", scope, told=name != "types")


def main(folder: Path) -> None:
    """Write cases.json into `folder`."""
    frozen = Frozen(HERE / "frozen_hold.json")
    maker = Maker(frozen)
    before, salt = earlier(maker), drawn("terms")
    written = {
        "spec": "schemas/spec/directory.md, Hold orders",
        "agency": AGENCY,
        "threshold": THRESHOLD,
        "roots": [root.public.hex() for root in ROOTS],
        "order_keys": [ORDER.public.hex()],
        "before": [package.hex() for package in before],
        "cases": [
            {
                "name": name,
                "step": step,
                "expect": expect,
                "why": why,
                "package": package.hex(),
                "commitment": name_of(package).hex() if expect == "valid" else None,
            }
            for name, step, expect, why, package in cases(maker, before)
        ],
        "salt": salt.hex(),
        "terms": [
            {
                "name": name,
                "expect": expect,
                "terms": encode(one).hex(),
                "commitment": terms_commitment(salt, encode(one)).hex(),
            }
            for name, expect, one in terms()
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(written, indent=1, ensure_ascii=False) + "\n"
    (folder / "cases.json").write_text(text, encoding="utf-8")
    frozen.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "hold")
