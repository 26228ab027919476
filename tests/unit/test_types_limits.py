"""How far a reply, an alert and a return may go: each limit holds and breaks."""

from __future__ import annotations

import pytest
from saphan_schemas.samples import schema_of
from support.changes import Change, both, changed, put
from support.contents import check, refusal

REPLY = "info_reply"
ALERT = "trafficking_alert"
REVISED = "case_statistics_revised"


def shared(state: str, onward: str, *orgs: str) -> Change:
    """Onward sharing as the whole ("about/handling") or the reply ("body/conditions") has it."""
    named = [put(f"{state}/onward_orgs", list(orgs))] if orgs else []
    return both(put(f"{state}/onward", onward), *named)


def persons(*roles: str, minors: bool = False) -> Change:
    stated = {"present": True, "subject_roles": list(roles), "minors": minors}
    return put("about/personal_data", stated)


REFUSED: tuple[tuple[str, Change, str], ...] = (
    # Conditions are never looser than the handling of the whole.
    (
        REPLY,
        both(
            shared("about/handling", "same_country"), shared("body/conditions", "named", "KH-MOI")
        ),
        "/body/conditions/onward",
    ),
    (
        REPLY,
        both(
            shared("about/handling", "named", "KH-GPO"),
            shared("body/conditions", "named", "KH-GPO", "KH-MOI"),
        ),
        "/body/conditions/onward_orgs/1",
    ),
    (
        REPLY,
        both(
            shared("about/handling", "named", "KH-GPO"), shared("body/conditions", "same_country")
        ),
        "/body/conditions/onward",
    ),
    (
        REPLY,
        both(
            put("about/handling/destroy_by", "2027-01-01"),
            put("body/conditions/destroy_by", "2027-01-02"),
        ),
        "/about/handling/destroy_by",
    ),
    # Victims, witnesses and minors never stand in what every checkpoint reads.
    (ALERT, persons("suspect", "victim"), "/about/personal_data/subject_roles/1"),
    (ALERT, persons("witness"), "/about/personal_data/subject_roles/0"),
    (ALERT, persons("suspect", minors=True), "/about/personal_data/minors"),
    # What is provisional replaces nothing: then it is a revision.
    (REVISED, put("body/status", "provisional"), "/body/revision_of"),
)
TAKEN: tuple[tuple[str, Change], ...] = (
    (
        REPLY,
        both(
            shared("about/handling", "named", "KH-MOI", "KH-GPO"),
            shared("body/conditions", "named", "KH-GPO"),
        ),
    ),
    (REPLY, both(shared("about/handling", "same_country"), shared("body/conditions", "ask"))),
    (ALERT, persons("suspect", "driver")),
    (REVISED, both(put("body/status", "final"), put("body/cells/1/flag", "final"))),
)


@pytest.mark.parametrize(("name", "change", "field"), REFUSED)
def test_what_goes_too_far_is_refused(name: str, change: Change, field: str) -> None:
    assert refusal(schema_of(name), changed(name, change)).field == field


@pytest.mark.parametrize(("name", "change"), TAKEN)
def test_what_keeps_within_its_limits_is_taken(name: str, change: Change) -> None:
    check(schema_of(name), changed(name, change))
