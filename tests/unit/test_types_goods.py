"""Goods and persons: what seizures, precursors and disposals demand beyond their fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from saphan_schemas import bodies
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.codes import code_attribute, codes
from saphan_schemas.explaining import explain_fault
from saphan_schemas.samples import SAMPLES, sample, schema_of, wish
from support.changes import Change, Content, both, changed, drop, put
from support.contents import check, refusal

PRECURSOR = "precursor_incident"
SEIZURE = "drug_seizure"
DISPOSAL = "drug_disposal"
TYPES = (
    "asset_lead",
    "controlled_delivery",
    DISPOSAL,
    SEIZURE,
    PRECURSOR,
    "subject_notice",
)
ANOTHER = "5a" * 32
TABLET = "body/substances/0"
PERSON = "body/persons/0"
BROKEN: tuple[tuple[str, Change, str], ...] = (
    # Substances and their quantities.
    (SEIZURE, put(f"{TABLET}/unit", "KGM"), "/body/substances/0/unit"),
    (SEIZURE, put("body/substances/1/unit", "U2"), "/body/substances/1/unit"),
    (SEIZURE, put("body/substances/1/unit", "LTR"), "/body/substances/1/unit"),
    (SEIZURE, put(f"{TABLET}/unit", "AV"), "/body/substances/0/unit"),
    (
        SEIZURE,
        put(f"{TABLET}/kg_equivalent/amount", "10.63"),
        "/body/substances/0/kg_equivalent/amount",
    ),
    (SEIZURE, put(f"{TABLET}/purity_pct", "12.5"), "/body/substances/0/tested"),
    (
        SEIZURE,
        both(put(f"{TABLET}/purity_pct", "12.5"), drop(f"{TABLET}/tested")),
        "/body/substances/0/tested",
    ),
    (PRECURSOR, put(f"{TABLET}/control", "table_i"), "/body/substances/0/control"),
    (PRECURSOR, put("body/substances/1/control", "table_ii"), "/body/substances/1/control"),
    # Precursors.
    (PRECURSOR, put("body/labels/0/cas", "108-88-4"), "/body/labels/0/cas"),
    (PRECURSOR, put("body/labels/1/substance", 2), "/body/labels/1/substance"),
    (PRECURSOR, drop("body/route"), "/body/route"),
    (PRECURSOR, put("body/incident_kind", "laboratory"), "/body/laboratory"),
    (PRECURSOR, put(f"{TABLET}/substance", "caffeine"), "/body/substances/0/control"),
    (
        PRECURSOR,
        both(put(f"{TABLET}/substance", "caffeine"), drop(f"{TABLET}/control")),
        "/body/pen_status",
    ),
    (PRECURSOR, put("body/incb_reported", {}), "/body/incb_reported/pics_ref"),
    (PRECURSOR, put("body/trade_docs/0/attachment", 0), "/body/trade_docs/0/attachment"),
    (PRECURSOR, put("body/samples_kept/kept", False), "/body/samples_kept/where"),
    (PRECURSOR, drop("body/samples_kept/where"), "/body/samples_kept/where"),
    (PRECURSOR, put("body/broker", {}), "/body/broker/person"),
    (
        PRECURSOR,
        lambda c: c["body"]["broker"].update(c["body"]["consignor"]),
        "/body/broker/organisation",
    ),
    (
        PRECURSOR,
        lambda c: c["about"].update(personal_data={"present": False, "minors": False}),
        "/about/personal_data/present",
    ),
    # Seizures.
    (SEIZURE, drop("body/other_items/0/money"), "/body/other_items/0/money"),
    (SEIZURE, put("body/lab_report", 0), "/body/lab_report"),
    (
        SEIZURE,
        both(
            put("body/lab_report", 0),
            put(
                "attachments",
                [{"name": "report.pdf", "media_type": "application/pdf", "role": "lab_report"}],
            ),
        ),
        "/body/lab_status",
    ),
    (SEIZURE, put("body/links/0", {}), "/body/links/0/bulletin_id"),
    (SEIZURE, put("body/links/0/bulletin_id", ANOTHER), "/body/links/0/text"),
    (SEIZURE, put("body/arrests/1", {**sample(SEIZURE)["body"]["arrests"][0]}), "/body/arrests/1"),
    (SEIZURE, put("body/vehicles/0/owner", 2), "/body/vehicles/0/owner"),
    (SEIZURE, drop("body/vehicles/0/plate"), "/body/vehicles/0/plate"),
    (
        SEIZURE,
        put("body/vehicles/0/plate/subdivision", "KH-19"),
        "/body/vehicles/0/plate/subdivision",
    ),
    (SEIZURE, put("body/vehicles/0/plate/text", "ກຂА 0000"), "/body/vehicles/0/plate/text"),
    (SEIZURE, put("body/vessels", [{"kind": "cargo", "imo": "9074728"}]), "/body/vessels/0/imo"),
    (SEIZURE, put(f"{PERSON}/roles/0", "witness"), "/body/persons/0/roles/0"),
    (
        SEIZURE,
        put(f"{PERSON}/documents/0/expires_on/value", "2021-03"),
        "/body/persons/0/documents/0/expires_on/value",
    ),
    (SEIZURE, put(f"{PERSON}/documents/0/image", 0), "/body/persons/0/documents/0/image"),
    (SEIZURE, put(f"{PERSON}/photos", [0]), "/body/persons/0/photos/0"),
    (SEIZURE, put(f"{PERSON}/phones/0/kind", "wallet"), "/body/persons/0/phones/0/kind"),
    (SEIZURE, put(f"{PERSON}/phones/1/value", "490154203237519"), "/body/persons/0/phones/1/value"),
    (
        SEIZURE,
        put(f"{PERSON}/accounts", [{"kind": "phone", "value": "+856 20 00"}]),
        "/body/persons/0/accounts/0/kind",
    ),
    (SEIZURE, put(f"{PERSON}/names/forms/1/of_form", 1), "/body/persons/0/names/forms/1/of_form"),
    (
        SEIZURE,
        put(f"{PERSON}/names/forms/1/full", "SОMPHONE"),
        "/body/persons/0/names/forms/1/full",
    ),
    # Disposal.
    (DISPOSAL, put("body/items/1/missing", "0.6"), "/body/items/1/net_before"),
    (DISPOSAL, put("body/items/1/net_before", "3241.5"), "/body/items/1/net_before"),
    (DISPOSAL, put("body/totals/1/amount", "44438.000001"), "/body/totals/1/amount"),
    (DISPOSAL, put("body/totals/0/unit", "KGM"), "/body/totals/0"),
    (DISPOSAL, lambda c: c["body"]["totals"].pop(), "/body/totals"),
    (DISPOSAL, drop("body/items/2/case_ref"), "/body/items/2/seizure"),
    (DISPOSAL, put("body/discrepancy", {"found": False}), "/body/discrepancy/found"),
    (DISPOSAL, drop("body/discrepancy/text"), "/body/discrepancy/text"),
    (DISPOSAL, put("body/samples_kept", {"kept": False}), "/body/samples_kept/kept"),
    (DISPOSAL, put("body/method", "other"), "/body/method_text"),
    (DISPOSAL, put("body/record", 1), "/body/record"),
    (DISPOSAL, put("body/record", 2), "/body/record"),
    (DISPOSAL, put("body/photos", [0]), "/body/photos/0"),
    (DISPOSAL, put("body/order/issued_on", "2025-12-21"), "/body/disposed/from"),
    (DISPOSAL, put("body/disposed/to", "2025-12-19"), "/body/disposed/to"),
    (
        DISPOSAL,
        lambda c: c["body"]["witnesses"].append(dict(c["body"]["witnesses"][0], count=1)),
        "/body/witnesses/4",
    ),
)


@pytest.mark.parametrize(("name", "change", "pointer"), BROKEN)
def test_a_broken_rule_is_named_at_its_place(name: str, change: Change, pointer: str) -> None:
    error = refusal(name, changed(name, change))
    assert (error.code, error.field) == ("rule_broken", pointer)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (SEIZURE, put(f"{TABLET}/kg_equivalent/amount", "10.63"), "Substances 1 › Amount, "),
        (DISPOSAL, put("body/items/1/missing", "0.6"), "Items 2 › Kept back, Items 2 › Missing"),
        (
            PRECURSOR,
            both(put(f"{TABLET}/substance", "caffeine"), drop(f"{TABLET}/control")),
            "Substances › Substance that is one of: ephedrine = Ephedrine",
        ),
        (
            SEIZURE,
            put("body/arrests/1", {**sample(SEIZURE)["body"]["arrests"][0]}),
            "Arrests 2 › Sex",
        ),
    ],
)
def test_a_broken_rule_speaks_of_fields_by_their_titles(
    name: str, change: Change, words: str
) -> None:
    fault = refusal(name, changed(name, change)).fault
    assert fault is not None
    assert words in explain_fault(fault)
    assert explain_fault(fault, "lo") != explain_fault(fault) != explain_fault(fault, "km")


# --- forms of single values ----------------------------------------------------------------------


@pytest.mark.parametrize("digits", ["໐໑", "០១", "๐๑", "٠١", "၀၁", "０１"])
def test_plates_and_registers_take_ascii_digits_beside_any_letters(digits: str) -> None:
    check(SEIZURE, changed(SEIZURE, put("body/vehicles/0/plate/text", "ກຂ 1234")))
    for path in ("body/vehicles/0/plate/text", f"{PERSON}/documents/0/number"):
        error = refusal(SEIZURE, changed(SEIZURE, put(path, f"ກຂ {digits}")))
        assert (error.code, error.field) == ("schema_invalid", f"/{path}")


def test_quantities_above_every_exact_float_are_kept() -> None:
    large = "900719925474099301"
    change = both(
        put("body/items/2/quantity/amount", large),
        put("body/items/2/net_before", large),
        put("body/totals/1/amount", "900719925474102539"),
    )
    check(DISPOSAL, changed(DISPOSAL, change))
    off = both(change, put("body/totals/1/amount", "900719925474102540"))
    assert refusal(DISPOSAL, changed(DISPOSAL, off)).field == "/body/totals/1/amount"


# --- what samples and lists promise --------------------------------------------------------------


def every_name(node: Any) -> Iterator[Content]:
    if isinstance(node, dict):
        if "forms" in node:
            yield node
        for value in node.values():
            yield from every_name(value)
    elif isinstance(node, list):
        for item in node:
            yield from every_name(item)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith(TYPES)])
def test_samples_are_exercises_about_nobody(name: str) -> None:
    given = wish(name)
    assert given["exercise"] is True
    for found in every_name(given["body"]):
        assert re.search("ຕົວຢ່າງ|គំរូ|SAMPLE|KUMRU", found["forms"][0]["full"])
    check(schema_of(name), sample(name), **given["marking"], urgency=given["urgency"])


@pytest.mark.parametrize("name", TYPES)
def test_samples_fill_every_field_of_a_body(name: str) -> None:
    whole = f"saphan/{name}/1"
    fields = set(bodies.bundle(whole)["schema"]["properties"]["body"]["properties"])
    filled = {field for one in SAMPLES if one.startswith(name) for field in sample(one)["body"]}
    assert fields - filled <= {"reason", "method_text"}


def test_precursors_of_the_tables_are_those_of_their_code_list() -> None:
    rules = BUILT_IN.get("saphan/precursor_incident/1").bundle["rules"]
    (agreed,) = [r for r in rules if r["rule"] == "unit_agreement" and r["by"] == "substance"]
    (noted,) = [r for r in rules if r["rule"] == "some_is"]
    tables = {code: code_attribute("precursor", code, "table") for code in codes("precursor")}
    scheduled = {code: table for code, table in tables.items() if table in ("table_i", "table_ii")}
    assert len(scheduled) > 40
    assert {c: t for c, t in agreed["table"].items() if c in scheduled} == {
        code: [table] for code, table in scheduled.items()
    }
    assert set(noted["be"]) == set(scheduled)
