"""Orders as this side makes them: by its order key at once, by several roots as a draft."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan.agency_file import AgencyFile
from saphan.agreements.draft import merge, propose, sign
from saphan.agreements.order_draft import (
    OrderDraft,
    draft_order,
    finish_order,
    format_order_draft,
    parse_order_draft,
)
from saphan.agreements.orders import Action, keep_order, kept_orders, make_order, order_by_key
from saphan.agreements.terms import first_terms, parse_terms
from saphan.keys.keyfiles import SecretKey, new_key
from saphan.office import Office
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.agreement_order import ORDER_TYPE, parse_order
from saphan_protocol.batch import verify_one
from saphan_protocol.identity import identity
from saphan_protocol.keys import VerifyingKey
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Role, Signature
from support.pin_files import pins

NOW = 1_752_624_000_000
ACTIONS: tuple[Action, ...] = ("suspend", "resume")
ROOTS = [new_key(Role.ROOT) for _ in range(3)]
LA = AgencyFile(agency="la.ospp", threshold=2, roots=tuple(root.public for root in ROOTS))
KH = AgencyFile(agency="kh.gpo", threshold=1, roots=(new_key(Role.ROOT).public,))
TEXT = propose(parse_terms(first_terms(["la.ospp", "kh.gpo"], date(2025, 7, 16))), [LA, KH], pins())
NAME = identity(AGREEMENT_TYPE, TEXT.text)


def drafted(*signers: SecretKey, number: int = 1) -> OrderDraft:
    order = make_order(NAME, "la.ospp", "terminate", number, NOW, "ended by both ministers")
    draft = draft_order(order, TEXT.text, LA)
    for root in signers:
        draft = draft.sign(root.signing())
    return draft


def test_the_holders_sign_one_after_the_other_and_the_threshold_ends_it() -> None:
    half = parse_order_draft(format_order_draft(drafted(ROOTS[2])))
    assert not half.complete
    with pytest.raises(SaphanError, match="agreement_threshold"):
        finish_order(half)
    whole = half.sign(ROOTS[0].signing())
    assert parse_order_draft(format_order_draft(whole)) == whole
    package = parse_order(finish_order(whole))
    assert package.order == whole.order
    signers = {signature.item.key for signature in package.package.signatures}
    assert signers == {ROOTS[0].key_id, ROOTS[2].key_id}


def test_who_signs_twice_has_signed_once() -> None:
    assert drafted(ROOTS[0], ROOTS[0]) != drafted()
    assert len(drafted(ROOTS[0], ROOTS[0]).signatures) == 1


def test_a_root_of_another_agency_does_not_sign() -> None:
    with pytest.raises(SaphanError, match="root_foreign"):
        drafted(new_key(Role.ROOT))


def other_order(value: dict[str, Any], _: OrderDraft) -> None:
    value["order"] = json.loads(format_order_draft(drafted(number=2)))["order"]


def other_agreement(value: dict[str, Any], _: OrderDraft) -> None:
    terms = parse_terms(first_terms(["la.ospp", "kh.gpo"], date(2025, 7, 17)))
    text = propose(terms, [LA, KH], pins()).text
    order = make_order(identity(AGREEMENT_TYPE, text), "la.ospp", "suspend", 1, NOW, None)
    value["agreement"] = json.loads(format_order_draft(draft_order(order, text, LA)))["agreement"]


def other_roots(value: dict[str, Any], _: OrderDraft) -> None:
    value["roots"] = value["roots"][1:]


def signed_twice(value: dict[str, Any], _: OrderDraft) -> None:
    value["signatures"] *= 2


def one_more_member(value: dict[str, Any], _: OrderDraft) -> None:
    value["more"] = 1


def later_format(value: dict[str, Any], _: OrderDraft) -> None:
    value["saphan"] = "order-draft/2"


def no_roots(value: dict[str, Any], _: OrderDraft) -> None:
    value["roots"] = []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (other_order, "signature_invalid"),
        (other_agreement, "order_draft_malformed"),
        (other_roots, "order_draft_malformed"),
        (signed_twice, "order_draft_malformed"),
        (one_more_member, "order_draft_malformed"),
        (later_format, "order_draft_malformed"),
        (no_roots, "order_draft_malformed"),
    ],
)
def test_a_draft_that_was_changed_is_refused_whole(
    change: Callable[[dict[str, Any], OrderDraft], None], code: str
) -> None:
    draft = drafted(ROOTS[0])
    value = json.loads(format_order_draft(draft))
    change(value, draft)
    with pytest.raises(SaphanError, match=code):
        parse_order_draft(json.dumps(value).encode())


def test_an_order_key_signs_alone() -> None:
    key = new_key(Role.ORDER)
    order = make_order(NAME, "la.ospp", "suspend", 1, NOW, None)
    package = parse_order(order_by_key(order, key.signing()))
    (signature,) = package.package.signatures
    verify_one(signature, VerifyingKey(Role.ORDER, key.public), ORDER_TYPE, package.package.order)


@pytest.mark.parametrize(
    ("reason", "number", "code"),
    [("x" * 401, 1, "malformed"), ("\u202eright to left", 1, "text_forbidden"), (None, 0, "malf")],
)
def test_an_order_that_others_would_refuse_is_not_made(
    reason: str | None, number: int, code: str
) -> None:
    with pytest.raises(SaphanError, match=code):
        make_order(NAME, "la.ospp", "suspend", number, NOW, reason)


def test_orders_are_kept_beside_the_agreement_for_their_salts(tmp_path: Path) -> None:
    office, key = Office(tmp_path), new_key(Role.ORDER).signing()
    orders = [
        make_order(NAME, "la.ospp", action, number, NOW, None)
        for number, action in enumerate(ACTIONS, 1)
    ]
    for order in orders:
        path = keep_order(office, "la-kh", order_by_key(order, key))
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.suffix == ".saphan"
    assert [one.order for one in kept_orders(office, NAME, "la-kh")] == orders
    assert list(kept_orders(office, bytes(32), "la-kh")) == []


def test_copies_that_went_different_ways_come_together() -> None:
    one, other = drafted(ROOTS[0]), drafted(ROOTS[1])
    assert one.merged(other, one).complete
    with pytest.raises(SaphanError, match="draft_differs"):
        one.merged(drafted(ROOTS[1], number=2))
    with pytest.raises(SaphanError, match="signature_invalid"):
        one.merged(replace(other, signatures=(altered(other),)))


def altered(draft: OrderDraft) -> Signature:
    (signature,) = draft.signatures
    return msgspec.structs.replace(signature, signature=bytes(len(signature.signature)))


def test_copies_of_an_agreement_come_together_too() -> None:
    copies = [sign(TEXT, root.signing(), pins(), bytes(32)) for root in ROOTS[:2]]
    assert merge(*copies).missing == ("kh.gpo",)
    terms = parse_terms(first_terms(["la.ospp", "kh.gpo"], date(2025, 7, 17)))
    with pytest.raises(SaphanError, match="draft_differs"):
        merge(copies[0], propose(terms, [LA, KH], pins()))
