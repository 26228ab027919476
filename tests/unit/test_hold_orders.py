"""Hold orders: who may give them, how they follow each other, what a statement may name."""

from __future__ import annotations

import msgspec
import pytest
from saphan_protocol.directory import hold_leaf, is_commitment
from saphan_protocol.hold_order import parse_hold, parse_terms, terms_commitment
from saphan_protocol.holding import Holds, check_hold
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.hold_records import HoldScope, SignedHoldOrder
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Role, Targeted
from support.agency import Agency
from support.ceremony import NOW, revoke
from support.holds import NOTHING, REVIEW, Holding, terms
from support.refusals import code_of


@pytest.fixture
def accord() -> Holding:
    return Holding()


def said(detail: bytes, by: str = "kh.gpo") -> Targeted:
    return Targeted(bytes(32), bytes(32), by, NOW, None, detail, 7)


def test_a_hold_counts_from_its_place_in_the_log(accord: Holding) -> None:
    before = accord.directory.size
    one = accord.log_hold(accord.hold())
    holds = accord.directory.holds
    assert list(holds.standing("kh.gpo")) == [one.commitment]
    assert holds.standing("kh.gpo", before) == {}
    assert holds.standing("kh.gpo", before + 1)[one.commitment].review == REVIEW
    assert holds.standing("la.ospp") == {}


def test_the_leaf_shows_nothing(accord: Holding) -> None:
    given = parse_hold(accord.hold())
    leaf = hold_leaf(given.package.salt, given.package.order)
    assert is_commitment(leaf)
    assert len(leaf) == 33
    assert b"kh.gpo" not in leaf


def test_a_release_ends_it_and_only_one_that_is_in_force(accord: Holding) -> None:
    one = accord.log_hold(accord.hold())
    accord.log_hold(accord.hold(2, release=one.commitment))
    assert accord.directory.holds.standing("kh.gpo") == {}
    again = accord.hold(3, release=one.commitment)
    assert code_of(lambda: accord.directory.check_hold_order(again)) == "hold_over"
    foreign = accord.hold(1, by="la.ospp", release=one.commitment)
    assert code_of(lambda: accord.directory.check_hold_order(foreign)) == "hold_over"


def test_another_order_moves_the_review(accord: Holding) -> None:
    one = accord.log_hold(accord.hold())
    accord.log_hold(accord.hold(2, renew=one.commitment, review=REVIEW + 365))
    (hold,) = accord.directory.holds.standing("kh.gpo").values()
    assert (hold.name, hold.review) == (one.commitment, REVIEW + 365)


@pytest.mark.parametrize("whose", ["node", "officer", "other side", "stranger"])
def test_who_is_no_order_key_of_the_agency_holds_nothing(accord: Holding, whose: str) -> None:
    key = {
        "node": accord.kh.node,
        "officer": accord.kh.officer,
        "other side": accord.orders["la.ospp"],
        "stranger": Agency("vn.bca", NOW).root,
    }[whose]
    package = accord.hold(keys=[key])
    assert code_of(lambda: accord.directory.check_hold_order(package)) == "hold_signer"


def test_a_revoked_order_key_holds_nothing_and_what_it_held_stays(accord: Holding) -> None:
    one = accord.log_hold(accord.hold())
    key = accord.orders["kh.gpo"]
    gone = accord.ceremonies["kh.gpo"].operate([revoke(Role.ORDER, key.key_id)])
    accord.directory.apply(b"\x21" + gone)
    package = accord.hold(2)
    assert code_of(lambda: accord.directory.check_hold_order(package)) == "hold_signer"
    assert one.commitment in accord.directory.holds.standing("kh.gpo")
    accord.log_hold(accord.hold(2, keys=[accord.kh.root], release=one.commitment))
    assert accord.directory.holds.standing("kh.gpo") == {}


def test_an_old_order_cannot_be_said_again(accord: Holding) -> None:
    first = accord.hold()
    one = accord.log_hold(first)
    assert code_of(lambda: accord.directory.check_hold_order(first)) == "hold_number"
    leaf = hold_leaf(one.package.salt, one.package.order)
    assert code_of(lambda: accord.directory.apply(leaf)) == "hold_known"
    assert accord.directory.add_package(first) == one


def test_a_package_without_its_leaf_is_not_opened(accord: Holding) -> None:
    package = accord.hold()
    assert code_of(lambda: accord.directory.holds.add(package)) == "hold_unlogged"


def test_an_altered_order_does_not_verify(accord: Holding) -> None:
    signed = decode(SignedHoldOrder, accord.hold(), ORDER_BYTES, "hold")
    order = parse_hold(encode(signed)).order
    other = encode(msgspec.structs.replace(order, review=order.review + 1))
    forged = encode(msgspec.structs.replace(signed, order=other))
    assert code_of(lambda: accord.directory.check_hold_order(forged)) == "signature_invalid"


