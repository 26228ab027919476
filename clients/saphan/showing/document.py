"""A bulletin's content as a document: sections, named values, codes in words; nothing left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from saphan_schemas.messages import text

from saphan.showing.items import Document, Item, Section
from saphan.showing.naming import Naming, by_language
from saphan.showing.places import Places, places_of
from saphan.showing.texts import Text, ordered, told

Json = dict[str, Any]
BODY: Final = "body"
FIRST: Final = ("title", "reference", "summary")
"""What a reader looks for first."""
ABOUT: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("grading", ("fact_or_assessment", "grading")),
    (
        "handling",
        ("handling", "purposes", "legal_bases", "personal_data", "disclosure_to_subject"),
    ),
    ("origin", ()),
)
"""Sections of the common fields after the body; the last one has all that none names."""


def document(
    schema_name: str,
    bundle: Mapping[str, Any] | None,
    content: Json,
    lang: str,
    read: Sequence[str] = (),
) -> Document:
    """The document of one bulletin's content.

    Args:
        schema_name: such as "saphan/drug_seizure/1".
        bundle: map {"rules", "schema"} of an agency's own type; None for one of ours, and for one
            that is not here, whose fields are called by their own names.
        content: {"about", "body"}; lang: of names and codes; read: languages that the reader
            reads, best first (that of the page when none is given).
    """
    places = places_of(schema_name) if bundle is None else Places(schema_name, bundle["schema"])
    languages = (*read, lang)
    naming = Naming(places, lang, languages)
    given, body = content.get("about"), content.get("body") or {}
    about = dict(given) if isinstance(given, dict) else {}
    title, summary = (_texts(about.get(name), languages) for name in ("title", "summary"))
    sections = [
        _section("first", lang, _taken(naming, about, FIRST)),
        _section(BODY, lang, naming.group(body, "/body") if isinstance(body, dict) else ()),
        *(_section(key, lang, _taken(naming, about, names or None)) for key, names in ABOUT),
    ]
    return Document(lang, title, summary, tuple(one for one in sections if one.items))


def _section(key: str, lang: str, items: tuple[Item, ...]) -> Section:
    return Section(key, text(f"page.reading.section.{key}", lang), items)


def _taken(naming: Naming, about: Json, names: Sequence[str] | None) -> tuple[Item, ...]:
    """The named ones of the common fields, which are then taken out; all that are left for None."""
    wanted = tuple(about) if names is None else names
    return naming.group({name: about.pop(name) for name in wanted if name in about}, "/about")


def _texts(value: Any, read: Sequence[str]) -> tuple[Text, ...]:
    if isinstance(value, dict) and by_language(value):
        return tuple(Text(str(value[lang]), lang) for lang in ordered(list(value), tuple(read)))
    return (told(str(value)),) if value else ()
