"""The message catalogue: complete in English, never ahead of it in Lao or Khmer."""

from __future__ import annotations

import ast
import json
import string
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import pytest
from saphan_schemas import bodies, messages
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import TLP_ORDER, Event
from saphan_schemas.text import check_text
from support.rooms import PACKAGES, modules

RAISED = frozenset(("InvalidInput", "Refused", "Unavailable", "OperatorError"))
OTHERS = messages.LANGUAGES[1:]


def catalogue(lang: str) -> dict[str, Any]:
    path = resources.files("saphan_schemas").joinpath("messages", f"{lang}.json")
    pairs = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)
    loaded = {key: dict(value) if isinstance(value, list) else value for key, value in pairs}
    assert len(loaded) == len(pairs), f"{lang}: a key stands twice"
    return loaded


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def error_codes() -> Iterator[tuple[str, str]]:
    """(code, place) of every error built with a literal code, or with one of two in an `if`."""
    for package in PACKAGES:
        for name, path in modules(package).items():
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and called(node) in RAISED:
                    for code in literals(node):
                        yield code, f"{name}:{node.lineno}"


def called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def literals(node: ast.Call) -> Iterator[str]:
    given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "code")]
    for value in given:
        choices = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
        for choice in choices:
            if isinstance(choice, ast.Constant) and isinstance(choice.value, str):
                yield choice.value


def test_every_error_code_has_a_title() -> None:
    missing: dict[str, str] = {}
    for code, place in error_codes():
        if not messages.has_text(f"error.{code}"):
            missing.setdefault(code, place)
    assert missing == {}


def test_no_title_is_left_of_a_code_that_nothing_raises() -> None:
    raised = {code for code, _ in error_codes()}
    for key in messages.known_keys():
        area, _, code = key.partition(".")
        if area in ("error", "hint"):
            assert f"error.{code}" in messages.known_keys()
        if area == "error":
            assert code in raised or code in mentioned(), key


@cache
def mentioned() -> set[str]:
    """Every string constant of the packages: codes may also come out of tables."""
    return {
        node.value
        for package in PACKAGES
        for path in modules(package).values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_scan_finds_codes_in_all_their_forms() -> None:
    source = (
        "e.Refused('a', 'm'); InvalidInput(code='b'); Unavailable('c' if x else 'd', 'm'); f('z')"
    )
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    found = {code for node in calls if called(node) in RAISED for code in literals(node)}
    assert found == {"a", "b", "c", "d"}


@pytest.mark.parametrize("lang", OTHERS)
def test_no_language_is_ahead_of_english(lang: str) -> None:
    assert messages.known_keys(lang) <= messages.known_keys("en")


@pytest.mark.parametrize("lang", OTHERS)
def test_placeholders_agree_with_english(lang: str) -> None:
    english = catalogue("en")
    for key, value in catalogue(lang).items():
        text = value["text"] if isinstance(value, dict) else value
        assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_values_are_text_or_text_for_review(lang: str) -> None:
    for key, value in catalogue(lang).items():
        text = value
        if isinstance(value, dict):
            assert lang != "en"
            assert set(value) == {"text", "review"}
            assert value["review"] is True
            text = value["text"]
        check_text(text, key)
        assert text == text.strip()
        assert text
        assert all(name.isidentifier() for name in placeholders(text)), key


@pytest.mark.parametrize(
    ("lang", "first", "last"), (("lo", 0x0E80, 0x0EFF), ("km", 0x1780, 0x17FF))
)
def test_each_language_is_written_in_its_own_script(lang: str, first: int, last: int) -> None:
    for key in catalogue(lang):  # test_page_texts.py judges those of the officer's page
        letters = [char for char in catalogue_text(lang, key) if ord(char) > 0x7F]
        assert letters, key
        assert all(first <= ord(char) <= last for char in letters), key


def catalogue_text(lang: str, key: str) -> str:
    value = catalogue(lang)[key]
    return str(value["text"] if isinstance(value, dict) else value)


def test_missing_text_falls_back_to_english() -> None:
    assert messages.text("check.alarm", "lo") == messages.text("check.alarm")
    assert messages.text("event.accepted", "fr") == messages.text("event.accepted")
    assert messages.text("event.accepted", "lo") != messages.text("event.accepted")


def test_placeholders_are_filled_in_every_language() -> None:
    for lang in messages.LANGUAGES:
        assert "17" in messages.text("note.inbox_count", lang, count=17)


def test_unknown_key_or_missing_value_is_a_bug() -> None:
    with pytest.raises(KeyError):
        messages.text("no.such.key")
    with pytest.raises(KeyError):
        messages.text("note.inbox_count")


def test_review_marks_are_listed() -> None:
    assert messages.unreviewed("en") == ()
    for lang in OTHERS:
        assert set(messages.unreviewed(lang)) <= messages.known_keys(lang)


def test_every_event_marking_and_type_has_its_words() -> None:
    for event in Event:
        assert messages.has_text(f"event.{event.value}")
    for tlp in TLP_ORDER:
        assert messages.has_text(f"tlp.{tlp}")
    for name in bodies.NAMES:
        for lang in messages.LANGUAGES:
            assert messages.has_text(f"type.{name.split('/')[1]}", lang)


def test_error_title_and_hint() -> None:
    error = InvalidInput("schema_invalid", "x", hint="own hint")
    assert messages.error_title(error) == messages.text("error.schema_invalid")
    assert messages.error_hint(error) == "own hint"
    assert messages.error_hint(InvalidInput("schema_invalid", "x")) == messages.text(
        "hint.schema_invalid"
    )
    unlisted = InvalidInput("code_of_a_newer_peer", "x")
    assert messages.error_title(unlisted) == "code of a newer peer"
    assert messages.error_hint(unlisted) is None


def test_an_agencys_own_type_is_never_called_by_the_name_of_ours() -> None:
    assert messages.type_key("saphan/drug_seizure/1") == "type.drug_seizure"
    assert messages.type_key("la.ospp/drug_seizure/1") is None
    assert messages.type_key("saphan/unheard_of/1") is None
