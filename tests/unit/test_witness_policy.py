"""A proof is witnessed when the agreement's policy says so, not when anybody has signed."""

from __future__ import annotations

import pytest
from saphan.node.proving.witness_policy import UNAGREED, policy, witnessed
from saphan_protocol.directory import Directory
from saphan_schemas.directory_records import WitnessPolicy
from support.accords import Accord

LA, KH, VN = "la.ospp", "kh.gpo", "vn.vks"


@pytest.mark.parametrize(
    ("found", "names", "expected"),
    [
        (WitnessPolicy(1, False), [], False),
        (WitnessPolicy(1, False), [LA], False),  # an agency is no witness for what it shows itself
        (WitnessPolicy(1, False), [KH], True),
        (WitnessPolicy(1, True), [LA], True),
        (WitnessPolicy(2, False), [LA, KH], False),
        (WitnessPolicy(2, False), [KH, VN], True),
        (WitnessPolicy(2, True), [LA, KH, KH], True),
        (WitnessPolicy(0, False), [], True),
    ],
)
def test_the_quorum_counts_agencies(found: WitnessPolicy, names: list[str], expected: bool) -> None:
    assert witnessed(found, LA, names) is expected


def test_without_an_agreement_one_other_agency_is_asked_for() -> None:
    assert policy(Directory(), (LA, LA)) == UNAGREED == WitnessPolicy(1, False)


def test_the_newest_agreement_in_force_says_how_many() -> None:
    accord = Accord(witnesses=WitnessPolicy(2, True))
    assert policy(accord.directory, (LA, KH)) == WitnessPolicy(2, True)
    renewed = accord.agree(
        witnesses=WitnessPolicy(3, False), replaces=accord.name, reference="renewed"
    )
    assert policy(accord.directory, (LA, KH)) == WitnessPolicy(3, False)
    accord.log(accord.order("suspend", name=renewed))
    assert policy(accord.directory, (KH, LA)) == WitnessPolicy(3, False)  # none is in force
    accord.agree(witnesses=WitnessPolicy(0, False), reference="beside")
    assert policy(accord.directory, (KH, LA)) == WitnessPolicy(0, False)
