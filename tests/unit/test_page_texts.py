"""Every text of the officer's page stands in three languages; no template says a word itself."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import Any

import pytest
from saphan.web.rendering.hints import page_hint
from saphan_schemas.errors import InvalidInput
from saphan_schemas.messages import LANGUAGES, has_text, known_keys, text
from support.rooms import ROOT

TEXTS = ROOT / "schemas/saphan_schemas/messages/page"
WEB = ROOT / "clients/saphan/web"
AREAS = sorted({path.name.partition(".")[0] for path in TEXTS.glob("*.json")})
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
LETTERS = {"lo": re.compile("[\u0e80-\u0eff]"), "km": re.compile("[\u1780-\u17ff]")}
STRANGE = {"lo": re.compile("[\u0e00-\u0e7f\u1780-\u17ff]"), "km": re.compile("[\u0e00-\u0eff]")}
EVERY_AREA = pytest.mark.parametrize("area", AREAS)
TRANSLATED = pytest.mark.parametrize("lang", [one for one in LANGUAGES if one != "en"])


def read(area: str, lang: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((TEXTS / f"{area}.{lang}.json").read_text("utf-8"))
    return loaded


def said(value: Any) -> str:
    return str(value["text"] if isinstance(value, dict) else value)


def placeholders(value: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(value) if name}


def words(value: str) -> str:
    """What is left to translate: names of ours, units and placeholders are not."""
    return re.sub(r"\{\w*\}|\b(?:Saphan|UTC|TLP|kB|MB|Enter|Tab|SHA-256|JSON)\b", "", value)


@EVERY_AREA
@TRANSLATED
def test_no_text_is_missing_or_left_over(area: str, lang: str) -> None:
    assert set(read(area, lang)) == set(read(area, "en"))


@EVERY_AREA
def test_keys_are_named_for_their_area(area: str) -> None:
    assert [key for key in read(area, "en") if not key.startswith(f"page.{area}.")] == []


@EVERY_AREA
@TRANSLATED
def test_placeholders_are_the_same(area: str, lang: str) -> None:
    english = {key: placeholders(value) for key, value in read(area, "en").items()}
    assert {key: placeholders(said(value)) for key, value in read(area, lang).items()} == english


@EVERY_AREA
@TRANSLATED
def test_texts_are_in_their_own_script(area: str, lang: str) -> None:
    """A text with words in English has letters of the language, and none of its neighbours'."""
    english = read(area, "en")
    texts = {key: said(value) for key, value in read(area, lang).items()}
    copied = [
        key
        for key, value in texts.items()
        if re.search("[A-Za-z]{2}", words(english[key]))
        and not LETTERS[lang].search(value)
        and not key.startswith("page.ground.language.")
    ]
    strange = [
        key
        for key, value in texts.items()
        if STRANGE[lang].search(value) and not key.startswith("page.ground.language.")
    ]
    assert (copied, strange) == ([], [])


@EVERY_AREA
@TRANSLATED
def test_what_no_native_reader_has_seen_says_so(area: str, lang: str) -> None:
    """A plain string is a confirmed one; the project's readers have confirmed names only."""
    plain = [key for key, value in read(area, lang).items() if isinstance(value, str)]
    assert [key for key in plain if LETTERS[lang].search(read(area, lang)[key])] == [
        key for key in plain if key == f"page.ground.language.{lang}"
    ]


SAID = re.compile(r"""["'](page\.(?!css|js)[a-z0-9_.]+)["']""")


def exists(named: str) -> bool:
    """Whether a key exists, or one that begins so where the rest is joined to it."""
    if named.endswith((".", "_")):
        return any(key.startswith(named) for key in known_keys())
    return has_text(named)


@pytest.mark.parametrize(
    "path", [*TEMPLATES, *sorted(WEB.rglob("*.py"))], ids=lambda path: str(path.relative_to(WEB))
)
def test_every_text_that_a_page_names_exists(path: Path) -> None:
    named = set(SAID.findall(path.read_text("utf-8")))
    assert sorted(key for key in named if not exists(key)) == []


JINJA = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
TAG = re.compile(r'<code>[^<]*</code>|<[^>]*>|[\w-]+="[^"]*"|&\w+;')
NAMES = re.compile(r"\b(?:TLP|UTC|SHA-256)\b")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(WEB)))
def test_templates_say_nothing_but_by_the_catalogue(path: Path) -> None:
    left = NAMES.sub("", TAG.sub(" ", JINJA.sub("", path.read_text("utf-8"))))
    assert re.findall("[A-Za-z\u0e80-\u0eff\u1780-\u17ff]{2,}", left) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_months_and_weekdays_are_whole(lang: str) -> None:
    assert all(has_text(f"page.look.month.{one}", lang) for one in range(1, 13))
    assert all(has_text(f"page.look.weekday.{one}", lang) for one in range(1, 8))


FAMILIES = re.compile(r'\b(?:InvalidInput|Refused|Unavailable|OperatorError)\(\s*"([a-z0-9_]+)"')
OF_DESKS = ("desk", "web", "form", "showing", "node/desks", "node/officers", "keys")


@TRANSLATED
def test_errors_that_reach_an_officer_have_their_title(lang: str) -> None:
    """What desks raise, and what a node answers them; the message itself is in English."""
    files = [one for room in OF_DESKS for one in (WEB.parent / room).rglob("*.py")]
    codes = {code for one in files for code in FAMILIES.findall(one.read_text("utf-8"))}
    assert len(codes) > 60, "the search still finds where errors are raised"
    assert sorted(code for code in codes if not has_text(f"error.{code}", lang)) == []


OTHER_WORDS = {
    "lo": ("ໄຟລ໌", "ໄບຕ໌", "ຄວາມຮີບດ່ວນ", "ເຄື່ອງຂອງໜ່ວຍງານ", "ຊັ້ນຄວາມລັບ", "ອົງການ"),
    "km": ("ថ្នាំង", "ណូដ", "ទីភ្នាក់ងារ", "ហៅត្រឡប់", "ហៅវិញ", "អ្នកនិពន្ធ", "លំហាត់"),
}
"""For file, byte, urgency, node, marking, agency, recall, author the pages have one other word."""


@EVERY_AREA
@TRANSLATED
def test_one_thing_has_one_word(area: str, lang: str) -> None:
    texts = {key: said(value) for key, value in read(area, lang).items()}
    assert [
        key for key, value in texts.items() if any(one in value for one in OTHER_WORDS[lang])
    ] == []


OF_PAGES = ("web", "desk", "node/officers", "keys")


@TRANSLATED
def test_every_error_of_the_page_has_a_hint_in_its_language(lang: str) -> None:
    raised = {
        code
        for room in OF_PAGES
        for file in (WEB.parent / room).rglob("*.py")
        for code in FAMILIES.findall(file.read_text("utf-8"))
    }
    assert len(raised) > 60, "the search still finds where errors are raised"
    for code in raised:
        hint = page_hint(InvalidInput(code, "in English", hint="in English: saphan x"), lang)
        assert LETTERS[lang].search(hint), code
        assert "saphan " not in hint, code


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_the_page_says_itself_names_no_command(lang: str) -> None:
    hints = {key: text(key, lang) for key in known_keys() if key.startswith("page.fault.")}
    assert len(hints) > 50
    assert [key for key, hint in hints.items() if "saphan " in hint.lower()] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_has_a_hint_has_its_title_too(lang: str) -> None:
    keys = [key for key in known_keys() if key.startswith("page.fault.")]
    codes = {key.removeprefix("page.fault.") for key in keys} - {"other"}
    assert sorted(one for one in codes if not has_text(f"error.{one}", lang)) == []
