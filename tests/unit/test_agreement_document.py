"""The page that two heads of office could sign on paper says everything that their roots sign."""

from __future__ import annotations

from datetime import date
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from saphan.agency_file import AgencyFile
from saphan.agreements.document import document
from saphan.agreements.draft import Draft, propose
from saphan.agreements.terms import first_terms, parse_terms
from saphan.keys.keyfiles import new_key
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.identity import identity
from saphan_protocol.words import word_lines
from saphan_schemas.directory_records import Agreement
from saphan_schemas.messages import LANGUAGES, has_text, known_keys
from saphan_schemas.records import Role
from support.agreement_terms import others
from support.pin_files import pins

SCRIPTS = {"lo": range(0x0E80, 0x0F00), "km": range(0x1780, 0x1800)}
USED = ("page.", "handling.", "onward.", "in_flight.", "tlp.", "type.", "language.")


@pytest.fixture(scope="module")
def draft() -> Draft:
    parties = [
        AgencyFile(
            agency=name, threshold=2, roots=tuple(new_key(Role.ROOT).public for _ in range(3))
        )
        for name in ("la.ospp", "kh.gpo")
    ]
    terms = parse_terms(first_terms([party.agency for party in parties], date(2025, 7, 16)))
    return propose(terms, parties, pins(), bytes(range(32)))


class Text(HTMLParser):
    """What a reader sees; every element is closed by its own end."""

    EMPTY = frozenset({"meta", "br"})

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.parts: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert not {name for name, _ in attrs} & {"src", "href", "onclick"}
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.parts.append(data)

    def __str__(self) -> str:
        return "\n".join(self.parts)


def shown(draft: Draft, lang: str = "en", **changes: Any) -> str:
    """The page, under the unchanged text's identity: what differs is a term that differs."""
    agreement = msgspec.structs.replace(draft.agreement, **changes)
    return str(Text(document(agreement, draft.text, (lang,))))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("field", Agreement.__struct_fields__)
def test_every_field_is_on_the_page_in_every_language(draft: Draft, field: str, lang: str) -> None:
    other = others(draft.agreement)[field]
    assert shown(draft, lang, **{field: other}) != shown(draft, lang)


def test_the_identity_on_it_is_that_of_the_text_that_is_signed(draft: Draft) -> None:
    name = identity(AGREEMENT_TYPE, draft.text)
    assert "\n".join(word_lines(name)) in shown(draft)
    assert name.hex() in shown(draft)


def test_every_sheet_says_of_which_agreement_it_is(draft: Draft) -> None:
    """Or somebody exchanges the sheet with the rules under the signatures of two ministers."""
    page = document(draft.agreement, draft.text, LANGUAGES).decode()
    name = identity(AGREEMENT_TYPE, draft.text).hex()
    assert f'@bottom-center {{ content: "{draft.agreement.reference} · {name} · "' in page


def test_the_words_of_every_key_and_of_what_it_replaces_are_on_it(draft: Draft) -> None:
    page = shown(draft)
    digests = [root for party in draft.agreement.parties for root in party.roots]
    for digest in (*digests, bytes(range(32))):
        assert "\n".join(word_lines(digest)) in page
    assert "replaces" in page
    assert "replaces" not in shown(draft, replaces=None)


def test_all_languages_follow_each_other_on_pages_of_their_own(draft: Draft) -> None:
    page = document(draft.agreement, draft.text, LANGUAGES).decode()
    places = [page.index(f'<article lang="{lang}">') for lang in LANGUAGES]
    assert places == sorted(places)
    assert page.count("For la.ospp") == 1


@pytest.mark.parametrize("lang", SCRIPTS)
def test_no_sentence_of_it_falls_back_to_english(draft: Draft, lang: str) -> None:
    for key in known_keys():
        if key.startswith(USED):
            assert has_text(key, lang), key
    page = shown(draft, lang, title="Title")
    assert sum(ord(char) in SCRIPTS[lang] for char in page) > 1_000


def test_a_title_cannot_become_markup(draft: Draft) -> None:
    page = shown(draft, title="<script>alert(1)</script> & Co")
    assert "<script>alert(1)</script> & Co" in page


def test_a_type_of_a_later_release_is_shown_by_its_name(draft: Draft) -> None:
    rule = msgspec.structs.replace(draft.agreement.rules[0], schemas=("saphan/later_type/3",))
    assert "later_type (saphan/later_type/3)" in shown(draft, rules=(rule,))
