"""Rules and sections open, clearance closes: what one officer is shown and may send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan.node.policy.four_eyes import FourEyes
from saphan.node.policy.rules import Rules
from saphan.node.policy.settings import parse_settings
from saphan_schemas.records import TLP_ORDER, Header, Marking, Tlp

ARREST, SEIZURE = "saphan/arrest_notice/1", "saphan/drug_seizure/1"


def settings(**found: Any) -> Rules:
    return parse_settings(json.dumps({"saphan": "settings/1"} | found).encode()).shown


def header(
    schema: str = ARREST, tlp: Tlp = "amber", sender: str = "la.ospp", to: str = "kh.gpo"
) -> Header:
    return Header(
        1, bytes(16), sender, (to,), schema, bytes(32), Marking(tlp, ("H1",)), "routine", False,
        0, 1, None, 1,
    )  # fmt: skip


@pytest.mark.parametrize("tlp", TLP_ORDER)
@pytest.mark.parametrize("ceiling", TLP_ORDER)
def test_clearance_is_a_ceiling(tlp: Tlp, ceiling: Tlp) -> None:
    rules = settings(officers={"dao": {"clearance": ceiling}})
    within = TLP_ORDER.index(tlp) <= TLP_ORDER.index(ceiling)
    assert rules.shows("dao", header(tlp=tlp)) == within
    assert rules.cleared("dao", header(tlp=tlp)) == within


def test_whom_the_settings_do_not_name_is_cleared_for_nothing() -> None:
    rules = settings(officers={"dao": {"clearance": "red"}})
    assert not rules.shows("lim", header(tlp="clear"))
    assert not rules.cleared("lim", header(tlp="clear"))
    others = settings(officers={"dao": {"clearance": "red"}, "*": {"clearance": "green"}})
    assert others.shows("lim", header(tlp="green"))
    assert not others.shows("lim", header(tlp="amber"))


def test_no_rule_opens_what_clearance_closes() -> None:
    """Neither a rule that names the officer, nor that they wrote it, nor a section."""
    rules = settings(
        officers={"dao": {"clearance": "green", "sections": ["all"]}},
        sections={"all": {}},
        rules=[{"officers": ["dao"], "past": True}],
    )
    assert not rules.shows("dao", header())
    assert not rules.shows("dao", header(), "dao")
    assert rules.shows("dao", header(tlp="green"), "dao")


def test_a_section_opens_its_types_and_corridors() -> None:
    rules = settings(
        sections={
            "drugs": {"schemas": [SEIZURE], "from": ["la.ospp"], "to": ["la.ospp"]},
            "arrests": {"schemas": [ARREST]},
        },
        officers={
            "dao": {"clearance": "red", "sections": ["drugs"]},
            "lim": {"clearance": "red", "sections": ["drugs", "arrests"]},
            "chan": {"clearance": "red"},
        },
    )
    assert rules.shows("dao", header(SEIZURE))
    assert not rules.shows("dao", header(SEIZURE, sender="vn.vks"))
    assert not rules.shows("dao", header(ARREST))
    assert rules.shows("lim", header(ARREST, sender="vn.vks"))
    assert rules.shows("chan", header(ARREST))
    assert rules.sends("dao", header(SEIZURE, sender="kh.gpo", to="la.ospp"))
    assert not rules.sends("dao", header(SEIZURE, sender="kh.gpo", to="vn.vks"))
    assert not rules.sends("dao", header(ARREST, sender="kh.gpo", to="la.ospp"))
    assert rules.sends("chan", header(ARREST, sender="kh.gpo", to="vn.vks"))


def test_a_rule_opens_beside_the_sections() -> None:
    rules = settings(
        sections={"drugs": {"schemas": [SEIZURE]}},
        officers={"*": {"clearance": "red", "sections": ["drugs"]}, "chan": {"clearance": "red"}},
        rules=[{"officers": ["dao"], "schemas": [ARREST]}],
    )
    assert rules.shows("dao", header(ARREST))
    assert rules.shows("dao", header(SEIZURE))
    assert not rules.shows("lim", header(ARREST))
    assert not rules.shows("chan", header(SEIZURE)), "there are rules, and none names chan"


def test_the_past_is_opened_by_a_rule_that_says_so() -> None:
    assert not Rules(None).shows("dao", header(), past=True)
    rules = settings(
        rules=[{"officers": ["*"]}, {"officers": ["dao"], "schemas": [ARREST], "past": True}]
    )
    assert rules.shows("dao", header(), past=True)
    assert not rules.shows("dao", header(SEIZURE), past=True)
    assert not rules.shows("lim", header(), past=True)
    assert rules.shows("lim", header())
    assert rules.shows("lim", header(), "lim", past=True), "their own"


@given(st.sampled_from(TLP_ORDER), st.sampled_from(TLP_ORDER), st.booleans(), st.booleans())
def test_lowering_a_clearance_never_opens(tlp: Tlp, ceiling: Tlp, past: bool, own: bool) -> None:
    author = "dao" if own else None
    shown = {
        name: settings(
            officers={"dao": {"clearance": name}}, rules=[{"officers": ["dao"], "past": True}]
        ).shows("dao", header(tlp=tlp), author, past=past)
        for name in TLP_ORDER
    }
    lower = TLP_ORDER[: TLP_ORDER.index(ceiling) + 1]
    assert all(shown[ceiling] or not shown[name] for name in lower)


def test_other_settings_have_another_mark() -> None:
    """A desk lists anew what it was shown under others."""
    found = [
        Rules(None),
        settings(officers={"dao": {"clearance": "red"}}),
        settings(officers={"dao": {"clearance": "amber"}}),
        settings(officers={"dao": {"clearance": "amber"}}, rules=[{"officers": ["dao"]}]),
    ]
    assert len({one.mark for one in found}) == len(found)


def test_kinds_that_need_a_second_officer() -> None:
    eyes = parse_settings(
        json.dumps(
            {
                "saphan": "settings/1",
                "four_eyes": [
                    {"schemas": [ARREST], "tlp_from": "amber+strict"},
                    {"to": ["vn.vks"], "by": ["chan", "lim"]},
                    {"to": ["th.oncb"], "by": ["lim"]},
                ],
            }
        ).encode()
    ).two
    assert not eyes.needed(header(tlp="amber"))
    assert eyes.needed(header(tlp="amber+strict"))
    assert eyes.needed(header(tlp="red"))
    assert not eyes.needed(header(SEIZURE, tlp="red"))
    assert eyes.needed(header(SEIZURE, tlp="clear", to="vn.vks"))
    assert eyes.may("anyone", header(tlp="red"))
    assert eyes.may("chan", header(to="vn.vks"))
    assert not eyes.may("dao", header(to="vn.vks"))
    assert not FourEyes(None).needed(header(tlp="red"))
