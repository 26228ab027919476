"""The doctor's look at officers: names that nobody has, officers whom nobody has cleared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saphan.node.policy.settings import parse_settings
from saphan.officers_named import unfitting
from saphan_schemas.messages import text

RED = {"clearance": "red"}
CASES: tuple[tuple[dict[str, Any], list[str], list[str]], ...] = (
    ({}, ["dao"], []),
    ({"rules": [{"officers": ["*", "dao"]}]}, ["dao"], []),
    ({"rules": [{"officers": ["dau"]}]}, ["dao"], ["doctor.officers_unknown"]),
    ({"rules": [{"officers": ["dau"]}]}, [], []),
    ({"officers": {"dao": RED}}, ["dao", "lim"], ["doctor.officers_uncleared"]),
    ({"officers": {"*": RED}}, ["dao", "lim"], []),
    ({"four_eyes": [{}]}, ["dao", "lim"], []),
    ({"four_eyes": [{}]}, ["dao"], ["doctor.four_eyes_alone"]),
    ({"four_eyes": [{"by": ["lin"]}]}, ["dao", "lim"], ["doctor.officers_unknown"]),
    (
        {"four_eyes": [{}], "officers": {"dao": RED}},
        ["dao", "lim"],
        ["doctor.officers_uncleared", "doctor.four_eyes_alone"],
    ),
    (
        {"notice": {"command": ["/bin/page"], "escalate": [{"share": 0.5, "to": ["lin"]}]}},
        ["dao"],
        ["doctor.officers_unknown"],
    ),
)


@pytest.mark.parametrize(("found", "enrolled", "keys"), CASES)
def test_what_does_not_fit_is_said(
    found: dict[str, Any], enrolled: list[str], keys: list[str]
) -> None:
    settings = parse_settings(json.dumps({"saphan": "settings/1"} | found).encode())
    said = list(unfitting(settings, enrolled))
    assert [one.key for one in said] == keys
    for one in said:
        assert text(one.key, "en", **one.values)
