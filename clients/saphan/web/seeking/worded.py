"""A result in words: its title, and where in it stands what was asked for, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from saphan_schemas.codec import MAX_CONTENT_DEPTH
from saphan_schemas.codes import LANGUAGES
from saphan_schemas.messages import text

from saphan.desk.searchable import TITLE_CHARS
from saphan.folding.code_words import codes_called, name_with
from saphan.showing.places import places_of
from saphan.showing.texts import UNKNOWN, ordered
from saphan.web.seeking.excerpts import Excerpt, Looked, excerpts, plain, whole

Json = dict[str, Any]
Placed = tuple[str, str]
"""A JSON pointer and the text there; "" is where attachments' names are."""
EXCERPTS: Final = 3
"""Of one bulletin on a page of results."""


def placed(value: Any, pointer: str = "", depth: int = 0) -> Iterator[Placed]:
    """Every text of a content, with its place."""
    if isinstance(value, str):
        yield pointer, value
    elif depth <= MAX_CONTENT_DEPTH and isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, one in steps:
            yield from placed(one, f"{pointer}/{step}", depth + 1)


def title_of(about: Json, looked: Looked, lang: str) -> Excerpt | None:
    """The title in the language that the officer reads, or else its reference."""
    titles = about.get("title")
    if isinstance(titles, dict) and titles:
        best = ordered([str(each) for each in titles], (lang,))[0]
        return whole(str(titles.get(best)), best, looked, TITLE_CHARS)
    if about.get("reference"):
        return whole(str(about["reference"]), UNKNOWN, looked, TITLE_CHARS)
    return None


def excerpts_of(
    schema: str, texts: Iterable[Placed], title: Excerpt | None, looked: Looked, lang: str
) -> tuple[Excerpt, ...]:
    """What stands in a bulletin beside its title, and what its codes are called."""
    if not looked.words:
        return ()
    every = list(texts)
    told = set() if title is None else {plain(title)}
    found: list[Excerpt] = []
    for one in (*excerpts(every, looked, EXCERPTS + 1), *_codes(every, looked, lang)):
        if plain(one) not in told:
            told.add(plain(one))
            found.append(replace(one, label=_label(schema, one.place, lang)))
    return tuple(found[:EXCERPTS])


def _codes(texts: Iterable[Placed], looked: Looked, lang: str) -> Iterator[Excerpt]:
    """Names of codes, in the language in which somebody asked."""
    langs = (lang, *(other for other in LANGUAGES if other != lang))
    wanted = {word: codes_called(word) for word in looked.words}
    if not any(wanted.values()):
        return
    for pointer, code in texts:
        for word, called in wanted.items():
            name = name_with(code, word, langs) if code in called else None
            if name is not None:
                yield replace(whole(*name, looked, TITLE_CHARS), place=pointer)


def _label(schema: str, pointer: str, lang: str) -> str:
    """The field's name in words; of a text in several languages, the field's that holds them."""
    if not pointer:
        return text("page.look.sign.file", lang)
    above, _, name = pointer.rpartition("/")
    if name.isdigit() or (name.isalpha() and len(name) == 2):
        pointer, name = above, above.rpartition("/")[2]
    return places_of(schema).title(pointer, name, lang)
