"""What the requests' six types demand beyond their fields: each condition holds and breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from saphan.threads.clock import reply_time
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.codes import codes
from saphan_schemas.records import Urgency
from saphan_schemas.samples import ANOTHER, sample, wish
from support.contents import check, refusal

Content = dict[str, Any]
Change = Callable[[Content], object]


def facts(name: str) -> dict[str, Any]:
    given = wish(name)
    return {"urgency": given["urgency"], "tlp": given["marking"]["tlp"]}


def refused(name: str, change: Change, **header: Any) -> str | None:
    """The field of the refusal of a changed sample."""
    content = sample(name)
    change(content)
    return refusal(kind_of(name), content, **(facts(name) | header)).field


def taken(name: str, change: Change, **header: Any) -> None:
    content = sample(name)
    change(content)
    check(kind_of(name), content, **(facts(name) | header))


def kind_of(name: str) -> str:
    return str(wish(name)["schema"])


def body(**fields: Any) -> Change:
    return lambda content: content["body"].update(fields)


def without(*names: str) -> Change:
    return lambda content: [content["body"].pop(name) for name in names]


def both(*changes: Change) -> Change:
    return lambda content: [change(content) for change in changes]


def within(count: int, unit: str) -> dict[str, Any]:
    return {"count": count, "unit": unit}


def answer(**fields: Any) -> Change:
    return lambda content: content["body"]["answers"][0].update(fields)


def task(number: int, **fields: Any) -> Change:
    return lambda content: content["body"]["assistance"][number].update(fields)


def cell(number: int, **fields: Any) -> Change:
    return lambda content: content["body"]["cells"][number].update(fields)


TEXT = {"en": "Text."}
REFUSED: tuple[tuple[str, Change, str], ...] = (
    # A request: urgency has a ground, persons a link, questions lead somewhere.
    ("info_request", without("urgency_ground"), "/body/urgency_ground"),
    ("info_request", without("link_to_person"), "/body/link_to_person"),
    (
        "info_request",
        lambda c: c["body"]["questions"][1].update(no=1),
        "/body/questions/1",
    ),
    (
        "info_request",
        lambda c: c["body"]["questions"][0].update(vehicle=1),
        "/body/questions/0/vehicle",
    ),
    (
        "info_request",
        lambda c: c["body"]["questions"][0].update(identifier=0),
        "/body/questions/0/identifier",
    ),
    ("info_request", body(reply_within=within(7, "hours")), "/body/reply_within/count"),
    (
        "info_request",
        body(availability="indirect", reply_within=within(2, "calendar_days")),
        "/body/reply_within/count",
    ),
    # A reply: what it says of itself, of its questions, and of its request.
    ("info_reply", without("delay"), "/body/delay"),
    ("info_reply", body(outcome="full"), "/body/answers/1/state"),
    ("info_reply", body(request_id="0" * 64), "/body/request_id"),
    ("info_reply_final", body(outcome="transferred"), "/body/transferred_to"),
    ("info_reply", body(transferred_to="LA-MPS"), "/body/transferred_to"),
    ("info_reply", answer(state="refused"), "/body/answers/0/data"),
    ("info_reply", lambda c: c["body"]["answers"][0].pop("text"), "/body/answers/0/text"),
    (
        "info_reply",
        lambda c: c["body"]["answers"][0]["data"].update(attachments=[0]),
        "/body/answers/0/data/attachments/0",
    ),
    (
        "info_reply",
        lambda c: c["body"]["conditions"].update(third_country="ask"),
        "/body/conditions/third_country",
    ),
    (
        "info_reply",
        lambda c: c["body"]["conditions"].update(pap="green"),
        "/body/conditions/pap",
    ),
    (
        "info_reply_final",
        lambda c: c["body"]["answers"][0].update(state="pending"),
        "/body/answers/0/data",
    ),
    ("info_reply_final", body(outcome="partial"), "/body/refusal"),
    ("info_reply_final", body(outcome="refused", refusal=["sovereignty"]), "/body/answers"),
    # Legal assistance: each kind of task has what it needs, each offence its law.
    (
        "mla_request",
        lambda c: c["body"]["assistance"][0].pop("period"),
        "/body/assistance/0/period",
    ),
    ("mla_request", task(1, kind="service"), "/body/assistance/1/documents"),
    ("mla_request", task(1, kind="restraint"), "/body/assistance/1/property"),
    ("mla_request", task(1, kind="locate_identify"), "/body/assistance/1/target"),
    ("mla_request", task(0, kind="testimony"), "/body/assistance/0/questions"),
    ("mla_request", task(1, no=1), "/body/assistance/1"),
    ("mla_request", task(1, organisation=1), "/body/assistance/1/organisation"),
    (
        "mla_request",
        lambda c: c["body"]["offences"][0].pop("law_text"),
        "/body/offences/0/law_text",
    ),
    (
        "mla_request",
        lambda c: c["body"]["offences"][0]["max_penalty"].pop("months"),
        "/body/offences/0/max_penalty/months",
    ),
    ("mla_request", body(formal_status="formal"), "/body/authentication/signed_original"),
    (
        "mla_request",
        body(confidentiality={"requested": True}),
        "/body/confidentiality/reason",
    ),
    (
        "mla_request",
        body(execution={"state": "refused", "since": "2025-12-01"}),
        "/body/execution/grounds",
    ),
    # Statistics: figures within the period, quantities of something, revisions of something.
    ("case_statistics", without("counting_rule"), "/body/counting_rule"),
    ("case_statistics", without("disclosure_control"), "/body/disclosure_control"),
    ("case_statistics", cell(0, measure="kg"), "/body/cells/0/substance"),
    (
        "case_statistics",
        cell(1, period={"from": "2025-01-01", "to": "2025-06-30"}),
        "/body/period/to",
    ),
    (
        "case_statistics",
        cell(0, period={"from": "2023-12-31", "to": "2024-12-31"}),
        "/body/cells/0/period/from",
    ),
    ("case_statistics", body(status="final"), "/body/cells/1/flag"),
    ("case_statistics", body(status="revised"), "/body/revision_of"),
    ("case_statistics_revised", body(revision_of="0" * 64), "/body/revision_of"),
    ("case_statistics_revised", body(status="provisional"), "/body/revision_of"),
    # Alerts: each kind with its list, an end, and no more action than is permitted.
    ("trafficking_alert", without("legs"), "/body/legs"),
    ("trafficking_alert", without("vessels"), "/body/vessels"),
    ("trafficking_alert", body(alert_kind=["officer_safety"]), "/body/safety"),
    ("trafficking_alert", lambda c: c["about"].pop("valid_until"), "/about/valid_until"),
    ("trafficking_alert", body(action_advised="stop"), "/body/action_advised"),
    (
        "trafficking_alert",
        lambda c: c["about"]["handling"].update(pap="red"),
        "/body/action_advised",
    ),
    ("trafficking_alert", lambda c: c["body"]["legs"][2].update(seq=2), "/body/legs/2"),
    # Training: who comes, from where, and how it went.
    ("training_notice", without("nominate_by"), "/body/nominate_by"),
    (
        "training_notice",
        both(body(notice_kind="nomination"), without("nominees")),
        "/body/nominees",
    ),
    (
        "training_notice",
        lambda c: c["body"]["nominees"][0].update(org="KH-MOI"),
        "/body/nominees/0/org",
    ),
    ("training_notice", body(materials=[0]), "/body/materials/0"),
    ("training_notice", body(outcome={"attended": 1, "certificates": 1}), "/body/outcome"),
)


@pytest.mark.parametrize(("name", "change", "field"), REFUSED)
def test_a_broken_condition_names_its_field(name: str, change: Change, field: str) -> None:
    assert refused(name, change) == field


TAKEN: tuple[tuple[str, Change], ...] = (
    ("info_request", body(reply_within=within(8, "hours"))),
    ("info_request", body(availability="indirect", reply_within=within(3, "calendar_days"))),
    ("info_request", body(evidence_wanted=True)),
    ("info_reply", lambda c: c["body"]["conditions"].update(pap="red")),
    (
        "info_reply_final",
        both(without("answers"), body(outcome="refused", refusal=["ongoing_case_or_safety"])),
    ),
    ("info_reply_final", both(without("answers"), body(outcome="no_trace"))),
    (
        "mla_request",
        both(
            body(formal_status="formal"),
            lambda c: c["body"]["authentication"].update(signed_original=True, seal=True),
        ),
    ),
    (
        "mla_request",
        body(execution={"state": "postponed", "since": "2025-12-01", "grounds": ["sovereignty"]}),
    ),
    ("case_statistics", cell(1, flag="final")),
    ("trafficking_alert", both(body(alert_kind=["concealment"]), without("legs", "vessels"))),
    (
        "trafficking_alert",
        both(lambda c: c["about"]["handling"].update(pap="green"), body(action_advised="stop")),
    ),
)


@pytest.mark.parametrize(("name", "change"), TAKEN)
def test_what_fulfils_its_conditions_is_taken(name: str, change: Change) -> None:
    taken(name, change)


def test_only_what_is_immediate_needs_a_ground() -> None:
    taken("info_request", without("urgency_ground"), urgency="priority")


@pytest.mark.parametrize(
    ("urgency", "availability", "least", "unit"),
    [
        ("immediate", "direct", 8, "hours"),
        ("immediate", "direct", 1, "working_days"),
        ("immediate", "indirect", 3, "calendar_days"),
        ("immediate", "indirect", 96, "hours"),
        ("immediate", "unknown", 3, "calendar_days"),
        ("priority", "direct", 7, "calendar_days"),
        ("routine", "direct", 192, "hours"),
        ("routine", "indirect", 14, "calendar_days"),
        ("routine", "unknown", 14, "working_days"),
    ],
)
def test_a_reply_time_is_only_lengthened(
    urgency: str, availability: str, least: int, unit: str
) -> None:
    def asked(count: int) -> Change:
        return body(availability=availability, reply_within=within(count, unit))

    taken("info_request", asked(least), urgency=urgency)
    field = refused("info_request", asked(least - 1), urgency=urgency)
    assert field == "/body/reply_within/count"


def test_the_rule_has_the_times_of_the_list() -> None:
    """The table of the rule, in the unit of the list: what may be lengthened is what is owed."""
    rules = BUILT_IN.get("saphan/info_request/1").bundle["rules"]
    (table,) = [rule["table"] for rule in rules if rule["rule"] == "at_least_by"]
    for urgency in get_args(Urgency):
        for availability in codes("availability"):
            owed = reply_time(urgency, availability)
            row = table.get(urgency, table["*"])
            assert row.get(availability, row["*"])[owed.unit] == owed.count


PLACES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"subdivision": "KH-19"}, "subdivision"),
    ({"subdivision": "LA-ZZ"}, "subdivision"),
    ({"country": "KH", "subdivision": "KH-26", "unlocode": "KHPNH"}, "subdivision"),
    ({"unlocode": "KHPNH"}, "unlocode"),
    ({"checkpoint": "KH-19-TPK"}, "checkpoint"),
    ({"checkpoint": "LA-SL-NNK"}, "checkpoint"),
    ({"lat": "13.9"}, "lon"),
    ({"lat": "13.9", "lon": "105.9"}, "precision_m"),
    ({"precision_m": 10}, "lat"),
    ({"lat": "90.1", "lon": "105.9", "precision_m": 10}, "lat"),
    ({"lat": "13.9", "lon": "180.5", "precision_m": 10}, "lon"),
)


@pytest.mark.parametrize(("fields", "field"), PLACES)
def test_a_place_agrees_with_itself(fields: dict[str, Any], field: str) -> None:
    """A province is of its country, a checkpoint of its province; coordinates say how exact."""

    def change(content: Content) -> None:
        content["body"]["venue"].update(fields)

    assert refused("training_notice", change) == f"/body/venue/{field}"


def test_a_place_in_another_country_may_have_any_province() -> None:
    venue = {"kind": "office", "country": "TH", "subdivision": "TH-34"}
    taken("training_notice", body(venue=venue))


def test_a_place_may_be_a_village_alone() -> None:
    where = sample("info_request")["body"]["offences"][0]["where"]
    assert where.keys() == {"kind", "country", "village"}


def test_an_instrument_without_a_code_is_named() -> None:
    def other(content: Content) -> None:
        content["about"]["legal_bases"] = [{"instrument": "OTHER"}]

    assert refused("case_statistics", other) == "/about/legal_bases/0/note"


def test_national_law_is_named() -> None:
    def domestic(content: Content) -> None:
        content["about"]["legal_bases"] = [{"instrument": "DOMESTIC"}]

    assert refused("case_statistics", domestic) == "/about/legal_bases/0/national_law"


def test_a_sample_refers_to_the_bulletin_that_it_is_told() -> None:
    other = "0123456789abcdef" * 4
    content = sample("info_reply", other)
    assert content["body"]["request_id"] == other
    assert content["about"]["relations"] == [{"kind": "in_reply_to", "bulletin_id": other}]
    assert sample("info_reply")["body"]["request_id"] == ANOTHER
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        sample("info_reply", '"}' + "0" * 62)
