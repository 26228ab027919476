"""Orders on agreements: suspend, resume, terminate (design section 1; directory.md, Orders).

An order is one party's own word and needs nobody's consent. Like the agreement it stands in the
directory log as a salted commitment; its text is held by the parties and the broker.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import AgreementOrder, SignedOrder
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.limits import LIMITS
from saphan_schemas.text import check_text

from saphan_protocol.batch import sign_one
from saphan_protocol.identity import pae
from saphan_protocol.keys import SigningKey

ORDER_TYPE: Final = "saphan/agreement_order/1"


@dataclass(frozen=True, slots=True)
class Ordered:
    """A parsed order; `index` is its directory leaf once it is logged."""

    order: AgreementOrder
    commitment: bytes
    package: SignedOrder
    index: int | None = None


def order_commitment(salt: bytes, order: bytes) -> bytes:
    """HMAC-SHA-256(salt, PAE("saphan/agreement_order/1", order)): 32 bytes in the leaf."""
    return hmac.digest(salt, pae(ORDER_TYPE, order), "sha256")


def sign_order(
    order: AgreementOrder, keys: Sequence[SigningKey], salts: Iterable[bytes], salt: bytes
) -> bytes:
    """Bytes of a SignedOrder.

    Args:
        keys: one order key, or at least the threshold of roots.
        salts: a fresh 32-byte salt for each signature; `salt`: 32 fresh bytes for the leaf.
    """
    body, fresh = encode(order), iter(salts)
    signatures = tuple(sign_one(key, ORDER_TYPE, body, next(fresh)) for key in keys)
    return encode(SignedOrder(body, signatures, salt))


def parse_order(package: bytes) -> Ordered:
    """An order as handed over, strictly parsed; who signed it is the directory's to judge.

    Raises:
        InvalidInput: codec codes, `text_forbidden`, `order_malformed` (a key signs twice).
    """
    signed = decode(SignedOrder, package, ORDER_BYTES, "order")
    order = decode(AgreementOrder, signed.order, LIMITS.statement_bytes, "order.order")
    if order.reason is not None:
        check_text(order.reason, "order.reason")
    signers = [signature.item.key for signature in signed.signatures]
    if len(set(signers)) != len(signers):
        raise InvalidInput("order_malformed", "a key has signed twice", field="order.signatures")
    return Ordered(order, order_commitment(signed.salt, signed.order), signed)
