"""Hold orders: what an agency's order key says must not be destroyed (retention.md, Holds).

As an order on an agreement, a hold order stands in the directory log as a salted commitment, and
its package is held by its agency and the broker. Its terms are committed to once more, under a salt
of their own that never leaves the agency.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.hold_records import HoldOrder, HoldTerms, SignedHoldOrder
from saphan_schemas.limits import LIMITS
from saphan_schemas.text import check_text

from saphan_protocol.batch import sign_one
from saphan_protocol.identity import pae
from saphan_protocol.keys import SigningKey

HOLD_TYPE: Final = "saphan/hold_order/1"
TERMS_TYPE: Final = "saphan/hold_terms/1"


@dataclass(frozen=True, slots=True)
class HoldOrdered:
    """A parsed hold order; `index` is its directory leaf once it is logged."""

    order: HoldOrder
    commitment: bytes
    package: SignedHoldOrder
    index: int | None = None


def hold_commitment(salt: bytes, order: bytes) -> bytes:
    """HMAC-SHA-256(salt, PAE("saphan/hold_order/1", order)): 32 bytes in the leaf."""
    return hmac.digest(salt, pae(HOLD_TYPE, order), "sha256")


def terms_commitment(salt: bytes, terms: bytes) -> bytes:
    """HMAC-SHA-256(salt, PAE("saphan/hold_terms/1", terms)): 32 bytes in the order.

    Args:
        salt: 32 fresh random bytes that stay in the agency's node.
    """
    if len(salt) != 32:
        raise InvalidInput("salt_malformed", "a salt is exactly 32 bytes", field="salt")
    return hmac.digest(salt, pae(TERMS_TYPE, terms), "sha256")


def sign_hold(
    order: HoldOrder, keys: Sequence[SigningKey], salts: Iterable[bytes], salt: bytes
) -> bytes:
    """Bytes of a SignedHoldOrder.

    Args:
        keys: one order key, or at least the threshold of roots.
        salts: a fresh 32-byte salt for each signature; `salt`: 32 fresh bytes for the leaf.
    """
    body, fresh = encode(order), iter(salts)
    signatures = tuple(sign_one(key, HOLD_TYPE, body, next(fresh)) for key in keys)
    return encode(SignedHoldOrder(body, signatures, salt))


def parse_hold(package: bytes) -> HoldOrdered:
    """A hold order as handed over, strictly parsed; who signed it is the directory's to judge.

    Raises:
        InvalidInput: codec codes, `hold_malformed` (a key signs twice; a release of nothing).
    """
    signed = decode(SignedHoldOrder, package, ORDER_BYTES, "hold")
    order = decode(HoldOrder, signed.order, LIMITS.statement_bytes, "hold.order")
    signers = [signature.item.key for signature in signed.signatures]
    if len(set(signers)) != len(signers):
        raise InvalidInput("hold_malformed", "a key has signed twice", field="hold.signatures")
    if order.action == "release" and order.hold is None:
        raise InvalidInput(
            "hold_malformed", "a release names the order that it releases", field="hold.order"
        )
    return HoldOrdered(order, hold_commitment(signed.salt, signed.order), signed)


def parse_terms(terms: bytes) -> HoldTerms:
    """The terms of a hold order, strictly parsed.

    Raises:
        InvalidInput: codec codes, `text_forbidden`, `hold_scope` (nothing is named, something
            twice, or a period that ends before it begins).
    """
    parsed = decode(HoldTerms, terms, LIMITS.hold_terms_bytes, "terms")
    check_text(parsed.reference, "terms.reference")
    scope = parsed.scope
    for case in scope.cases:
        check_text(case, "terms.scope.cases")
    ids, texts = (scope.ids, scope.threads), (scope.schemas, scope.cases)
    if not any((*ids, *texts)) and scope.since is None and scope.until is None:
        raise _scope("it names nothing: no bulletin, type, period, thread or case")
    if any(tuple(sorted(set(part))) != part for part in ids) or any(
        tuple(sorted(set(part))) != part for part in texts
    ):
        raise _scope("what it names stands sorted, each once")
    if scope.since is not None and scope.until is not None and scope.until < scope.since:
        raise _scope("its period ends before it begins")
    return parsed


def _scope(why: str) -> InvalidInput:
    return InvalidInput(
        "hold_scope",
        f"this scope of a hold cannot be: {why}",
        field="terms.scope",
        hint="name what is held: --id, --type with --from and --to, --thread, --case",
    )
