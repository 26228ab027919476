"""Code lists: each with source, date and three languages; check digits, pairs and tables agree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from importlib import resources
from typing import Any, get_args

import pytest
from saphan_schemas import attachments, bodies
from saphan_schemas.codes import (
    LANGUAGES,
    STANDINGS,
    code_attribute,
    code_label,
    code_lists,
    codes,
    list_fact,
    unreviewed_codes,
)
from saphan_schemas.records import TLP_ORDER, HandlingCode, Tlp, Urgency
from saphan_schemas.rules.check_digits import METHODS
from saphan_schemas.text import check_text
from support.spelling import misspelt

LISTS = code_lists()
ESTER = re.compile(r"(mdp2p|p2p)_mga_(iso|sec_|tert_)?(propyl|butyl)")


ENTRIES = [(name, code) for name in LISTS for code in codes(name)]
LABELS = [
    (name, code, lang, code_label(name, code, lang)) for name, code in ENTRIES for lang in LANGUAGES
]


def test_a_list_says_where_it_is_from_and_when() -> None:
    for name in LISTS:
        assert list_fact(name, "source"), name
        assert date(2000, 1, 1) < date.fromisoformat(list_fact(name, "dated")) < date(2027, 1, 1)
        assert list_fact(name, "standing") in STANDINGS, name
        assert 0 < len(codes(name)) <= 512, name


FROM_MEMORY = {
    "drug": ("kratom",),
    "europol_4x4_information": ("4",),
    "grading_scheme": ("uk_5x5x5",),
    "org": ("LA-LCDC", "LA-AMLIO", "KH-CAFIU"),
    "precursor": (
        "benzyl_cyanide", "sodium_cyanide", "propionyl_chloride", "thionyl_chloride",
        "2_bromopropiophenone", "tartaric_acid", "caffeine",
    ),
    "refusal": (
        "political_offence", "double_jeopardy", "sovereignty", "discrimination", "death_penalty",
    ),
}  # fmt: skip
OUR_OWN = {
    "availability": ("unknown",),
    "form": ("resin", "paste", "capsule", "gas"),
    "precursor": ("other_chemical",),
}


def test_a_code_that_is_known_otherwise_than_its_list_says_so_itself() -> None:
    marked: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, code in ENTRIES:
        known = code_attribute(name, code, "standing")
        if known is not None and name != "substance":  # which joins two lists
            assert known != list_fact(name, "standing"), (name, code)
            marked.setdefault(known, {}).setdefault(name, ())
            marked[known][name] += (code,)
    assert marked == {"remembered": FROM_MEMORY, "proposed": OUR_OWN}
    number = [code_attribute("precursor", code, "cas_standing") for code in codes("precursor")]
    assert set(number) == {None, "remembered"}
    assert code_attribute("precursor", "mdp2p_mga_ethyl", "cas_standing") == "remembered"


def test_every_code_is_a_plain_word_with_a_label_in_three_languages() -> None:
    for name, code in ENTRIES:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,40}", code), (name, code)
    for name, code, lang, label in LABELS:
        assert label == label.strip(), (name, code, lang)
        assert 0 < len(label) <= 100, label
        check_text(label, f"{name}.{code}.{lang}")


def test_no_two_codes_of_a_list_look_alike() -> None:
    """Whoever chooses by label must get the code that the label stands for."""
    seen: dict[tuple[str, str, str], str] = {}
    for name, code, lang, label in LABELS:
        assert seen.setdefault((name, lang, label), code) == code, (name, lang, label)


def test_labels_are_spelled_in_one_way() -> None:
    for *where, label in LABELS:
        assert misspelt(label) is None, (where, label)


def test_each_language_is_written_in_its_own_script() -> None:
    for *where, lang, label in LABELS:
        for other, letters in (("lo", "[\u0e80-\u0eff]"), ("km", "[\u1780-\u17ff]")):
            assert lang == other or not re.search(letters, label), (where, lang, label)


def test_what_was_not_read_in_a_source_waits_for_a_native_reader() -> None:
    assert "subdivision.LA-CH" not in unreviewed_codes("lo")
    assert "subdivision.LA-CH" in unreviewed_codes("km")
    assert "subdivision.KH-19" not in unreviewed_codes("km")
    assert "org.LA-OSPP" not in unreviewed_codes("lo")
    assert "drug.heroin" in unreviewed_codes("lo")
    assert not unreviewed_codes("en")


def test_an_unknown_language_gives_english() -> None:
    assert code_label("unit", "KGM", "fr") == code_label("unit", "KGM", "en")


def test_unknown_names_are_bugs() -> None:
    for ask in (
        lambda: codes("no_such_list"),
        lambda: code_label("unit", "LBR"),
        lambda: code_attribute("unit", "LBR", "kind"),
        lambda: list_fact("unit", "owner"),
    ):
        with pytest.raises(KeyError):
            ask()


def test_check_digits_of_precursors() -> None:
    numbers = {code: code_attribute("precursor", code, "cas") for code in codes("precursor")}
    given = [number for number in numbers.values() if number is not None]
    assert len(given) == len(set(given)) == 51
    assert all(METHODS["cas"](number) for number in given)
    # As one public list prints norfentanyl: the check digit is there for this.
    assert not METHODS["cas"]("1609-66-5")
    without = [code for code, number in numbers.items() if number is None]
    assert all(ESTER.fullmatch(code) or code == "other_chemical" for code in without)


def test_tables_of_the_1988_convention() -> None:
    tables: dict[str, list[str]] = {}
    for code in codes("precursor"):
        tables.setdefault(code_attribute("precursor", code, "table"), []).append(code)
    assert set(tables) <= set(codes("substance_control"))
    assert sorted(tables["table_ii"]) == [
        "acetone", "anthranilic_acid", "ethyl_ether", "hydrochloric_acid",
        "methyl_ethyl_ketone", "piperidine", "sulphuric_acid", "toluene",
    ]  # fmt: skip
    assert len(tables["table_i"]) == 43
    # Salts are under control too, except those of the two acids.
    salts = {code: code_attribute("precursor", code, "salts") for code in codes("precursor")}
    assert [code for code, said in salts.items() if said is False] == [
        "hydrochloric_acid",
        "sulphuric_acid",
    ]


def test_substances_are_drugs_then_precursors_with_unit_and_group() -> None:
    assert codes("substance") == codes("drug") + codes("precursor")
    for code in codes("substance"):
        assert code_attribute("substance", code, "unit") in codes("unit")
    for code in codes("drug"):
        assert code_attribute("drug", code, "group") in codes("substance_group")


def test_provinces_and_checkpoints() -> None:
    provinces = codes("subdivision")
    assert sum(code.startswith("LA-") for code in provinces) == 18
    assert [code for code in provinces if code.startswith("KH-")] == [
        f"KH-{number}" for number in range(1, 26)
    ]
    # "LA-KH" is a province of Laos, and a package in use gives it another one's name.
    assert code_label("subdivision", "LA-KH", "lo") == "ຄຳມ່ວນ"
    for code in codes("checkpoint"):
        opposite = code_attribute("checkpoint", code, "opposite")
        assert code_attribute("checkpoint", opposite, "opposite") == code
        assert code_attribute("checkpoint", code, "subdivision") in provinces
        assert code.startswith(code_attribute("checkpoint", code, "subdivision") + "-")
        assert code_attribute("checkpoint", code, "level") in codes("checkpoint_level")
        known = code_attribute("checkpoint", code, "unlocode")
        assert known is None or known in codes("unlocode")
    # Papers and officers still say the older names.
    for lang in LANGUAGES:
        assert "Veun Kham" in code_label("checkpoint", "LA-CH-NNK", lang)
        assert "Dom Kralor" in code_label("checkpoint", "KH-19-TPK", lang)


def test_reply_times_are_counts_in_units_of_time() -> None:
    for code in codes("reply_time"):
        assert code_attribute("reply_time", code, "count") > 0
        assert code_attribute("reply_time", code, "unit") in codes("duration_unit")


def test_the_grades_of_each_scheme_have_lists() -> None:
    for scheme in codes("grading_scheme"):
        for part in ("source", "information"):
            assert f"{scheme}_{part}" in LISTS


def test_the_header_has_the_codes_of_its_lists() -> None:
    assert codes("tlp") == TLP_ORDER == get_args(Tlp)
    assert codes("handling_code") == get_args(HandlingCode)
    assert codes("urgency") == get_args(Urgency)


def test_attachment_roles_are_a_code_list() -> None:
    assert codes("attachment_role") == attachments.ROLES


FILES = sorted(
    (
        file
        for folder in ("bodies", "bodies/shared")
        for file in resources.files("saphan_schemas").joinpath(folder).iterdir()
        if file.name.endswith(".json") and not file.name.endswith(".rules.json")
    ),
    key=lambda file: file.name,
)


HELD_ELSEWHERE = frozenset(
    {
        *("tlp", "handling_code", "urgency", "attachment_role"),  # of the header, of attachments
        *("org", "language", "script", "currency", "checkpoint", "unlocode"),  # open
        *("checkpoint_level", "substance_group"),  # values of attributes
        "reply_time",
    }
)
"""Lists that no enumeration holds (codes.md, K13)."""


def named(node: Any) -> Iterator[str]:
    """Every list that a schema names."""
    if isinstance(node, list):
        for item in node:
            yield from named(item)
    if isinstance(node, dict):
        if isinstance(node.get("$codes"), str):
            yield node["$codes"]
        for value in node.values():
            yield from named(value)


def test_every_list_is_held_by_a_type_or_said_to_be_held_elsewhere() -> None:
    held = {name for file in FILES for name in named(json.loads(file.read_text(encoding="utf-8")))}
    assert held.isdisjoint(HELD_ELSEWHERE)
    # `substance` joins the precursors to the drugs.
    assert held | HELD_ELSEWHERE | {"precursor"} == set(LISTS)


def enumerations(node: Any, conditional: bool) -> Iterator[list[Any]]:
    """Every `enum` that is written out where a field is described (not where one is compared)."""
    if isinstance(node, list):
        for item in node:
            yield from enumerations(item, conditional)
    if isinstance(node, dict):
        if "enum" in node and not conditional:
            yield node["enum"]
        for key, value in node.items():
            yield from enumerations(value, conditional or key in ("if", "then", "else"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_enumeration_of_a_type_is_a_code_list(file: Any) -> None:
    assert not list(enumerations(json.loads(file.read_text(encoding="utf-8")), False))


def conditions(node: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(an object's schema, a part of its if, then or else)."""
    if isinstance(node, list):
        for item in node:
            yield from conditions(item)
    if isinstance(node, dict):
        for whole in [node, *node.get("allOf", ())]:
            for part in ("if", "then", "else"):
                if isinstance(whole.get(part), dict):
                    yield node, whole[part]
        for value in node.values():
            yield from conditions(value)


def resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


@pytest.mark.parametrize("name", bodies.NAMES)
def test_conditions_compare_with_codes_of_the_field(name: str) -> None:
    """A condition on a code that the field cannot have would never apply, and nobody would see."""
    schema = bodies.bundle(name)["schema"]
    seen = 0
    for owner, part in conditions(schema):
        for field, said in part.get("properties", {}).items():
            if not isinstance(said, dict) or field not in owner.get("properties", {}):
                continue
            allowed = resolved(schema, owner["properties"][field]).get("enum")
            words = said.get("enum", [said["const"]] if "const" in said else [])
            if allowed is not None and words:
                assert set(words) <= set(allowed), (field, words)
                seen += 1
    assert seen  # every type has some condition, if only in `about`
