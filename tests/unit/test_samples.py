"""The samples are the reference's: its ten matters, its test values, and nobody who lives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from saphan_schemas.errors import InvalidInput
from saphan_schemas.samples import ANOTHER, SAMPLES, sample, wish

EACH = pytest.mark.parametrize("name", SAMPLES)
TEN: Final = {
    "LA-OSPP-2025-PI-0007": "precursor_incident",
    "LA-OSPP-2025-SZ-0031": "drug_seizure",
    "KH-GPO-2025-SN-0004": "subject_notice",
    "KH-GPO-2025-RQ-0012": "info_request",
    "LA-OSPP-2025-RP-0019": "info_reply",
    "LA-OSPP-2025-ML-0002": "mla_request",
    "LA-OSPP-2025-ST-0002": "case_statistics",
    "KH-NACD-2025-AL-0009": "trafficking_alert",
    "LA-OSPP-2025-TR-0003": "training_notice",
    "KH-GPO-2025-CD-0001": "controlled_delivery",
    "LA-OSPP-2025-AS-0005": "asset_lead",
}
"""Request and reply are one matter of the ten."""
SAMPLE: Final = {"Laoo": "ຕົວຢ່າງ", "Khmr": "គំរូ", "Latn": "TUAYANG|KUMRU|SAMPLE"}
"""The word "sample", which is everybody's family name."""
SCRIPTS: Final = {"lo": re.compile("[\u0e80-\u0eff]"), "km": re.compile("[\u1780-\u17ff]")}


def maps(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node:
        if isinstance(inner, (dict, list)):
            yield from maps(inner)


def test_the_ten_of_the_reference_are_there_under_their_numbers() -> None:
    found = {sample(name)["about"]["reference"]: name for name in SAMPLES}
    assert len(found) == len(SAMPLES), "a reference names one bulletin"
    assert {reference: found[reference] for reference in TEN} == TEN


@EACH
def test_everybody_is_called_sample(name: str) -> None:
    """Aliases and nicknames are no family names; places and drugs are no names of persons."""
    for names in maps(sample(name)):
        for form in names.get("forms", ()):
            if form["kind"] == "legal":
                assert re.search(SAMPLE[form["script"]], form["full"]), form
            assert form.get("family", "") in ("", *SAMPLE.values()), form


@EACH
def test_texts_are_written_in_the_script_of_their_language(name: str) -> None:
    for texts in maps(sample(name)):
        for lang, script in SCRIPTS.items():
            if isinstance(texts.get(lang), str):
                assert script.search(texts[lang]), texts


@EACH
def test_who_speaks_of_another_bulletin_says_how(name: str) -> None:
    """A reply, a correction, a cancellation and a revision; all the others stand alone."""
    about = sample(name)["about"]
    named = [one["kind"] for one in about.get("relations", ())]
    assert (about["message_kind"] == "original") == (set(named) <= {"in_reply_to", "related"})
    other = "0f" * 32
    assert ANOTHER not in json.dumps(wish(name, other))


def test_values_that_programs_get_wrong() -> None:
    large = sample("asset_lead_large")["body"]
    assert int(large["assets"][0]["value"]["amount"]) == 2**53 + 1
    assert sample("subject_notice_cancelled")["body"]["cancel_reason"] == "wrong_person"
    before, after = (
        sample(name)["body"]["substances"][1]
        for name in ("drug_seizure", "drug_seizure_correction")
    )
    assert (before["amount"], before["unit"]) == ("3240.5", "GRM")
    assert (after["amount"], after["unit"]) == ("3.2405", "KGM")
    khmer_only, buddhist = sample("info_request"), sample("info_reply")
    forms = khmer_only["body"]["subjects"][0]["names"]["forms"]
    assert [form["script"] for form in forms] == ["Khmr"]
    born = buddhist["body"]["answers"][0]["data"]["persons"][0]["born"]
    assert (born["value"], born["calendar_seen"], born["as_written"]) == (
        "1962",
        "buddhist_era",
        "2505",
    )


def test_figures_and_their_revision() -> None:
    values = [
        [cell["value"] for cell in sample(name)["body"]["cells"]]
        for name in ("case_statistics", "case_statistics_revised")
    ]
    assert values == [["5012", "1422"], ["5012", "1431"]]


def test_a_name_that_is_no_sample() -> None:
    with pytest.raises(InvalidInput) as refused:
        wish("../bodies")
    assert refused.value.code == "schema_unknown"
