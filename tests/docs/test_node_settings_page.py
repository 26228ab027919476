"""The page about a node's settings: its example is one, and it names every member there is."""

from __future__ import annotations

import json
import re

import msgspec
from saphan.node.policy.calendar import CalendarSettings
from saphan.node.policy.four_eyes import Kind
from saphan.node.policy.recalls import RecallSettings
from saphan.node.policy.retention import RetentionSettings, TypePeriods
from saphan.node.policy.rules import Officer, Rule, Section
from saphan.node.policy.settings import NodeSettings, NoticeSettings, Step, parse_settings
from saphan.node.telling.hook import Notice
from saphan.threads.holidays import parse_holidays
from saphan_schemas.retention import Keep, Period
from saphan_schemas.retention import Rule as RetentionRule
from support.rooms import ROOT

PAGE = (ROOT / "docs/node-settings.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
KINDS = (
    NodeSettings, NoticeSettings, Step, Rule, Section, Officer, Kind, CalendarSettings,
    RecallSettings, RetentionSettings, TypePeriods, Keep, Period, RetentionRule,
)  # fmt: skip


def test_the_example_is_read_and_leaves_nothing_out() -> None:
    found = parse_settings(BLOCKS[0].encode())
    assert found.notice is not None
    assert found.rules is not None
    for struct in (found, found.notice, found.notice.escalate[0], found.rules[0]):
        fields = msgspec.structs.fields(struct)
        assert [one.name for one in fields if getattr(struct, one.name) is None] == []


def test_every_member_is_explained() -> None:
    names = [field.encode_name for kind in KINDS for field in msgspec.structs.fields(kind)]
    assert [name for name in names if f'"{name}"' not in BLOCKS[0]] == []


def test_the_line_of_a_notice_is_what_a_command_gets() -> None:
    shown = json.loads(BLOCKS[1])
    given = json.loads(Notice(bytes(32), 0, "immediate", 1, ("dao",)).line())
    assert list(shown) == list(given)


def test_the_example_of_a_holiday_file_is_one() -> None:
    (block,) = [one for one in BLOCKS if "holidays/1" in one]
    found = parse_holidays(block.encode(), "kh")
    assert found.covers(max(found.days))


OFFICERS = (ROOT / "docs/officers.md").read_text(encoding="utf-8")


def test_the_example_about_officers_is_one() -> None:
    found = parse_settings(re.findall(r"```json\n(.*?)```", OFFICERS, re.DOTALL)[0].encode())
    assert found.officers is not None
    assert found.officers["dao"].sections == ("drugs",)
    assert found.four_eyes is not None
    for kind in (Section, Officer, Kind):
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        assert [name for name in names if f'"{name}"' not in OFFICERS] == []
