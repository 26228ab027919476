"""Write the vectors of the directory leaf that registers an agency's own schema.

    python schemas/vectors/generate_registration.py [folder]

Each case has one defect, and the step of directory.md (Checking a schema) that must refuse it.
ML-DSA draws its own randomness: what was made once stands in frozen_registration.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from hashlib import shake_256
from pathlib import Path
from typing import Any, Final

from saphan_protocol.batch import sign_one
from saphan_protocol.directory import schema_leaf
from saphan_protocol.keys import SigningKey
from saphan_schemas.bodies import digest_of
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import (
    REGISTRATION_TYPE,
    SchemaRegistration,
    SignedRegistration,
)
from saphan_schemas.records import Role, Signature
from vector_kit import Frozen, flip

HERE: Final = Path(__file__).resolve().parent
AGENCY: Final = "la.ospp"
KNOWN: Final = "la.ospp/field_report/1"
BUNDLE: Final = b"\x82\xa5rules\x90\xa6schema\x80"
"""Canonical; that it lies outside the profile is another page's vectors."""
TIME: Final = 1_767_225_600_000
THRESHOLD: Final = 2


def key(name: str, role: Role = Role.ROOT) -> SigningKey:
    """A key of the vectors, made from its name."""
    return SigningKey(role, shake_256(b"registration " + name.encode()).digest(64))


ROOTS: Final = tuple(key(f"root {number}") for number in range(3))
STRANGER: Final = key("stranger")
NODE: Final = key("node", Role.NODE)


class Maker:
    """Signed registrations; what the library's randomness made is kept."""

    def __init__(self, frozen: Frozen) -> None:
        self._frozen = frozen

    def signature(self, label: str, signer: SigningKey, body: bytes, kind: str) -> Signature:
        """`signer` over `body`, made once."""
        salt = shake_256(b"salt of " + label.encode()).digest(32)
        made = self._frozen.get(label, lambda: encode(sign_one(signer, kind, body, salt)))
        return decode(Signature, made, 8192, label)

    def leaf(
        self,
        label: str,
        name: str = "la.ospp/patrol/1",
        roots: Sequence[SigningKey] = ROOTS[:2],
        **changes: Any,
    ) -> bytes:
        """A leaf; `changes`: agency, body (what stands there), signed (what was signed), type."""
        record = SchemaRegistration(changes.get("agency", AGENCY), name, digest_of(BUNDLE), TIME)
        body = changes.get("body", encode(record))
        signed, kind = changes.get("signed", body), changes.get("type", REGISTRATION_TYPE)
        signatures = tuple(
            self.signature(f"{label}/{place}", signer, signed, kind)
            for place, signer in enumerate(roots)
        )
        return schema_leaf(encode(SignedRegistration(body, signatures)))


def cases(maker: Maker) -> Iterator[tuple[str, int, str, str, bytes]]:
    """(name, step, what must follow, why, leaf)."""
    good = maker.leaf("valid")
    other = encode(SchemaRegistration(AGENCY, "la.ospp/other/1", digest_of(BUNDLE), TIME))
    yield "valid", 0, "valid", "two of three roots, a new name", good
    yield (
        "valid_next",
        0,
        "valid",
        "version 2 follows",
        maker.leaf("next", "la.ospp/field_report/2"),
    )
    yield "valid_all", 0, "valid", "all three roots", maker.leaf("all", roots=ROOTS)
    yield "cut", 1, "malformed", "the last byte is gone", good[:-1]
    yield "longer", 1, "malformed", "a byte follows", good + b"\x00"
    yield (
        "spelled_longer",
        1,
        "not_canonical",
        "the array of two has a longer header",
        good[:1] + b"\xdc\x00\x02" + good[2:],
    )
    yield from named(maker)
    yield (
        "signed_twice",
        3,
        "registration_malformed",
        "one root signs twice",
        maker.leaf("twice", roots=[ROOTS[0], ROOTS[0]]),
    )
    yield from signed(maker, other, good)


def named(maker: Maker) -> Iterator[tuple[str, int, str, str, bytes]]:
    """Steps 2 and 4: the name."""
    for label, step, name, code, why in (
        ("other_agency", 2, "kh.gpo/patrol/1", "schema_namespace", "another agency's name"),
        ("longer_agency", 2, "la.ospp2/patrol/1", "schema_namespace", "a name that begins alike"),
        ("ours", 2, "saphan/patrol/1", "schema_namespace", "Saphan's own namespace"),
        ("version_zero", 2, "la.ospp/patrol/0", "schema_version", "versions count from 1"),
        ("version_padded", 2, "la.ospp/patrol/01", "schema_version", "a zero before the number"),
        ("again", 4, KNOWN, "schema_registered", "the name is registered"),
        ("gap", 4, "la.ospp/field_report/3", "schema_version", "version 2 is not registered"),
        ("second_first", 4, "la.ospp/patrol/2", "schema_version", "version 1 is not registered"),
    ):
        yield label, step, code, why, maker.leaf(label, name)


def signed(maker: Maker, other: bytes, good: bytes) -> Iterator[tuple[str, int, str, str, bytes]]:
    """Steps 5 and 6: the roots."""
    for label, roots, code, why in (
        ("one_root", ROOTS[:1], "schema_threshold", "one of the two needed"),
        ("a_stranger", [ROOTS[0], STRANGER], "schema_roots", "a key that is no root"),
        ("a_stranger_more", [*ROOTS, STRANGER], "schema_roots", "enough roots, and a stranger"),
        ("a_node", [ROOTS[0], NODE], "schema_roots", "the agency's node key"),
    ):
        yield label, 5, code, why, maker.leaf(label, roots=roots)
    bad = "signature_invalid"
    yield "other_body", 6, bad, "another registration was signed", maker.leaf("body", signed=other)
    yield (
        "other_type",
        6,
        bad,
        "signed as an operation",
        maker.leaf("type", type="saphan/operation/1"),
    )
    yield "ed25519_flipped", 6, bad, "one bit of the last Ed25519 half", flip(good, len(good) - 1)
    half = len(good) - 3373
    yield "mldsa_flipped", 6, bad, "one bit of the last ML-DSA half", flip(good, half)


def main(folder: Path) -> None:
    """Write cases.json into `folder`."""
    frozen = Frozen(HERE / "frozen_registration.json")
    maker = Maker(frozen)
    written = {
        "spec": "schemas/spec/directory.md, Checking a schema",
        "agency": AGENCY,
        "threshold": THRESHOLD,
        "roots": [root.public.hex() for root in ROOTS],
        "registered": [KNOWN],
        "bundle": BUNDLE.hex(),
        "cases": [
            {"name": name, "step": step, "expect": expect, "why": why, "leaf": leaf.hex()}
            for name, step, expect, why, leaf in cases(maker)
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(written, indent=1, ensure_ascii=False) + "\n"
    (folder / "cases.json").write_text(text, encoding="utf-8")
    frozen.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "registration")
