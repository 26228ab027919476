"""A node's settings and the rules in them: strict, bounded, refused when others can change them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from saphan.node.policy.rules import Rules
from saphan.node.policy.settings import (
    LEAST_BUDGET,
    WITHOUT,
    NodeSettings,
    parse_endpoint,
    parse_settings,
    read_settings,
)
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import TLP_ORDER, Header, Marking, Tlp

FULL: dict[str, Any] = {
    "saphan": "settings/1",
    "desks": "[::1]:8472",
    "budget_bytes_per_day": 20_000_000,
    "rules": [
        {
            "officers": ["dao"],
            "schemas": ["saphan/arrest_notice/1"],
            "from": ["la.ospp"],
            "tlp_ceiling": "amber",
        }
    ],
    "sections": {
        "drugs": {"schemas": ["saphan/arrest_notice/1"], "from": ["la.ospp"], "to": ["la.ospp"]}
    },
    "officers": {
        "dao": {"clearance": "amber", "sections": ["drugs"], "languages": ["km", "en"]},
        "*": {"clearance": "red"},
    },
    "four_eyes": [{"schemas": ["saphan/arrest_notice/1"], "tlp_from": "amber", "by": ["chan"]}],
    "notice": {
        "command": ["/usr/local/bin/page", "--saphan"],
        "escalate": [{"share": 0.5, "to": ["dao"]}, {"share": 0.75, "to": ["sokha"]}],
    },
}


def settings(**changed: Any) -> NodeSettings:
    return parse_settings(json.dumps(FULL | changed).encode())


def test_every_member_is_read() -> None:
    found = settings()
    assert found.desks_at == ("::1", 8472)
    assert found.budget_bytes_per_day == 20_000_000
    assert found.rules is not None
    assert found.rules[0].sender == ("la.ospp",)
    assert found.sections is not None
    assert found.sections["drugs"].to == ("la.ospp",)
    assert found.officers is not None
    assert found.officers["dao"].languages == ("km", "en")
    assert found.four_eyes is not None
    assert found.four_eyes[0].by == ("chan",)
    assert found.notice is not None
    assert [step.share for step in found.notice.escalate] == [
        0.5,
        0.75,
    ]


def test_without_a_file_everyone_is_shown_everything(tmp_path: Path) -> None:
    found = read_settings(tmp_path / "settings.json")
    assert found == WITHOUT == parse_settings(b'{"saphan": "settings/1"}')
    assert found.shown.shows("anyone", header())


NOTICE = FULL["notice"]


@pytest.mark.parametrize(
    "changed",
    [
        {"saphan": "settings/2"},
        {"desk": "127.0.0.1:1"},
        {"rules": []},
        {"rules": [{"officers": []}]},
        {"rules": [{"officers": ["Dao"]}]},
        {"rules": [{"officers": ["dao"], "to": ["kh.gpo"]}]},
        {"rules": [{"officers": ["dao"], "tlp_ceiling": "purple"}]},
        {"rules": [{"officers": ["dao"]}] * (LIMITS.rules + 1)},
        {"rules": [{"officers": ["dao"], "past": "yes"}]},
        {"officers": {}},
        {"officers": {"dao": {}}},
        {"officers": {"Dao": {"clearance": "red"}}},
        {"officers": {"dao": {"clearance": "secret"}}},
        {"officers": {"dao": {"clearance": "red", "sections": ["customs"]}}},
        {"officers": {"dao": {"clearance": "red", "sections": []}}},
        {"officers": {"dao": {"clearance": "red", "languages": ["khmer"]}}},
        {"sections": {"Drugs": {}}},
        {"sections": {"drugs": {"schemas": []}}},
        {"four_eyes": []},
        {"four_eyes": [{"by": []}]},
        {"four_eyes": [{"tlp_ceiling": "amber"}]},
        {"budget_bytes_per_day": LEAST_BUDGET - 1},
        {"budget_bytes_per_day": 1.5e7},
        {"notice": {"command": []}},
        {"notice": {"command": ["page"]}},
        {"notice": {"command": ["/bin/page", "a\0b"]}},
        {"notice": {"command": "/bin/page"}},
        {"notice": NOTICE | {"escalate": [{"share": 0, "to": ["dao"]}]}},
        {"notice": NOTICE | {"escalate": [{"share": 1, "to": ["dao"]}]}},
        {"notice": NOTICE | {"escalate": list(reversed(NOTICE["escalate"]))}},
        {"notice": NOTICE | {"escalate": [NOTICE["escalate"][0]] * 2}},
    ],
)
def test_what_is_not_a_setting_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings(**changed)
    assert caught.value.code == "settings_malformed"
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"saphan": "settings/1", "saphan": 1}']
)
def test_half_a_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_settings(data)
    assert caught.value.code == "settings_malformed"


@pytest.mark.parametrize("text", ["", "host", ":1", "host:", "host:65536", "host:-1", "host:٣"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_endpoint(text, "desks")
    assert (caught.value.code, caught.value.field) == ("address_malformed", "desks")
    with pytest.raises(InvalidInput):
        settings(desks=text)


def test_settings_that_others_can_change_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(json.dumps(FULL).encode())
    path.chmod(0o620)
    with pytest.raises(OperatorError) as caught:
        read_settings(path)
    assert caught.value.code == "settings_exposed"
    path.chmod(0o640)
    assert read_settings(path) == settings()


def test_a_pipe_and_a_long_file_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(OperatorError) as unreadable:
        read_settings(pipe)
    assert unreadable.value.code == "file_unreadable"
    long = tmp_path / "long.json"
    long.write_bytes(b" " * (256 * 1024 + 1))
    with pytest.raises(InvalidInput) as caught:
        read_settings(long)
    assert caught.value.code == "too_large"


# --- rules ------------------------------------------------------------------------------------


def header(
    schema: str = "saphan/arrest_notice/1", sender: str = "la.ospp", tlp: Tlp = "amber"
) -> Header:
    return Header(
        suite=1,
        nonce=bytes(16),
        sender=sender,
        recipients=("kh.gpo",),
        schema=schema,
        schema_digest=bytes(32),
        marking=Marking(tlp, ()),
        urgency="routine",
        exercise=False,
        created=1,
        expires=2,
        answer_by=None,
        retain_until=20_000,
    )


def test_a_rule_shows_what_it_covers_and_nothing_else() -> None:
    rules = settings().shown
    assert rules.shows("dao", header())
    assert not rules.shows("sokha", header())
    assert not rules.shows("dao", header(schema="saphan/case_statistics/1"))
    assert not rules.shows("dao", header(sender="vn.vks"))
    for place, tlp in enumerate(TLP_ORDER):
        assert rules.shows("dao", header(tlp=tlp)) == (place <= TLP_ORDER.index("amber"))


def test_one_rule_of_many_is_enough() -> None:
    rules = settings(
        officers=None,
        rules=[{"officers": ["dao"], "from": ["vn.vks"]}, {"officers": ["dao", "lan"]}],
    )
    assert rules.shown.officers(header(tlp="red"), ["lan", "sokha", "dao"]) == ["dao", "lan"]


def test_an_author_is_shown_their_own() -> None:
    rules = settings().shown
    own = header(sender="kh.gpo")
    assert rules.shows("sokha", own, author="sokha")
    assert not rules.shows("dao", own, author="sokha")
    assert not rules.shows("sokha", own, author=None)


def test_without_rules_all_who_are_enrolled_are_told() -> None:
    assert Rules(None).officers(header(), ["b", "a", "a"]) == ["a", "b"]