def test_whoever_is_shown_one_order_need_not_be_shown_all(accord: Holding) -> None:
    packages = [accord.hold(), accord.hold(2)]
    given = [accord.log_hold(one) for one in packages]
    packages.append(accord.hold(3, release=given[1].commitment))
    given.append(accord.log_hold(packages[2]))
    keys = {accord.orders["kh.gpo"].key_id: accord.orders["kh.gpo"].verifying()}
    shown = Holds(lambda *_: 1, lambda key, *_: keys.get(key), lambda *_: {})
    for one in given:
        shown.commit(one.commitment, one.index or 0)
    assert shown.add(packages[2]) == given[2]
    assert shown.standing("kh.gpo") == {}
    assert shown.add(packages[0]) == given[0]
    assert list(shown.standing("kh.gpo")) == [given[0].commitment]
    twice = accord.hold(2)
    shown.commit(parse_hold(twice).commitment, (given[2].index or 0) + 1)
    assert code_of(lambda: shown.add(twice)) == "hold_number"


def test_each_agency_is_given_its_own_packages(accord: Holding) -> None:
    one = accord.log_hold(accord.hold())
    two = accord.log_hold(accord.hold(by="la.ospp"))
    directory = accord.directory
    found = directory.packages("kh.gpo", 0, directory.size)
    assert found[one.index or 0] == encode(one.package)
    assert two.index not in found
    assert directory.packages("la.ospp", two.index or 0, directory.size) == {
        two.index: encode(two.package)
    }


def test_a_statement_names_a_hold_of_its_issuer_in_force(accord: Holding) -> None:
    holds = accord.directory.holds
    one = accord.log_hold(accord.hold())
    assert check_hold(holds, Event.HELD, said(one.commitment), None) == one.commitment
    at = one.index
    assert code_of(lambda: check_hold(holds, Event.HELD, said(one.commitment), at)) == (
        "hold_unknown"
    )
    foreign = said(one.commitment, "la.ospp")
    assert code_of(lambda: check_hold(holds, Event.HELD, foreign, None)) == "hold_unknown"
    assert code_of(lambda: check_hold(holds, Event.HELD, said(bytes(32)), None)) == "hold_unknown"
    assert code_of(lambda: check_hold(holds, Event.RELEASED, said(one.commitment), None)) == (
        "hold_action"
    )


def test_a_release_is_named_by_its_own_order(accord: Holding) -> None:
    holds = accord.directory.holds
    one = accord.log_hold(accord.hold())
    two = accord.log_hold(accord.hold(2, release=one.commitment))
    assert check_hold(holds, Event.RELEASED, said(two.commitment), None) == one.commitment
    assert code_of(lambda: check_hold(holds, Event.HELD, said(two.commitment), None)) == (
        "hold_action"
    )
    assert code_of(lambda: check_hold(holds, Event.HELD, said(one.commitment), None)) == (
        "hold_over"
    )
    before = two.index
    assert check_hold(holds, Event.HELD, said(one.commitment), before) == one.commitment


def test_terms_name_something_once_and_in_order() -> None:
    fine = terms(cases=("A 1", "B 2"), since=1, until=2)
    assert parse_terms(encode(fine)) == fine
    for scope in (
        NOTHING,
        HoldScope((b"b" * 32, b"a" * 32), (), None, None, (), ()),
        HoldScope((), (), None, None, (), ("A 1", "A 1")),
        HoldScope((), (), 2, 1, (), ()),
    ):
        wrong = encode(msgspec.structs.replace(fine, scope=scope))
        with pytest.raises(InvalidInput, match="hold_scope"):
            parse_terms(wrong)


def test_the_longest_terms_have_room() -> None:
    ids = tuple(sorted(number.to_bytes(32) for number in range(LIMITS.hold_ids)))
    threads = ids[: LIMITS.hold_parts]
    schemas = tuple(sorted(f"aa.{'b' * 31}/{'t' * 41}/{n}" for n in range(LIMITS.hold_parts)))
    cases = tuple(sorted(f"{n:02d}" + "\u17a0" * 198 for n in range(LIMITS.hold_parts)))
    long = terms("\u17a0" * 400, ids=ids, threads=threads, schemas=schemas, cases=cases)
    assert len(encode(long)) <= LIMITS.hold_terms_bytes
    assert parse_terms(encode(long)) == long


def test_terms_are_committed_to_under_their_own_salt() -> None:
    body = encode(terms())
    assert terms_commitment(bytes(32), body) != terms_commitment(bytes([1]) + bytes(31), body)
    assert code_of(lambda: terms_commitment(b"", body)) == "salt_malformed"
