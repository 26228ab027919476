"""What a bulletin may not say of itself, and what an honest officer must be able to say."""

from __future__ import annotations

import re

import pytest
from saphan_schemas.explaining import explain
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.samples import ANOTHER, schema_of
from support.changes import Change, both, changed, drop, put
from support.contents import check, refusal

NOTICE = "subject_notice"
CONVICTED = "subject_notice_convicted"
CANCELLED = "subject_notice_cancelled"
SEIZURE = "drug_seizure"
DISPOSAL = "drug_disposal"
DELIVERY = "controlled_delivery_consent"
FREEZE = "asset_lead_freeze"
ASSETS = "asset_lead"
PRECURSOR = "precursor_incident"
ROLES = "body/subject/person/roles"
WARRANT = "body/judicial_doc/number"
ARREST = both(
    put("about/handling/pap", "green"),
    put("body/action_requested", ["arrest"]),
    put("body/arrest_effect", "provisional_arrest_if_law_allows"),
)
WITHDRAWN = both(
    put("about/message_kind", "cancel"),
    put("about/relations", [{"kind": "supersedes", "bulletin_id": ANOTHER}]),
)
STALE = both(
    put("body/judicial_doc/issued_on", "2019-01-01"),
    put("body/judicial_doc/expires_on", "2025-10-13"),
)
WIDELY = both(drop("about/handling/onward_orgs"), put("about/handling/onward", "same_country"))
IDENTIFIER = "/body/known_contacts/0/identifiers/0"
CHAT = {"kind": "messaging", "value": "គំរូ ដារា", "provider": "Sample Messenger"}
FAKED = {**CHAT, "value": "d\u0430ra"}
NOT_WEIGHED = {"substance": "heroin", "kind": "unknown", "packages": 3}

RULES: tuple[tuple[str, Change, str], ...] = (
    # Notices: a warrant that is none any more, an arrest that nothing can follow.
    (NOTICE, STALE, "/body/judicial_doc/expires_on"),
    (CANCELLED, ARREST, "/body/arrest_effect"),
    (NOTICE, both(ARREST, put("body/extradition_intent", "will_not")), "/body/extradition_intent"),
    (NOTICE, put(ROLES, ["associate"]), "/body/status_in_case"),
    (
        CONVICTED,
        both(
            put("body/interpol", {"colour": "red"}),
            drop("body/sentence/remaining_months"),
        ),
        "/body/sentence/remaining_months",
    ),
    (
        CONVICTED,
        both(drop("body/interpol"), put("body/sentence/remaining_months", 0)),
        "/body/sentence/remaining_months",
    ),
    (NOTICE, put("body/danger", ["infectious"]), "/about/personal_data/special_categories"),
    (
        NOTICE,
        both(put("body/notice_kind", "locate"), drop("body/judicial_doc")),
        "/body/judicial_doc",
    ),
    (NOTICE, put("body/known_contacts/0/identifiers/0", FAKED), f"{IDENTIFIER}/value"),
    # Disposals: packaging counted as drugs, a broken seal that is no discrepancy.
    (DISPOSAL, put("body/items/1/quantity/kind", "gross"), "/body/items/1/quantity/kind"),
    (DISPOSAL, put("body/items/0/quantity", NOT_WEIGHED), "/body/items/0/quantity/kind"),
    (
        DISPOSAL,
        both(
            put("body/items/1/net_before", "3240"),
            drop("body/items/1/missing"),
            put("body/items/0/seal/intact", False),
            put("body/discrepancy", {"found": False}),
        ),
        "/body/discrepancy/found",
    ),
    (DISPOSAL, put("body/samples_kept/until", "2025-12-01"), "/body/samples_kept/until"),
    # Deliveries: nothing starts while it is open what is in the parcel.
    (
        DELIVERY,
        both(put("body/phase", "go"), put("body/substitution/kind", "undecided")),
        "/body/substitution/kind",
    ),
    (
        DELIVERY,
        put("body/handover_points/0", {"kind": "port", "country": "VN"}),
        "/body/handover_points/0/country",
    ),
    (DELIVERY, both(WITHDRAWN, put("body/phase", "go")), "/body/phase"),
    (DELIVERY, both(WITHDRAWN, put("body/phase", "abort")), "/body/reason"),
    # Assets.
    (FREEZE, WITHDRAWN, "/body/action_requested"),
    (FREEZE, put("body/order/kind", "arrest_warrant"), "/body/order/kind"),
    (FREEZE, put("body/order/expires_on", "2025-10-13"), "/body/order/expires_on"),
    (FREEZE, put("body/action_requested", ["none", "freeze"]), "/body/action_requested"),
    (ASSETS, put("about/handling/evidence_use", "yes"), "/about/handling/evidence_use"),
    # Precursors.
    (PRECURSOR, drop("body/pen_status"), "/body/pen_status"),
    (PRECURSOR, WITHDRAWN, "/body/requested_action"),
    # Quantities.
    (SEIZURE, put("body/substances/1/margin", "999999"), "/body/substances/1/margin"),
    # What goes for every type.
    (
        SEIZURE,
        both(
            put("about/handling/origin_other_state", {"country": "TH", "consent": "pending"}),
            WIDELY,
        ),
        "/about/handling/onward",
    ),
    (
        SEIZURE,
        both(
            put("about/handling/source_at_risk", True),
            put("about/disclosure_to_subject", "yes"),
        ),
        "/about/disclosure_to_subject",
    ),
)

