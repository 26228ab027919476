"""Notices, deliveries and assets: no warrant, no wanted notice; each phase what it needs."""

from __future__ import annotations

import pytest
from saphan_schemas.samples import sample, schema_of
from support.changes import Change, both, changed, drop, put
from support.contents import check, refusal

NOTICE = "subject_notice"
DELIVERY = "controlled_delivery"
ASSETS = "asset_lead"
ANOTHER = "5a" * 32
SUBJECT = "body/subject/person"
ARREST = both(
    put("body/action_requested", ["arrest"]),
    put("body/arrest_effect", "provisional_arrest_if_law_allows"),
)
JUDGED = both(
    put("body/judicial_doc/kind", "judgment"),
    put("body/sentence", {"kind": "term", "imposed_months": 60, "remaining_months": 48}),
)
CANCELLED = both(
    put("about/message_kind", "cancel"),
    put("about/relations", [{"kind": "related", "bulletin_id": ANOTHER}]),
)

BROKEN: tuple[tuple[str, Change, str], ...] = (
    # Notices: no warrant, no wanted notice.
    (NOTICE, drop("body/judicial_doc"), "/body/judicial_doc"),
    (NOTICE, put("body/judicial_doc/kind", "court_order"), "/body/judicial_doc/kind"),
    (NOTICE, drop("body/extradition_intent"), "/body/extradition_intent"),
    (NOTICE, drop("body/offences"), "/body/offences"),
    (NOTICE, put("body/status_in_case", "witness"), "/body/status_in_case"),
    (
        NOTICE,
        lambda c: c["body"].update(subject=sample("precursor_incident")["body"]["consignee"]),
        "/body/subject/person",
    ),
    (NOTICE, both(drop("body/offences"), put("body/notice_kind", "warning")), "/body/offences"),
    (NOTICE, ARREST, "/about/handling/pap"),
    (
        NOTICE,
        both(ARREST, put("about/handling/pap", "green"), put("body/notice_kind", "locate")),
        "/body/notice_kind",
    ),
    (
        NOTICE,
        both(put("about/handling/pap", "green"), put("body/action_requested", ["arrest"])),
        "/body/arrest_effect",
    ),
    (NOTICE, put("body/judicial_doc/kind", "judgment"), "/body/sentence"),
    (NOTICE, put("body/sentence", {"kind": "term"}), "/body/sentence/imposed_months"),
    (
        NOTICE,
        both(JUDGED, put("body/sentence/remaining_months", 61)),
        "/body/sentence/remaining_months",
    ),
    (
        NOTICE,
        both(
            JUDGED,
            put("body/interpol", {"colour": "red"}),
            put("body/sentence/remaining_months", 5),
        ),
        "/body/sentence/remaining_months",
    ),
    (NOTICE, CANCELLED, "/body/cancel_reason"),
    (NOTICE, put("body/cancel_reason", "wrong_person"), "/body/cancel_reason"),
    (NOTICE, put("body/notice_kind", "missing"), "/body/status_in_case"),
    (
        NOTICE,
        both(put("body/notice_kind", "unidentified_body"), drop(f"{SUBJECT}/description")),
        "/body/subject/person/description",
    ),
    (
        "subject_notice_convicted",
        drop("about/personal_data/special_categories", "about/personal_data/special_reason"),
        "/about/personal_data/special_categories",
    ),
    (
        "subject_notice_convicted",
        put("about/personal_data/special_categories", ["health"]),
        "/about/personal_data/special_categories",
    ),
    (NOTICE, put(f"{SUBJECT}/names/forms/1/script", "Khmr"), f"/{SUBJECT}/names/forms/1/script"),
    # Controlled delivery.
    (DELIVERY, put("about/handling/onward", "same_country"), "/about/handling/onward"),
    (DELIVERY, drop("body/abort_if"), "/body/abort_if"),
    (DELIVERY, drop("body/consignment"), "/body/consignment"),
    (DELIVERY, put("body/phase", "consent"), "/about/relations"),
    (DELIVERY, drop("body/route_plan/0/window"), "/body/route_plan/0/window"),
    (
        DELIVERY,
        put("body/route_plan/0/window/latest", "2025-11-19T18:00:00Z"),
        "/body/route_plan/0/window/latest",
    ),
    (DELIVERY, put("body/route_plan/1/seq", 1), "/body/route_plan/1"),
    (
        DELIVERY,
        lambda c: c["body"]["authorisations"].pop(),
        "/body/route_plan/1/to/country",
    ),
    (
        DELIVERY,
        put("body/authorisations/0/expires_at", "2025-11-16T00:00:00Z"),
        "/body/authorisations/0/expires_at",
    ),
    (DELIVERY, put("body/command/1/country", "KH"), "/body/command/1"),
    (
        DELIVERY,
        put("body/result", {"arrests": 0, "seized": [], "lost": []}),
        "/body/phase",
    ),
    # Assets.
    (ASSETS, put("body/totals/0/amount", "1850000001"), "/body/totals/0/amount"),
    (ASSETS, put("body/lead_kind", "freeze_request"), "/body/order"),
    (ASSETS, put("body/action_requested", ["identify", "freeze"]), "/body/order"),
    (ASSETS, put("about/handling/onward", "same_country"), "/about/handling/onward"),
    (ASSETS, put("body/assets/2/owner", 2), "/body/assets/2/owner"),
    (
        ASSETS,
        drop("body/predicate/0/case_ref", "body/predicate/0/bulletin_id"),
        "/body/predicate/0/case_ref",
    ),
    (
        ASSETS,
        drop("body/transactions/0/from", "body/transactions/0/to"),
        "/body/transactions/0/from",
    ),
    (ASSETS, put("body/period/to", "2024-12-31"), "/body/period/to"),
)


