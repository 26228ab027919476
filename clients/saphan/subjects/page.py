"""A report about a reference as a page, for the person who has asked, or for the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from saphan_schemas.messages import text

from saphan.pages.blocks import Banner, Block, Heading, Page, Points
from saphan.pages.saying import stamp, translation_notice
from saphan.subjects.words import (
    bulletin_words,
    desk_words,
    elsewhere_words,
    export_words,
    total_words,
)

Json = dict[str, Any]
AREAS: Final = frozenset(("report", "code", "event"))


def report_page(found: Json, agency: str, lang: str, made: int) -> Page:
    """The page of one report.

    Args:
        found: as the node answers; lang: of `messages.LANGUAGES`; made: when, ms.
    """
    title = text("report.title", lang, agency=agency, about=found["about"])
    return Page(
        lang=lang,
        kind=text("report.kind", lang),
        title=title,
        foot=text("report.foot", lang, agency=agency, made=stamp(made)),
        made=made,
        notice=translation_notice(lang, AREAS),
        blocks=tuple(_blocks(found, title, lang)),
    )


def _blocks(found: Json, title: str, lang: str) -> Iterator[Block]:
    yield Banner(title, tuple(total_words(found, lang)), "plain")
    for name in ("bulletins", "destroyed"):
        if found[name]:
            yield Heading(text(f"report.{name}", lang))
        for one in found[name]:
            yield Points(tuple(_sentences(one, lang)))
    yield Heading(text("report.limits", lang))
    limits = ("limit_text", "limit_others")
    yield Points(tuple(text(f"report.{name}", lang) for name in limits))


def _sentences(one: Json, lang: str) -> Iterator[str]:
    yield f"{one['id'][:16]}  {one['schema']}  {stamp(one['created'])} UTC"
    yield from bulletin_words(one, lang)
    yield from (export_words(each, lang) for each in one["exports"])
    yield from (desk_words(each, lang) for each in one["desks"])
    yield from (elsewhere_words(each, lang) for each in one["elsewhere"])
