"""One status from those of several processes."""

from __future__ import annotations

from typing import Any

from saphan_broker.cli.whole_status import added_up


def said(number: int, role: str, **changed: Any) -> dict[str, Any]:
    """What a process answers."""
    return {
        "process": {"number": number, "of": 3, "pid": 100 + number},
        "role": role,
        "ready": True,
        "reasons": [],
        "alarms": [],
        "sessions": number,
        "waiting": 1,
        "logs": f"of {number}",
        **changed,
    }


def test_the_process_that_sequences_speaks_for_the_logs() -> None:
    whole = added_up([said(1, "follower"), said(2, "holder"), said(3, "follower")])
    assert (whole["logs"], whole["role"], whole["ready"]) == ("of 2", "holder", True)
    assert (whole["sessions"], whole["waiting"]) == (6, 3)
    assert [(one["number"], one["role"], one["sessions"]) for one in whole["processes"]] == [
        (1, "follower", 1),
        (2, "holder", 2),
        (3, "follower", 3),
    ]


def test_it_is_ready_when_all_are_and_each_reason_is_said_once() -> None:
    reason = {"code": "no_holder", "message": "nobody sequences"}
    other = {"code": "disk_full", "message": "no space"}
    whole = added_up(
        [
            said(1, "follower", ready=False, reasons=[reason], alarms=[other]),
            said(2, "follower", ready=False, reasons=[reason, other]),
        ]
    )
    assert not whole["ready"]
    assert (whole["reasons"], whole["alarms"]) == ([reason, other], [other])
    assert whole["logs"] == "of 1"  # nobody sequences: the first that answers


def test_one_process_alone_says_everything() -> None:
    whole = added_up([said(1, "alone")])
    assert (whole["role"], len(whole["processes"])) == ("alone", 1)
