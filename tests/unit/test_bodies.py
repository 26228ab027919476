"""Body types: bundles stand alone, digests do not move by accident, bad content is refused."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from saphan_schemas import bodies, bundling
from saphan_schemas.codec import decode_content, encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.pae import pae
from saphan_schemas.rules import KINDS
from saphan_schemas.samples import SAMPLES, sample
from support.contents import check, refusal
from support.rooms import ROOT

GENERATOR = ROOT / "schemas/spec/generate_digests.py"

EACH = pytest.mark.parametrize("name", bodies.NAMES)


def stem(name: str) -> str:
    return name.split("/")[1]


def schema_nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from schema_nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from schema_nodes(item)


# --- bundles and digests -------------------------------------------------------------------------


def test_digests_are_those_of_the_page() -> None:
    """A changed digest is a changed type: run the generator, and after a release name it anew."""
    spec = importlib.util.spec_from_file_location("generate_digests", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = (ROOT / "schemas/spec/content.md").read_text(encoding="utf-8")
    assert generator.with_digests(page) == page
    assert [one.name for one in bodies.known_types()] == sorted(bodies.NAMES)


@EACH
def test_digest_is_over_the_canonical_bundle(name: str) -> None:
    data = bodies.bundle_bytes(name)
    assert len(data) <= LIMITS.schema_bytes
    assert encode_content(decode_content(data, len(data))) == data
    assert bodies.digest(name) == hashlib.sha256(pae("saphan/schema/1", data)).digest()


@EACH
def test_bundle_is_a_valid_schema_without_outside_references(name: str) -> None:
    schema = bodies.bundle(name)["schema"]
    jsonschema_rs.meta.validate(schema)
    used = {node["$ref"] for node in schema_nodes(schema) if isinstance(node.get("$ref"), str)}
    assert used == {f"#/$defs/{key}" for key in schema["$defs"]}


@EACH
def test_everything_in_a_bundle_is_bounded_and_closed(name: str) -> None:
    for node in schema_nodes(bodies.bundle(name)["schema"]):
        kind = node.get("type")
        if kind == "string":
            assert "maxLength" in node
        elif kind == "array":
            assert "maxItems" in node
        elif kind == "integer":
            assert {"minimum", "maximum"} <= set(node)
        elif kind == "object":
            assert node["additionalProperties"] is False
        assert kind != "number"


@EACH
def test_patterns_are_anchored_and_take_ascii_digits_only(name: str) -> None:
    patterns = {
        node["pattern"]
        for node in schema_nodes(bodies.bundle(name)["schema"])
        if isinstance(node.get("pattern"), str)
    }
    assert patterns
    for pattern in patterns:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert "\\d" not in pattern
        assert "\\w" not in pattern


def test_unknown_types_are_refused_by_name() -> None:
    for name in ("saphan/case_statistics/0", "other/case_statistics/1", "", "../definitions"):
        assert refusal(name, {}).code == "schema_unknown"


def test_importing_the_modules_loads_no_compiled_validator() -> None:
    script = (
        "import sys, saphan_schemas.validation, saphan_schemas.samples, saphan_schemas.messages;"
        "print('jsonschema_rs' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert result.stdout.strip() == b"False"


# --- samples -------------------------------------------------------------------------------------


@EACH
def test_sample_is_valid_canonical_and_within_the_limits(name: str) -> None:
    content = sample(stem(name))
    check(name, content)
    data = encode_content(content)
    assert decode_content(data, LIMITS.content_bytes) == content


@EACH
def test_sample_has_all_three_languages(name: str) -> None:
    about = sample(stem(name))["about"]
    if name == "saphan/controlled_delivery/1":
        # One word without meaning: no list of bulletins shows the matter.
        assert about["title"] == {"en": "LANTERN"}
        return
    assert set(about["title"]) == set(about["summary"]) == {"lo", "km", "en"}


def test_samples_are_copies_and_unknown_names_are_refused() -> None:
    first = sample(SAMPLES[0])
    first["about"].clear()
    assert sample(SAMPLES[0])["about"]
    with pytest.raises(InvalidInput) as refused:
        sample("../messages/en")
    assert refused.value.code == "schema_unknown"


def test_people_in_samples_carry_the_word_sample_as_family_name() -> None:
    names = [
        *(person["names"] for person in sample("drug_seizure")["body"]["persons"]),
        *(nominee["name"] for nominee in sample("training_notice")["body"]["nominees"]),
    ]
    for name in names:
        assert "ຕົວຢ່າງ" in name["forms"][0]["full"] or "គំរូ" in name["forms"][0]["full"]


def test_statistics_sample_carries_the_public_figures() -> None:
    cells = sample("case_statistics")["body"]["cells"]
    assert [(cell["value"], cell["flag"]) for cell in cells] == [
        ("5012", "final"),
        ("1422", "provisional"),
    ]


# --- bad content: required, unknown, type, length ------------------------------------------------


def required_cases() -> Iterator[tuple[str, str, str]]:
    for name in bodies.NAMES:
        schema = bodies.bundle(name)["schema"]
        yield from ((name, "", key) for key in schema["required"])
        yield from ((name, "body", key) for key in schema["properties"]["body"]["required"])
        yield from ((name, "about", key) for key in schema["$defs"]["about"]["required"])


@pytest.mark.parametrize(("name", "part", "key"), tuple(required_cases()))
def test_each_required_field_is_missed_by_its_pointer(name: str, part: str, key: str) -> None:
    content = sample(stem(name))
    del (content[part] if part else content)[key]
    error = refusal(name, content)
    assert error.code == "schema_invalid"
    assert error.field == (f"/{part}/{key}" if part else f"/{key}")
    assert error.hint


def every_map(node: Any, pointer: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        yield pointer
        for key, value in node.items():
            yield from every_map(value, f"{pointer}/{key}")
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from every_map(item, f"{pointer}/{index}")


def at(content: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        content = content[int(step) if isinstance(content, list) else step]
    return content


@EACH
def test_unknown_field_is_refused_in_every_map(name: str) -> None:
    for pointer in every_map(sample(stem(name))):
        content = sample(stem(name))
        at(content, pointer)["unknown~field"] = "x"
        error = refusal(name, content)
        assert (error.code, error.field) == ("schema_invalid", f"{pointer}/unknown~0field")


@EACH
@pytest.mark.parametrize("wrong", (None, 1.5, True, ["x"], {"x": "y"}), ids=repr)
def test_wrong_type_is_refused_in_every_field(name: str, wrong: object) -> None:
    for pointer in every_map(sample(stem(name))):
        for key, value in at(sample(stem(name)), pointer).items():
            if type(value) is type(wrong) and not isinstance(value, dict):
                continue
            content = sample(stem(name))
            at(content, pointer)[key] = copy.deepcopy(wrong)
            error = refusal(name, content)
            assert error.code == "schema_invalid", f"{pointer}/{key}"


@EACH
def test_every_text_has_a_longest_length(name: str) -> None:
    for pointer in every_map(sample(stem(name))):
        for key, value in at(sample(stem(name)), pointer).items():
            if isinstance(value, str):
                content = sample(stem(name))
                at(content, pointer)[key] = "9" * 4001
                error = refusal(name, content)
                assert (error.code, error.field) == ("schema_invalid", f"{pointer}/{key}")


STATISTICS = "saphan/case_statistics/1"
SEIZURE = "saphan/drug_seizure/1"
TRAINING = "saphan/training_notice/1"

BAD_VALUES: tuple[tuple[str, str, object], ...] = (
    (STATISTICS, "/body/cells/0/value", "NaN"),
    (STATISTICS, "/body/cells/0/value", "Infinity"),
    (STATISTICS, "/body/cells/0/value", "1e3"),
    (STATISTICS, "/body/cells/0/value", "5,012"),
    (STATISTICS, "/body/cells/0/value", "05012"),
    (STATISTICS, "/body/cells/0/value", "-1"),
    (STATISTICS, "/body/cells/0/value", "5012.5"),
    (STATISTICS, "/body/cells/0/value", "5012\n"),
    (STATISTICS, "/body/cells/0/value", "៥០១២"),
    (STATISTICS, "/body/cells/0/value", 5012),
    (STATISTICS, "/body/period/from", "២០២៤-០១-០១"),
    (STATISTICS, "/body/period/from", "໒໐໒໔-໐໑-໐໑"),
    (STATISTICS, "/body/period/from", "2024-02-30"),
    (STATISTICS, "/body/period/from", "2567-01-01"),
    (STATISTICS, "/body/period/from", "2024-1-1"),
    (STATISTICS, "/body/disclosure_control/min_cell", 2**70),
    (STATISTICS, "/body/cells", []),
    (STATISTICS, "/attachments", [{"name": "x"}]),
    (STATISTICS, "/about/title", {}),
    (STATISTICS, "/about/title/lo", ""),
    (STATISTICS, "/about/title/lo", "two\nlines"),
    (STATISTICS, "/about/reference", "LA-OSPP-2025-ST-២"),
    (STATISTICS, "/about/grading/source", "F"),
    (STATISTICS, "/about/purposes", ["training", "training"]),
    (SEIZURE, "/body/seized_at/value", "2025-10-13T23:40:00+07:00"),
    (SEIZURE, "/body/seized_at/value", "2025-10-13T24:40:00Z"),
    (SEIZURE, "/body/seized_at/value", "2025-10-13T23:40:60Z"),
    (SEIZURE, "/body/seized_at/value", "2025-10-13T២៣:40:00Z"),
    (SEIZURE, "/body/substances/0/amount", "1180000000000000000"),
    (SEIZURE, "/body/substances/0/amount", "1.1234567"),
    (SEIZURE, "/body/substances/0/packages", -1),
    (SEIZURE, "/body/place/lat", "90.1"),
    (SEIZURE, "/body/place/lon", "180.0000001"),
    (SEIZURE, "/body/place/subdivision", "KH"),
    (SEIZURE, "/body/persons/0/born/value", "1962-13"),
    (SEIZURE, "/body/persons/0/born/value", "1962-05"),
    (SEIZURE, "/body/arrests/0/count", True),
    (TRAINING, "/body/seats/0/total", 1001),
    (TRAINING, "/body/nominate_by", "2025-11-28"),
    (TRAINING, "/body/course/topics", ["Precursor control"]),
)


@pytest.mark.parametrize(("name", "pointer", "value"), BAD_VALUES)
def test_bad_value_is_refused_where_it_stands(name: str, pointer: str, value: object) -> None:
    content = sample(stem(name))
    place, _, key = pointer.rpartition("/")
    at(content, place)[key] = value
    error = refusal(name, content)
    assert error.code == "schema_invalid"
    assert error.field is not None
    assert error.field.startswith(pointer)


CONDITIONS = (
    (STATISTICS, "/about", {"message_kind": "correction"}, "/about/relations"),
    (STATISTICS, "/body", {"status": "revised"}, "/body/revision_of"),
    (STATISTICS, "/body", {"revision_of": "0" * 64}, "/body/revision_note"),
    (STATISTICS, "/body/cells/0", {"flag": "suppressed"}, "/body/cells/0/value"),
    (STATISTICS, "/body/cells/0", {"measure": "price"}, "/body/cells/0/currency"),
    (STATISTICS, "/body/cells/0", {"currency": "LAK"}, "/body/cells/0/currency"),
    (STATISTICS, "/about/handling", {"onward": "named"}, "/about/handling/onward_orgs"),
    (SEIZURE, "/about/personal_data", {"present": False}, "/about/personal_data/subject_roles"),
    (TRAINING, "/body", {"notice_kind": "report"}, "/body/outcome"),
    (TRAINING, "/body/venue", {"lat": "15.1"}, "/body/venue/lon"),
)


@pytest.mark.parametrize(("name", "place", "change", "field"), CONDITIONS)
def test_fields_that_depend_on_others(
    name: str, place: str, change: dict[str, Any], field: str
) -> None:
    content = sample(stem(name))
    at(content, place).update(change)
    error = refusal(name, content)
    assert (error.code, error.field) == ("schema_invalid", field)


def test_a_value_left_out_is_missed_unless_the_cell_says_why() -> None:
    content = sample("case_statistics")
    del content["body"]["cells"][0]["value"]
    assert refusal(STATISTICS, content).field == "/body/cells/0/value"
    content["body"]["cells"][0]["flag"] = "suppressed"
    content["body"]["totals_check"][0]["value"] = "1422"
    check(STATISTICS, content)


def test_no_error_repeats_the_offending_value() -> None:
    content = sample("drug_seizure")
    content["body"]["persons"][0]["sex"] = "CONFIDENTIAL-7"
    error = refusal(SEIZURE, content)
    assert "CONFIDENTIAL-7" not in str(error) + str(error.hint)


@pytest.mark.parametrize(
    "content",
    ({"about": b"x"}, {1: "x"}, {"about": "\ud800"}, {"\ud800": "x"}, {"about": object()}),
    ids=("bytes", "number as key", "surrogate", "surrogate as key", "object"),
)
def test_what_is_not_json_is_refused_not_crashed_on(content: dict[Any, Any]) -> None:
    assert refusal(TRAINING, content).code in ("schema_invalid", "text_forbidden")


def test_deep_nesting_is_refused_not_crashed_on() -> None:
    nested: Any = "x"
    for _ in range(5_000):
        nested = [nested]
    assert refusal(TRAINING, {"about": nested}).code == "schema_invalid"


def test_bundles_read_from_their_files_are_json_of_this_dialect() -> None:
    for name in bodies.NAMES:
        text = json.dumps(bodies.bundle(name)["schema"], ensure_ascii=False)
        assert json.loads(text)["$schema"] == bundling.DIALECT


def test_the_spec_pages_have_every_rule_kind_and_common_field() -> None:
    spec = ROOT / "schemas/spec"
    about = bodies.bundle(STATISTICS)["schema"]["$defs"]["about"]["properties"]
    for page, words in (("content.md", about), ("rules.md", KINDS)):
        text = (spec / page).read_text(encoding="utf-8")
        assert [
            word for word in words if f"| `{word}`" not in text and f"`{word}`" not in text
        ] == []


def test_the_opening_example_of_the_spec_page_is_valid() -> None:
    page = (ROOT / "schemas/spec/content.md").read_text(encoding="utf-8")
    content = json.loads(page.split("```")[1])
    check(STATISTICS, content)
    assert json.dumps(content, sort_keys=True) == json.dumps(content)
