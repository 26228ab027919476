"""Codes are seen, typed and searched by their words, in three scripts."""

from __future__ import annotations

import pytest
from saphan.web.writing.forms.codes import MOST_FOUND, meant, search, shown, whole_list
from saphan_schemas.codes import code_lists
from saphan_schemas.fields import Choice
from saphan_schemas.messages import LANGUAGES
from support.desk_page import desk_page


def listed(name: str) -> Choice:
    found = whole_list(name)
    assert found is not None
    return found


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_field_shows_means_its_code(lang: str) -> None:
    for choice in map(listed, code_lists()):
        for free in (False, True):
            said = [meant(choice, shown(choice, code, lang), free=free) for code in choice.codes]
            assert said == list(choice.codes)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("KH", "KH"),
        ("kh", "KH"),
        ("Cambodia", "KH"),
        ("cambo", "KH"),
        ("ກຳປູເຈຍ", "KH"),
        ("ກໍາປູເຈຍ", "KH"),
        ("កម្ពុជា", "KH"),
        ("ລາວ", "LA"),
        ("viet", "VN"),
        ("a", None),
        ("nowhere at all", None),
        ("", None),
        ("-", None),
    ],
)
def test_a_code_is_meant_by_words_of_any_language(typed: str, code: str | None) -> None:
    assert meant(listed("country"), typed) == code


def test_where_other_texts_may_stand_a_beginning_means_nothing() -> None:
    assert meant(listed("org"), "LA-OS", free=True) is None
    assert meant(listed("org"), "la-ospp", free=True) == "LA-OSPP"


def test_a_search_finds_best_first_and_says_what_it_found() -> None:
    found = search(listed("country"), "camb", "lo")
    assert (found[0].code, found[0].beside) == ("KH", "Cambodia")
    assert search(listed("country"), "ລາວ", "lo")[0].code == "LA"
    assert search(listed("country"), "ລາວ", "lo")[0].beside == ""
    assert len(search(listed("country"), "", "en")) == MOST_FOUND
    assert search(listed("country"), "x" * 100_000, "en") == []


async def test_the_page_searches_lists_for_who_is_in() -> None:
    async with desk_page(lang="km") as page:
        status, text = await page.get("/codes/country?q=Laos")
        assert status == 200
        assert '"code":"LA"' in text
        status, text = await page.get("/codes/subdivision?q=&only=KH-1,KH-2,LA-XX,nonsense")
        assert text.count('"code"') == 2
        assert (await page.get("/codes/nothing?q=a"))[0] == 404
    async with desk_page(opened=False) as page:
        assert "passphrase" in (await page.get("/codes/country?q=Laos"))[1]
