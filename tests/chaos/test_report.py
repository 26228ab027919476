"""The page says what was lost, draws what happened, and needs nothing from anywhere else."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chaos import report
from chaos.load import Pushed
from chaos.pictures import timeline
from chaos.recovering import Recovered, recoveries
from chaos.rounds import Outcome
from chaos.schedule import BROKER, Fault, Schedule
from chaos.story import Story

KILL = Fault(2.0, "kill", BROKER, 1.0)
HOLD = Fault(4.0, "hold", "la.ospp>broker", 2.0)
SCHEDULE = Schedule(3, 1, "sqlite", 10.0, 0, (KILL, HOLD))
EVENTS = [
    {"at": 2.1, "what": "fault", "kind": "kill", "target": BROKER, "amount": 0},
    {"at": 3.1, "what": "fault over", "kind": "kill", "target": BROKER, "begun": 2.0, "struck": 1},
    {"at": 4.0, "what": "fault", "kind": "hold", "target": "la.ospp>broker", "amount": 0},
    {
        "at": 6.0,
        "what": "fault over",
        "kind": "hold",
        "target": "la.ospp>broker",
        "begun": 4.0,
        "struck": 2,
    },
    {"at": 5.0, "what": "acknowledged", "key": "k", "id": "00", "to": ["kh.gpo"]},
    {"at": 8.0, "what": "faults are over"},
    {"at": 8.5, "what": "outcome", "id": "00", "to": "kh.gpo", "state": "accepted", "key": "k"},
]


def outcome(losses: list[str]) -> Outcome:
    recovered = [
        Recovered("kill", BROKER, 2.1, 1.5),
        Recovered("hold", "la.ospp>broker", 4.0, None),
    ]
    return Outcome(
        SCHEDULE, 20.0, 5, 6, {"accepted": 6}, 6, 2, 1, 9, 1.25, losses, recovered, EVENTS
    )


def test_a_loss_stands_on_the_page_as_it_was_found() -> None:
    page = report.page([outcome(["<b> is missing"])], ["disk_full: no root"], "--seed 3", "here")
    assert "1 losses" in page
    assert "<li class=bad>&lt;b&gt; is missing</li>" in page
    assert "Left out on this machine: disk_full: no root." in page
    assert "class=bad" not in report.page([outcome([])], [], "--seed 3", "here")


def test_its_pictures_are_whole_and_nothing_is_fetched() -> None:
    page = report.page([outcome([]), outcome([])], [], "--seed 3", "here")
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 3  # what recovered, and a timeline for each round
    for picture in pictures:
        ElementTree.fromstring(picture)  # noqa: S314 - our own
    assert not re.search(r"(src|href)=|https?:|@import|url\(", page)


def test_both_curves_of_a_picture_have_one_scale() -> None:
    """Three are acknowledged in a second and one is accepted: a third as high."""
    three = [EVENTS[4]] * 3
    picture = timeline([*three, EVENTS[6]], 9.0)
    lines = re.findall(r'<polyline points="([^"]+)"', picture)
    tops = [min(float(point.split(",")[1]) for point in line.split()) for line in lines]
    bottom = max(float(point.split(",")[1]) for point in lines[0].split())
    acknowledged, accepted = (bottom - top for top in tops)
    assert accepted == pytest.approx(acknowledged / 3, abs=0.2)


def test_what_was_drawn_and_found_nobody_has_not_happened() -> None:
    missed = [event | {"struck": 0} if event["what"] == "fault over" else event for event in EVENTS]
    one = outcome([])
    assert "1 rounds, 2 faults" in report.page([one], [], "", "here")
    one.events = missed
    page = report.page([one], [], "", "here")
    assert "1 rounds, 0 faults" in page
    assert 'fill-opacity="0.08"' in page


def test_a_way_has_recovered_when_something_new_was_accepted_over_it(tmp_path: Path) -> None:
    story = Story(tmp_path / "story.jsonl")
    story.events = EVENTS
    story.close()

    def pushed(sender: str, to: str, at: float, accepted: float) -> Pushed:
        one = Pushed("k", sender, (to,), "", (), at, at, "00")
        one.outcomes[to] = ("accepted", accepted)
        return one

    before = pushed("la.ospp", "kh.gpo", 1.0, 3.0)
    elsewhere = pushed("vn.vks", "kh.gpo", 4.5, 5.0)
    after = pushed("kh.gpo", "la.ospp", 5.0, 8.5)
    found = recoveries(SCHEDULE, [before, elsewhere, after], story)
    assert [one.seconds for one in found] == [2.9, 2.5]  # from the kill; from the end of the hold
    assert [one.seconds for one in recoveries(SCHEDULE, [before], story)] == [None, None]
    refused = pushed("la.ospp", "kh.gpo", 5.0, 9.0)
    refused.outcomes["kh.gpo"] = ("refused", 9.0)
    assert recoveries(SCHEDULE, [refused], story)[1].seconds is None
