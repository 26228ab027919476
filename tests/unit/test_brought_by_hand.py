"""What was brought by another way than the log: it binds now, and never the past."""

from __future__ import annotations

import pytest
from saphan_protocol.keys import SigningKey
from saphan_schemas.records import Role
from support.accords import Accord
from support.agency import Agency
from support.ceremony import NOW, add, revoke
from support.refusals import code_of


@pytest.fixture
def accord() -> Accord:
    return Accord()


def test_an_order_brought_by_hand_binds_at_once_and_not_the_past(accord: Accord) -> None:
    package = accord.order("suspend")
    accord.directory.bind_order(package)
    assert accord.standing() == ("suspended", "kh.gpo")
    assert accord.standing(at=accord.directory.size) == ("in_force",)


def test_what_was_bound_by_hand_ends_with_the_log(accord: Accord) -> None:
    package = accord.order("suspend")
    accord.directory.bind_order(package)
    accord.log(package)
    accord.log(accord.order("resume", number=2))
    assert accord.standing() == ("in_force",)


def test_an_order_by_hand_of_a_key_that_was_revoked_by_hand_binds_nobody(accord: Accord) -> None:
    """A thief of the order key lets go on by hand what the log shows suspended."""
    accord.log(accord.order("suspend"))
    key = accord.orders["kh.gpo"]
    accord.directory.bind(accord.ceremonies["kh.gpo"].operate([revoke(Role.ORDER, key.key_id)]))
    resumed = accord.order("resume", number=2)
    assert code_of(lambda: accord.directory.bind_order(resumed)) == "order_signer"
    assert accord.standing() == ("suspended", "kh.gpo")
    accord.log(resumed)  # what the log takes counts
    assert accord.standing() == ("in_force",)


def test_an_order_brought_by_hand_is_judged_as_it_was_when_it_was_brought(accord: Accord) -> None:
    package, brought = accord.order("suspend"), accord.directory.size
    key = accord.orders["kh.gpo"]
    gone = accord.ceremonies["kh.gpo"].operate([revoke(Role.ORDER, key.key_id)])
    accord.directory.apply(b"\x21" + gone)
    assert code_of(lambda: accord.directory.bind_order(package)) == "order_signer"
    accord.directory.bind_order(package, brought)  # a restart forgets nothing
    assert accord.standing() == ("suspended", "kh.gpo")


def test_a_thief_of_the_order_key_cannot_undo_a_termination_by_hand(accord: Accord) -> None:
    accord.directory.bind_order(accord.order("terminate", keys=[accord.kh.root]))
    accord.log(accord.order("suspend"))
    accord.log(accord.order("resume", number=2))
    assert accord.standing() == ("terminated", "kh.gpo")
    assert accord.standing(at=accord.directory.size) == ("in_force",)


def test_a_revocation_brought_by_hand_binds_at_once_and_not_the_past(accord: Accord) -> None:
    directory, kh = accord.directory, accord.kh
    signed = accord.ceremonies["kh.gpo"].operate([revoke(Role.NODE, kh.node.key_id)])
    assert directory.bind(signed) == (kh.node.key_id,)
    assert code_of(lambda: directory.key(kh.node.key_id, Role.NODE)) == "key_revoked"
    assert directory.keys("kh.gpo", Role.NODE) == []
    assert directory.key(kh.node.key_id, Role.NODE, directory.size).agency == "kh.gpo"
    assert directory.is_bound(kh.node.key_id)
    directory.apply(b"\x21" + signed)
    assert not directory.is_bound(kh.node.key_id)
    assert code_of(lambda: directory.key(kh.node.key_id, Role.NODE)) == "key_revoked"


def test_a_revocation_by_another_root_binds_nothing(accord: Accord) -> None:
    ceremony = accord.ceremonies["kh.gpo"]
    signed = ceremony.operate([revoke(Role.NODE, accord.kh.node.key_id)], roots=[accord.la.root])
    assert code_of(lambda: accord.directory.bind(signed)) == "operation_threshold"
    assert accord.directory.key(accord.kh.node.key_id, Role.NODE).agency == "kh.gpo"


