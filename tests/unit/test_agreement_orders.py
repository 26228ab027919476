"""Orders on agreements: who may suspend, resume and terminate, and from which place they count."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from saphan_protocol import standing
from saphan_protocol.agreement_order import Ordered, parse_order
from saphan_protocol.directory import agreement_leaf, order_leaf
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import SignedOrder
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.records import Role
from support.accords import Accord
from support.agency import Agency, agreement
from support.ceremony import NOW, PINS, revoke
from support.refusals import code_of

Action = Literal["suspend", "terminate"]


@pytest.fixture
def accord() -> Accord:
    return Accord()


def test_a_suspension_counts_from_its_place_in_the_log(accord: Accord) -> None:
    before = accord.directory.size
    accord.log(accord.order("suspend"))
    assert accord.standing(at=before) == ("in_force",)
    assert accord.standing() == ("suspended", "kh.gpo")
    assert accord.standing(at=before + 1) == ("suspended", "kh.gpo")


def test_each_side_resumes_only_what_it_has_suspended(accord: Accord) -> None:
    accord.log(accord.order("suspend", "kh.gpo"))
    accord.log(accord.order("suspend", "la.ospp"))
    assert accord.standing() == ("suspended", "kh.gpo", "la.ospp")
    accord.log(accord.order("resume", "kh.gpo", 2))
    assert accord.standing() == ("suspended", "la.ospp")
    accord.log(accord.order("resume", "la.ospp", 2))
    assert accord.standing() == ("in_force",)


def test_a_termination_is_for_good(accord: Accord) -> None:
    accord.log(accord.order("terminate", keys=[accord.kh.root]))
    assert accord.standing() == ("terminated", "kh.gpo")
    resumed = accord.order("resume", number=2)
    assert code_of(lambda: accord.directory.check_order(resumed)) == "agreement_ended"


def test_an_order_key_does_not_terminate(accord: Accord) -> None:
    package = accord.order("terminate")
    assert code_of(lambda: accord.directory.check_order(package)) == "order_signer"


@pytest.mark.parametrize("whose", ["node", "officer", "other side", "stranger"])
def test_who_is_no_order_key_of_the_agency_suspends_nothing(accord: Accord, whose: str) -> None:
    key = {
        "node": accord.kh.node,
        "officer": accord.kh.officer,
        "other side": accord.orders["la.ospp"],
        "stranger": Agency("vn.bca", NOW).root,
    }[whose]
    package = accord.order("suspend", keys=[key])
    assert code_of(lambda: accord.directory.check_order(package)) == "order_signer"


def test_a_revoked_order_key_suspends_nothing(accord: Accord) -> None:
    key = accord.orders["kh.gpo"]
    gone = accord.ceremonies["kh.gpo"].operate([revoke(Role.ORDER, key.key_id)])
    accord.directory.apply(b"\x21" + gone)
    package = accord.order("suspend")
    assert code_of(lambda: accord.directory.check_order(package)) == "order_signer"


def test_roots_may_suspend_where_there_is_no_order_key(accord: Accord) -> None:
    accord.log(accord.order("suspend", keys=[accord.kh.root]))
    assert accord.standing() == ("suspended", "kh.gpo")


def test_an_old_suspension_is_not_said_again_after_the_resumption(accord: Accord) -> None:
    first = accord.order("suspend")
    accord.log(first)
    accord.log(accord.order("resume", number=2))
    assert code_of(lambda: accord.directory.check_order(first)) == "order_number"
    again = accord.order("resume", number=3)
    assert code_of(lambda: accord.directory.check_order(again)) == "order_idle"


def test_an_order_changed_after_its_signature_is_refused(accord: Accord) -> None:
    signed = decode(SignedOrder, accord.order("suspend"), ORDER_BYTES, "order")
    changed = signed.order.replace(b"suspend", b"suspenD")
    forged = encode(msgspec.structs.replace(signed, order=changed))
    assert code_of(lambda: accord.directory.check_order(forged)) == "malformed"
    record = parse_order(accord.order("suspend")).order
    other = encode(msgspec.structs.replace(record, time=NOW + 1))
    forged = encode(msgspec.structs.replace(signed, order=other))
    assert code_of(lambda: accord.directory.check_order(forged)) == "signature_invalid"


def test_a_stranger_to_the_agreement_orders_nothing(accord: Accord) -> None:
    vn = Agency("vn.bca", NOW)
    accord.orders["vn.bca"] = vn.root
    package = accord.order("suspend", "vn.bca")
    assert code_of(lambda: accord.directory.check_order(package)) == "agreement_party"


def test_an_order_on_an_unknown_agreement_is_refused(accord: Accord) -> None:
    package = accord.order("suspend", name=b"\x07" * 32)
    assert code_of(lambda: accord.directory.check_order(package)) == "agreement_unknown"


def test_an_order_that_no_leaf_commits_to_opens_nothing(accord: Accord) -> None:
    package = accord.order("suspend")
    assert code_of(lambda: accord.directory.add_package(package)) == "agreement_unlogged"
    assert accord.standing() == ("in_force",)


def test_an_order_handed_in_twice_counts_once(accord: Accord) -> None:
    package = accord.order("suspend")
    accord.log(package)
    accord.directory.add_package(package)
    assert accord.standing() == ("suspended", "kh.gpo")
    accord.log(accord.order("resume", number=2))
    assert accord.standing() == ("in_force",)


def test_texts_that_come_in_another_order_than_their_leaves_say_the_same(accord: Accord) -> None:
    """An auditor opens the packs of two parties one after the other."""
    directory = accord.directory
    orders = [accord.order("suspend", "kh.gpo"), accord.order("suspend", "la.ospp")]
    sizes = []
    for package in orders:
        signed = decode(SignedOrder, package, ORDER_BYTES, "order")
        directory.apply(order_leaf(signed.salt, signed.order))
        sizes.append(directory.size)
    for package in reversed(orders):
        directory.add_package(package)
    assert accord.standing(at=sizes[0]) == ("suspended", "kh.gpo")
    assert accord.standing(at=sizes[1]) == accord.standing() == ("suspended", "kh.gpo", "la.ospp")


def test_agreements_that_come_late_stand_where_their_leaves_do(accord: Accord) -> None:
    directory = accord.directory
    names = {}
    for reference in ("exercise-2", "exercise-3"):
        package = agreement([accord.la, accord.kh], *PINS, NOW, reference=reference)
        signed = parse_agreement_package(package)
        directory.apply(agreement_leaf(signed.salt, signed.agreement))
        names[reference] = package
    directory.add_package(names["exercise-3"])
    directory.add_package(names["exercise-2"])
    found = [one.text.reference for one in directory.agreements("la.ospp", "kh.gpo")]
    assert found[1:] == ["exercise-2", "exercise-3"]


# --- renewal --------------------------------------------------------------------------------------


def test_a_renewal_ends_the_agreement_that_it_names(accord: Accord) -> None:
    before = accord.directory.size
    new = accord.agree(reference="exercise-2", replaces=accord.name)
    assert accord.standing() == ("replaced",)
    assert accord.standing(at=before) == ("in_force",)
    assert accord.standing(name=new) == ("in_force",)


def test_a_renewal_cannot_leave_a_party_out(accord: Accord) -> None:
    vn = Agency("vn.bca", NOW)
    accord.directory.apply(b"\x21" + vn.enrolment())
    kh, accord.kh = accord.kh, vn
    code = code_of(lambda: accord.agree(reference="exercise-2", replaces=accord.name))
    accord.kh = kh
    assert code == "agreement_replaces"
    assert accord.standing() == ("in_force",)


@pytest.mark.parametrize("order", ["suspend", "terminate"])
def test_a_renewal_that_lay_with_a_partner_undoes_no_order(accord: Accord, order: Action) -> None:
    """Signed by all while all was well; brought by one when the other has stopped the exchange."""
    accord.log(accord.order(order, keys=[accord.kh.root]))
    code = code_of(lambda: accord.agree(reference="exercise-2", replaces=accord.name))
    assert code == "agreement_replaces"
    if order == "suspend":
        accord.log(accord.order("resume", number=2))
        accord.agree(reference="exercise-2", replaces=accord.name)
        assert accord.standing() == ("replaced",)


def test_an_agreement_is_renewed_once(accord: Accord) -> None:
    """Of two drafts that all have signed the wider one would win."""
    accord.agree(reference="exercise-2", replaces=accord.name)
    code = code_of(lambda: accord.agree(reference="exercise-3", replaces=accord.name))
    assert code == "agreement_replaces"


def test_who_asks_while_an_order_comes_hears_how_it_stands_after_it_or_stood_before(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bulletins are judged on other threads meanwhile."""
    heard = list[tuple[str, ...]]()
    after = standing.after

    def asked(now: standing.Standing, ordered: Ordered) -> standing.Standing:
        heard.append(accord.standing())
        return after(now, ordered)

    monkeypatch.setattr(standing, "after", asked)
    accord.log(accord.order("suspend", "kh.gpo"))
    accord.log(accord.order("suspend", "la.ospp"))
    assert ("in_force",) in heard
    assert ("suspended", "kh.gpo") in heard
    assert accord.standing() == ("suspended", "kh.gpo", "la.ospp")
