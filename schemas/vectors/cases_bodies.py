"""What is wrong with a sample when one thing is changed: the changes, the code, and the place.

A change is (pointer, value); `GONE` takes the member away. A pointer beginning with `/header`
changes a fact of the header.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

GONE: Final = ...
SCHEMA: Final = "schema_invalid"
RULE: Final = "rule_broken"
TEXT: Final = "text_forbidden"
NAME: Final = "attachment_name"
OTHER: Final = "77" * 32
KHMER_DIGITS: Final = "\u17e1\u17e2"
LAO_DIGITS: Final = "\u0ed1\u0ed2"


class Case(NamedTuple):
    """One spoiled sample; `at` is the pointer that the error names."""

    why: str
    change: tuple[tuple[str, Any], ...]
    code: str
    at: str


def case(why: str, code: str, at: str, *change: tuple[str, Any]) -> Case:
    return Case(why, change, code, at)


def one(why: str, code: str, at: str, value: Any) -> Case:
    """The changed place is the one that the error names."""
    return Case(why, ((at, value),), code, at)


COMMON: Final[tuple[Case, ...]] = (
    one("the body has a field of its own", SCHEMA, "/body/unheard_of", "x"),
    one("about has a field of its own", SCHEMA, "/about/unheard_of", "x"),
    one("no title", SCHEMA, "/about/title", GONE),
    one("no legal basis", SCHEMA, "/about/legal_bases", []),
    one("a purpose that is no code", SCHEMA, "/about/purposes/0", "curiosity"),
    one("a purpose twice", SCHEMA, "/about/purposes", ["training", "training"]),
    one("a reference without its year", SCHEMA, "/about/reference", "LA-OSPP-SZ-0031"),
    one("a title of 201 characters", SCHEMA, "/about/title/en", "x" * 201),
    one("a title of two lines", SCHEMA, "/about/title/en", "one\ntwo"),
    one("a language that is no tag", SCHEMA, "/about/title/english", "x"),
    one("a day that does not exist", SCHEMA, "/about/review_at", "2026-02-30"),
    one("a day in Lao digits", SCHEMA, "/about/review_at", f"20{LAO_DIGITS}-01-01"),
    one("a number in the place of a text", SCHEMA, "/about/reference", 7),
    one("an override of the direction of writing", TEXT, "/about/title/en", "abc\u202edcba"),
    one("a code point that Unicode 15.1 does not assign", TEXT, "/about/title/en", "\u0378"),
    one("a deprecated Khmer sign", TEXT, "/about/title/en", "\u17a3"),
    one("a control character", TEXT, "/about/title/en", "bell\a"),
    case("no title in the source language", RULE, "/about/title", ("/about/source_language", "th")),
    case("H3 without its text", RULE, "/about/handling/h3_text", ("/header/codes", ["H1", "H3"])),
    one("an attachment with a path for a name", NAME, "/attachments/0/name", "../x.pdf")._replace(
        change=(
            (
                "/attachments",
                [{"media_type": "application/pdf", "name": "../x.pdf", "role": "other"}],
            ),
        )
    ),
)

PRECURSOR: Final = (
    one("no place", SCHEMA, "/body/place", GONE),
    one("a substance that is no code", SCHEMA, "/body/substances/0/substance", "moonshine"),
    one("a weight below nothing", SCHEMA, "/body/substances/0/amount", "-1"),
    one("a weight in Khmer digits", SCHEMA, "/body/substances/0/amount", KHMER_DIGITS),
    one("a weight that is no number", SCHEMA, "/body/substances/0/amount", "NaN"),
    one("a CAS number whose check digit is wrong", RULE, "/body/labels/0/cas", "108-88-4"),
)
SEIZURE: Final = (
    one("not weighed, with an amount", SCHEMA, "/body/substances/0/amount", "1")._replace(
        change=(("/body/substances/0/kind", "unknown"),)
    ),
    one("tablets in litres", RULE, "/body/substances/0/unit", "LTR"),
    one(
        "a kilogram equivalent that is not factor times amount",
        RULE,
        "/body/substances/0/kg_equivalent/amount",
        "10.63",
    ),
    one("coordinates without precision", SCHEMA, "/body/place/precision_m", GONE),
    one("a province of another country", SCHEMA, "/body/place/subdivision", "KH-19"),
    one(
        "a Cyrillic letter in a Latin word",
        RULE,
        "/body/vehicles/0/plate/text",
        "A\u0412C 0000",
    ),
    one("a minute that does not exist", SCHEMA, "/body/seized_at/value", "2025-10-13T23:60:00Z"),
    one("a role that was not declared", RULE, "/body/persons/0/roles/0", "victim"),
    one("a count of 2^53 + 1", SCHEMA, "/body/arrests/0/count", 2**53 + 1),
    one("an owner who is not in the list", RULE, "/body/vehicles/0/owner", 7),
    case(
        "personal data that is not declared",
        RULE,
        "/about/personal_data/present",
        ("/about/personal_data", {"present": False, "minors": False}),
    ),
)
DISPOSAL: Final = (
    one(
        "weighed before: a unit more than burnt, kept and missing",
        RULE,
        "/body/items/0/net_before",
        "118001",
    ),
    one("a total off by one", RULE, "/body/totals/0/amount", "117999"),
    one("a total left out", RULE, "/body/totals", [{"unit": "U2", "amount": "117998"}]),
    case(
        "burnt before it was ordered",
        RULE,
        "/body/disposed/from",
        ("/body/order/issued_on", "2025-12-21"),
    ),
    case(
        "a discrepancy that is hidden",
        RULE,
        "/body/discrepancy/found",
        ("/body/discrepancy", {"found": False}),
    ),
    one("a record that is a photo", RULE, "/body/record", 1),
    one("nothing missing, said as an amount", SCHEMA, "/body/items/1/missing", "0.0"),
    one("burnt with its packaging", RULE, "/body/items/1/quantity/kind", "gross"),
    one(
        "a witness twice",
        RULE,
        "/body/witnesses/1",
        {"office": "Office of the People's Prosecutor of Champasak", "role": "prosecutor"},
    ),
)
NOTICE: Final = (
    one("wanted without a warrant", RULE, "/body/judicial_doc", GONE),
    one("a warrant without a number", SCHEMA, "/body/judicial_doc/number", " "),
    one("a warrant that has ended", RULE, "/body/judicial_doc/expires_on", "2025-09-01"),
    one("an informant named", SCHEMA, "/body/subject/person/roles/0", "informant_never_named"),
    one(
        "an illness that is not declared", RULE, "/about/personal_data/special_categories", GONE
    )._replace(change=(("/body/danger", ["infectious"]),)),
    one("wanted without an intent to extradite", RULE, "/body/extradition_intent", GONE),
    one(
        "an arrest asked for in a notice that is for information",
        RULE,
        "/body/arrest_effect",
        "information_only",
    )._replace(change=(("/body/action_requested", ["arrest"]),)),
    one("a name form that is of itself", RULE, "/body/subject/person/names/forms/1/of_form", 1),
    one(
        "a date of birth more exact than it says",
        SCHEMA,
        "/body/subject/person/born/value",
        "1988-07",
    ),
)
REQUEST: Final = (
    one("immediate without its ground", RULE, "/body/urgency_ground", GONE),
    one("a reply time shorter than the table", RULE, "/body/reply_within/count", 1)._replace(
        change=(("/body/reply_within", {"count": 1, "unit": "hours"}),)
    ),
    one("a question twice", RULE, "/body/questions/1", GONE)._replace(
        change=(("/body/questions/1/no", 1),)
    ),
    one("no reason why you", SCHEMA, "/body/why_you", GONE),
)
REPLY: Final = (
    one("an answer to another request than it is in reply to", RULE, "/body/request_id", OTHER),
    one("interim without its delay", SCHEMA, "/body/delay", GONE),
    one("an outcome that is no code", SCHEMA, "/body/outcome", "perhaps"),
)
MLA: Final = (
    one("no undertakings", SCHEMA, "/body/undertakings", GONE),
    one("no facts", SCHEMA, "/body/facts", GONE),
    one("assistance of no known kind", SCHEMA, "/body/assistance/0/kind", "favour"),
)
STATISTICS: Final = (
    one("no counting rule", SCHEMA, "/body/counting_rule", GONE),
    one("a sum off by one", RULE, "/body/totals_check/0/value", "6435"),
    one("a cell outside the period", RULE, "/body/cells/1/period/to", "2025-06-30")._replace(
        at="/body/period/to"
    ),
    one("a final cell without its value", SCHEMA, "/body/cells/0/value", GONE),
    case(
        "the same cell twice",
        RULE,
        "/body/cells/1",
        ("/body/cells/1/period", {"from": "2024-01-01", "to": "2024-12-31"}),
    ),
)
ALERT: Final = (
    one("an alert without an end", RULE, "/about/valid_until", GONE),
    one("a route without legs", RULE, "/body/legs", GONE),
    one("stop, where nothing may be noticed", RULE, "/body/action_advised", "stop"),
    case(
        "seen until before it was seen",
        RULE,
        "/body/observed/to",
        ("/body/observed/from", "2025-11-01"),
    ),
)
TRAINING: Final = (
    one("more seats for women than seats", RULE, "/body/seats/0/reserved_women", 13),
    one("nominations after it began", RULE, "/body/nominate_by", "2025-12-09T00:00:00Z")._replace(
        at="/body/dates/from"
    ),
    one("a nominee of an office without seats", RULE, "/body/nominees/0/org", "LA-MPS"),
    one("no nomination day in an announcement", SCHEMA, "/body/nominate_by", GONE),
)
DELIVERY: Final = (
    case("marked amber", RULE, "/header/tlp", ("/header/tlp", "amber")),
    case("without H2", RULE, "/header/codes", ("/header/codes", ["H1"])),
    one("a proposal without a plan", RULE, "/body/route_plan", GONE),
    case(
        "gone through a country without its authorisation",
        RULE,
        "/body/route_plan/1/to/country",
        ("/body/authorisations/1/country", "TH"),
    ),
)
ASSETS: Final = (
    one("a freeze asked for without its order", RULE, "/body/order", GONE)._replace(
        change=(("/body/action_requested", ["freeze"]),)
    ),
    one("a total off by one", RULE, "/body/totals/0/amount", "1850000001"),
    one("an owner who is not in the list", RULE, "/body/assets/0/owner", 2),
)

CASES: Final[dict[str, tuple[Case, ...]]] = {
    "asset_lead": ASSETS,
    "case_statistics": STATISTICS,
    "controlled_delivery": DELIVERY,
    "drug_disposal": DISPOSAL,
    "drug_seizure": SEIZURE,
    "info_reply": REPLY,
    "info_request": REQUEST,
    "mla_request": MLA,
    "precursor_incident": PRECURSOR,
    "subject_notice": NOTICE,
    "trafficking_alert": ALERT,
    "training_notice": TRAINING,
}
