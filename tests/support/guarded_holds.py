"""Hold orders and their terms, each with who notices a changed byte."""

from __future__ import annotations

from saphan_protocol.directory import hold_leaf
from saphan_protocol.hold_order import parse_hold, parse_terms, sign_hold, terms_commitment
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.hold_records import HoldOrder, SignedHoldOrder

from support.agency import seed
from support.ceremony import NOW, replay
from support.guarded_directory import ALL, KH
from support.holds import terms
from support.mauling import Guarded, codes, named

TERMS = encode(terms(ids=(bytes(32),), cases=("AB 12",), schemas=("saphan/training_notice/1",)))
SALT = seed("terms of a hold", 32)
RECORD = HoldOrder("kh.gpo", 1, "hold", None, terms_commitment(SALT, TERMS), 21_000, NOW)
PACKAGE = sign_hold(
    RECORD, [KH.agency.root], [seed("signature of a hold", 32)], seed("leaf of a hold", 32)
)
HELD = parse_hold(PACKAGE).package
BEFORE = replay(ALL)
LOGGED = replay([*ALL, hold_leaf(HELD.salt, HELD.order)])


def _with_order(order: bytes) -> bytes:
    return encode(SignedHoldOrder(order, HELD.signatures, HELD.salt))


def _judge_terms(data: bytes) -> None:
    parse_terms(data)
    if terms_commitment(SALT, data) != RECORD.terms:
        raise InvalidInput("hold_terms", "the order commits to other terms than these")


HOLDS = named(
    Guarded(
        "hold order",
        PACKAGE,
        LOGGED.add_package,
        codes("malformed agreement_unlogged hold_signer signature_invalid"),
        codes("not_canonical batch_path key_mismatch hold_malformed"),
        stride=3,
        values=1,
    ),
    Guarded(
        "hold order's text, before it is logged",
        HELD.order,
        lambda data: BEFORE.check_hold_order(_with_order(data)),
        codes("malformed signature_invalid hold_signer"),
        codes("not_canonical hold_number hold_malformed"),
        values=8,
    ),
    Guarded(
        "terms of a hold",
        TERMS,
        _judge_terms,
        codes("malformed hold_terms"),
        codes("not_canonical hold_scope text_forbidden"),
        values=8,
    ),
)