@pytest.mark.parametrize(("name", "change", "pointer"), BROKEN)
def test_a_broken_rule_is_named_at_its_place(name: str, change: Change, pointer: str) -> None:
    error = refusal(schema_of(name), changed(name, change))
    assert (error.code, error.field) == ("rule_broken", pointer)


# --- what only the phase or the header decides ---------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "pointer"),
    [
        ("refusal", "/body/reason"),
        ("abort", "/body/reason"),
        ("position", "/body/position"),
        ("handover", "/body/position"),
        ("result", "/body/result"),
    ],
)
def test_a_short_message_of_a_delivery_has_what_its_phase_needs(phase: str, pointer: str) -> None:
    content = sample("controlled_delivery_consent")
    content["body"] = {"phase": phase, "operation_name": "LANTERN"}
    assert refusal(DELIVERY, content).field == pointer
    place = {"kind": "area", "country": "LA"}
    quantity = {"substance": "unknown", "amount": "1", "unit": "KGM", "kind": "net"}
    content["body"] |= {
        "/body/reason": {"reason": {"en": "The court has not agreed."}},
        "/body/position": {"position": {"at": "2025-11-20T01:00:00Z", "place": place}},
        "/body/result": {"result": {"arrests": 2, "seized": [quantity], "lost": []}},
    }[pointer]
    check(DELIVERY, content)


def test_a_delivery_starts_only_with_its_authorisations() -> None:
    content = sample("controlled_delivery_consent")
    content["body"]["phase"] = "go"
    check(DELIVERY, content)
    del content["body"]["authorisations"]
    assert refusal(DELIVERY, content).field == "/body/authorisations"


@pytest.mark.parametrize("tlp", ["clear", "green", "amber", "amber+strict"])
def test_a_controlled_delivery_is_for_named_eyes_only(tlp: str) -> None:
    assert refusal(DELIVERY, sample(DELIVERY), tlp=tlp).field == "/header/tlp"
    assert refusal(DELIVERY, sample(DELIVERY), codes=["H1"]).field == "/header/codes"


def test_a_cancelled_notice_says_why() -> None:
    check(NOTICE, changed(NOTICE, both(CANCELLED, put("body/cancel_reason", "wrong_person"))))


def test_a_wanted_notice_may_ask_for_arrest_on_a_judgment() -> None:
    change = both(ARREST, JUDGED, put("about/handling/pap", "clear"))
    check(NOTICE, changed(NOTICE, change))
    change = both(change, put("body/interpol", {"colour": "red", "notice_no": "A-0000/1-2026"}))
    check(NOTICE, changed(NOTICE, both(change, put("body/sentence/remaining_months", 6))))


def test_a_missing_person_needs_no_offence() -> None:
    change = both(
        drop("body/offences", "body/judicial_doc", "body/extradition_intent"),
        put("body/notice_kind", "missing"),
        put("body/status_in_case", "missing"),
        put("about/personal_data/subject_roles", ["missing", "associate"]),
        put(f"{SUBJECT}/roles", ["missing"]),
    )
    check(NOTICE, changed(NOTICE, change))


def test_a_freeze_rests_on_an_order() -> None:
    order = {
        "kind": "court_order",
        "number": "7/2025",
        "issued_by": {"en": "Court of Champasak"},
        "issued_on": "2025-11-01",
    }
    change = both(put("body/lead_kind", "freeze_request"), put("body/order", order))
    check(ASSETS, changed(ASSETS, change))


# --- numbers of persons ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("phone", "0" * 30),
        ("phone", "call me"),
        ("imei", "49015420323751"),
        ("imsi", "+4901542032375"),
        ("email", "nobody"),
        ("bank_account", "໐໐໐໑"),
        ("wallet", "០០០១"),
        ("seal", " 1"),
    ],
)
def test_a_number_has_the_form_of_its_kind(kind: str, value: str) -> None:
    item = {"kind": kind, "value": value}
    contacts = [{"names": sample(NOTICE)["body"]["subject"]["person"]["names"]}]
    content = changed(NOTICE, put("body/known_contacts", contacts))
    content["body"]["known_contacts"][0]["identifiers"] = [item]
    error = refusal(NOTICE, content)
    assert (error.code, error.field) == (
        "schema_invalid",
        "/body/known_contacts/0/identifiers/0/value",
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("phone", "+856 20 00 000 000"),
        ("imei", "490154203237518"),
        ("imsi", "457010000000000"),
        ("email", "dara@sample.example"),
        ("container", "CSQU3054383"),
        ("customs_declaration", "C 000123/2025"),
    ],
)
def test_numbers_as_they_are_written_are_taken(kind: str, value: str) -> None:
    content = sample(NOTICE)
    content["body"]["known_contacts"][0]["identifiers"] = [{"kind": kind, "value": value}]
    check(NOTICE, content)


def test_a_container_number_has_its_check_digit() -> None:
    content = sample(NOTICE)
    item = {"kind": "container", "value": "CSQU3054384"}
    content["body"]["known_contacts"][0]["identifiers"] = [item]
    assert refusal(NOTICE, content).field == "/body/known_contacts/0/identifiers/0/value"
