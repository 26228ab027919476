"""Alarms of those who look again and again."""

from __future__ import annotations

from saphan_broker.alarms import Alarms, Complaint
from saphan_schemas.errors import OperatorError


def test_a_complaint_is_about_one_thing_and_ends_with_it() -> None:
    alarms = Alarms()
    alarms.sound("disk_full", "somebody else's")
    complaint = Complaint(alarms)
    for codes in (["store_lossy"], ["store_lossy"], ["redis_refused"], [], []):
        complaint.about(OperatorError(codes[0], "the server") if codes else None)
        active = {alarm.code: alarm.stops for alarm in alarms.active()}
        assert active == {"disk_full": False} | dict.fromkeys(codes, True)
    assert alarms.raised_total == 3
