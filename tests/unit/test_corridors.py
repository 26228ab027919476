"""What a bulletin takes from the agreements where its author says nothing."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.agreements.terms import DEFAULT_RETAIN_DAYS
from saphan.corridors import Allowed, allowed

NOTICE, SEIZURE = "saphan/training_notice/1", "saphan/drug_seizure/1"
NOW = 1_000


def agreement(to: str, days: int, codes: list[str], **changes: Any) -> dict[str, Any]:
    rule = {"sender": "la.ospp", "recipient": to, "schemas": [NOTICE], "retain_days": days}
    return {
        "condition": "in_force",
        "valid_from": NOW,
        "valid_until": NOW + 1,
        "default_handling": codes,
        "rules": [rule],
        **changes,
    }


def found(
    *agreements: dict[str, Any], to: tuple[str, ...] = ("kh.gpo",), now: int = NOW
) -> Allowed:
    return allowed({"agreements": list(agreements)}, "la.ospp", to, NOTICE, now)


def test_one_agreement_says_how_long_and_under_which_codes() -> None:
    assert found(agreement("kh.gpo", 90, ["H0"])) == Allowed(90, ("H0",))


def test_for_several_recipients_the_shortest_time_and_every_code_hold() -> None:
    both = (agreement("kh.gpo", 90, ["H2"]), agreement("vn.vks", 30, ["H1"]))
    assert found(*both, to=("kh.gpo", "vn.vks")) == Allowed(30, ("H1", "H2"))


def test_of_two_agreements_the_newer_one_names_the_codes() -> None:
    both = (agreement("kh.gpo", 90, ["H2"]), agreement("kh.gpo", 30, ["H1"]))
    assert found(*both) == Allowed(90, ("H1",))


@pytest.mark.parametrize(
    "changes",
    [
        {"condition": "replaced"},
        {"valid_from": NOW + 1, "valid_until": NOW + 2},
        {"valid_from": NOW - 1, "valid_until": NOW},
        {"rules": [{"sender": "kh.gpo", "recipient": "la.ospp", "schemas": [NOTICE]}]},
        {"rules": [{"sender": "la.ospp", "recipient": "kh.gpo", "schemas": [SEIZURE]}]},
    ],
)
def test_what_is_not_in_force_or_about_something_else_says_nothing(changes: Any) -> None:
    originator_control = Allowed(DEFAULT_RETAIN_DAYS, ("H1", "H2"))
    assert found(agreement("kh.gpo", 90, ["H0"], **changes)) == originator_control
    assert found() == originator_control


@pytest.mark.parametrize("condition", ["suspended", "terminated"])
def test_what_an_order_has_stopped_keeps_its_ceiling(condition: str) -> None:
    """A draft outlives a suspension; and what is refused meanwhile is refused for the order."""
    stopped = agreement("kh.gpo", 90, ["H0"], condition=condition)
    assert found(stopped) == Allowed(90, ("H0",))
    assert found(stopped, agreement("kh.gpo", 30, ["H1"])) == Allowed(30, ("H1",))
