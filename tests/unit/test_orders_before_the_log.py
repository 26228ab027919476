"""Orders that bind before the log shows them follow each other; none is for what was replaced."""

from __future__ import annotations

from functools import partial

import pytest
from saphan.node.trust.agreed import describe_agreement
from support.accords import Accord
from support.refusals import code_of


@pytest.fixture
def accord() -> Accord:
    return Accord()


def described(accord: Accord) -> tuple[int, list[tuple[int, str, bool]]]:
    """Own orders, and (number, action, whether the log shows it) of all."""
    agreed = accord.directory.agreed.find(accord.name)
    assert agreed is not None
    found = describe_agreement(accord.directory, agreed, "kh.gpo")
    return found["own_orders"], [
        (one["number"], one["action"], one["logged"]) for one in found["orders"]
    ]


def test_who_suspends_while_the_broker_is_away_can_take_it_back(accord: Accord) -> None:
    first, second = accord.order("suspend"), accord.order("resume", number=2)
    again, early = accord.order("suspend", number=2), accord.order("resume", number=1)
    accord.directory.bind_order(first)
    assert described(accord) == (1, [(1, "suspend", False)])
    for package, code in ((first, "order_number"), (again, "order_idle"), (early, "order_number")):
        assert code_of(partial(accord.directory.bind_order, package)) == code
    accord.directory.bind_order(second)
    assert accord.standing() == ("in_force",)
    accord.log(first)
    assert accord.standing() == ("in_force",)
    accord.log(second)
    assert described(accord) == (2, [(1, "suspend", True), (2, "resume", True)])


def test_an_order_brought_after_another_binds_again_when_the_first_is_logged(
    accord: Accord,
) -> None:
    """A node that starts anew binds what it was brought, each as at its place then."""
    first, second = accord.order("suspend"), accord.order("resume", number=2)
    leaves = accord.directory.size
    accord.log(first)
    accord.directory.bind_order(first, leaves)
    accord.directory.bind_order(second, leaves)
    assert accord.standing() == ("in_force",)


def test_nobody_suspends_an_agreement_that_a_renewal_has_replaced(accord: Accord) -> None:
    """It would stop nothing, and whoever gave the order at midnight would not know."""
    before = accord.directory.size
    new = accord.agree(reference="exercise-2", replaces=accord.name)
    package = accord.order("suspend")
    assert code_of(lambda: accord.directory.check_order(package)) == "order_idle"
    assert code_of(lambda: accord.directory.bind_order(package)) == "order_idle"
    accord.directory.bind_order(package, before)  # it was given before
    assert accord.standing() == ("replaced",)
    accord.log(accord.order("suspend", name=new))
    assert accord.standing(name=new) == ("suspended", "kh.gpo")