SCHEMAS: tuple[tuple[str, Change, str], ...] = (
    (NOTICE, put(ROLES, ["wanted", "informant_never_named"]), f"/{ROLES}/1"),
    (NOTICE, put("body/status_in_case", "informant_never_named"), "/body/status_in_case"),
    *((NOTICE, put(WARRANT, text), f"/{WARRANT}") for text in (" ", "  1", "\u1090\u1091", "১২৩")),
    (
        NOTICE,
        put("body/known_contacts/0/identifiers/0", {**CHAT, "value": "\u17e1\u17e2"}),
        f"{IDENTIFIER}/value",
    ),
    (
        NOTICE,
        put("body/known_contacts/0/identifiers/0", {**CHAT, "kind": "wallet"}),
        f"{IDENTIFIER}/value",
    ),
    (DISPOSAL, put("body/items/1/missing", "0"), "/body/items/1/missing"),
    (DISPOSAL, put("body/items/0/kept_back", "0.00"), "/body/items/0/kept_back"),
    (
        SEIZURE,
        drop("about/personal_data/subject_roles"),
        "/about/personal_data/subject_roles",
    ),
    (SEIZURE, put("body/substances/0/kind", "unknown"), "/body/substances/0/amount"),
    (SEIZURE, drop("body/substances/1/amount"), "/body/substances/1/amount"),
    (
        CONVICTED,
        drop("about/personal_data/special_reason"),
        "/about/personal_data/special_reason",
    ),
)

TAKEN: tuple[tuple[str, Change], ...] = (
    (CANCELLED, both(STALE, put("body/cancel_reason", "expired"))),
    (NOTICE, put("body/judicial_doc/expires_on", "2025-10-14")),
    (
        NOTICE,
        both(
            put("body/danger", ["suicidal"]),
            put("about/personal_data/special_categories", ["health"]),
            put("about/personal_data/special_reason", {"en": "Officers must be prepared."}),
        ),
    ),
    (NOTICE, put("body/known_contacts/0/identifiers/0", CHAT)),
    (SEIZURE, put("body/substances/0", NOT_WEIGHED)),
    (SEIZURE, drop("body/arrests/0/nationality")),
    (PRECURSOR, put("body/substances/0", {"substance": "toluene", "kind": "unknown"})),
    (DISPOSAL, put("body/items/2/quantity/kind", "estimated")),
)


@pytest.mark.parametrize(("name", "change", "pointer"), RULES)
def test_what_contradicts_itself_is_refused(name: str, change: Change, pointer: str) -> None:
    codes = ["H2"] if name == ASSETS else ["H1", "H2"]
    error = refusal(schema_of(name), changed(name, change), codes=codes)
    assert (error.code, error.field) == ("rule_broken", pointer)


@pytest.mark.parametrize(("name", "change", "pointer"), SCHEMAS)
def test_what_says_nothing_is_refused(name: str, change: Change, pointer: str) -> None:
    error = refusal(schema_of(name), changed(name, change))
    assert (error.code, error.field) == ("schema_invalid", pointer)


@pytest.mark.parametrize(("name", "change"), TAKEN)
def test_what_is_true_can_be_said(name: str, change: Change) -> None:
    check(schema_of(name), changed(name, change))


def test_a_delivery_does_not_start_on_an_authorisation_that_has_ended() -> None:
    content = changed(DELIVERY, put("body/phase", "go"))
    check(schema_of(DELIVERY), content, created="2025-11-21T23:59:59.000Z")
    error = refusal(schema_of(DELIVERY), content, created="2025-11-22T00:00:00.001Z")
    assert error.field == "/body/authorisations/0/expires_at"


def test_what_is_for_named_readers_is_not_for_a_whole_country() -> None:
    content = changed(SEIZURE, WIDELY)
    check(SEIZURE, content)
    assert refusal(SEIZURE, content, tlp="red").field == "/about/handling/onward"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("name", "change", "pointer"), (*RULES, *SCHEMAS))
def test_each_refusal_is_a_sentence_without_paths(
    name: str, change: Change, pointer: str, lang: str
) -> None:
    codes = ["H2"] if name == ASSETS else ["H1", "H2"]
    sentence = explain(refusal(schema_of(name), changed(name, change), codes=codes), lang)
    assert sentence is not None, pointer
    assert not re.search(r"/[a-z_]+/|[{}]", sentence)