def test_an_operation_that_revokes_nothing_is_not_bound(accord: Accord) -> None:
    key = Agency("vn.bca", NOW).node
    signed = accord.ceremonies["kh.gpo"].operate([add(Role.NODE, key.public)], new=[key])
    assert code_of(lambda: accord.directory.bind(signed)) == "revokes_nothing"


def test_a_revocation_by_hand_binds_a_key_that_the_log_shows_later(accord: Accord) -> None:
    """The broker holds back an enrolment and the revocation that follows, then shows the first."""
    directory, ceremony = accord.directory, accord.ceremonies["kh.gpo"]
    key = Agency("vn.bca", NOW).node
    added = ceremony.operate([add(Role.NODE, key.public)], new=[key])
    signed = ceremony.operate([revoke(Role.NODE, key.key_id)])
    assert directory.bind(signed) == (key.key_id,)
    directory.apply(b"\x21" + added)
    assert code_of(lambda: directory.key(key.key_id, Role.NODE)) == "key_revoked"
    assert directory.is_bound(key.key_id)


def test_a_revocation_by_hand_touches_no_key_of_another_agency(accord: Accord) -> None:
    directory, key = accord.directory, accord.la.node.key_id
    signed = accord.ceremonies["kh.gpo"].operate([revoke(Role.NODE, key)])
    assert code_of(lambda: directory.bind(signed)) == "revokes_nothing"
    later = Agency("vn.bca", NOW)
    signed = accord.ceremonies["kh.gpo"].operate([revoke(Role.NODE, later.node.key_id)])
    directory.bind(signed)
    directory.apply(b"\x21" + later.enrolment())
    assert directory.key(later.node.key_id, Role.NODE).agency == "vn.bca"


def test_an_operation_by_hand_needs_the_threshold_of_today(accord: Accord) -> None:
    """Signed by one root of one; by now it takes two of two."""
    directory, ceremony, kh = accord.directory, accord.ceremonies["kh.gpo"], accord.kh
    old, brought = ceremony.operate([revoke(Role.NODE, kh.node.key_id)]), directory.size
    raise_threshold(accord)
    assert code_of(lambda: directory.bind(old)) == "operation_threshold"
    directory.bind(old, brought)  # it was good when it was brought: a restart forgets nothing
    assert code_of(lambda: directory.key(kh.node.key_id, Role.NODE)) == "key_revoked"


def test_an_operation_by_hand_of_the_threshold_of_today_binds(accord: Accord) -> None:
    directory, ceremony, kh = accord.directory, accord.ceremonies["kh.gpo"], accord.kh
    second = raise_threshold(accord)
    both = ceremony.operate(
        [revoke(Role.NODE, kh.node.key_id)], roots=[kh.root, second], threshold=2
    )
    assert directory.bind(both) == (kh.node.key_id,)


def raise_threshold(accord: Accord) -> SigningKey:
    """The log shows an operation with a second root of kh.gpo; both must sign from then on."""
    directory, ceremony, kh = accord.directory, accord.ceremonies["kh.gpo"], accord.kh
    ceremony.version, ceremony.last, _ = directory.version("kh.gpo")
    second = SigningKey(Role.ROOT, kh.random(64))
    raised = ceremony.operate(
        [add(Role.ROOT, second.public)], new=[second], roots=[kh.root, second], threshold=2
    )
    directory.apply(b"\x21" + raised)
    return second


def test_a_renewal_does_not_undo_a_suspension_that_the_log_has_not_heard_of(
    accord: Accord,
) -> None:
    """The broker is away for one side at midnight; the other one brings what all had signed."""
    accord.directory.bind_order(accord.order("suspend"))
    new = accord.agree(reference="exercise-2", replaces=accord.name)
    assert accord.standing(name=new) == ("suspended", "kh.gpo")
    assert accord.standing(name=new, at=accord.directory.size) == ("in_force",)
    accord.log(accord.order("suspend", name=new))
    accord.log(accord.order("resume", number=2, name=new))
    assert accord.standing(name=new) == ("in_force",)
