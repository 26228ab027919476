"""A report about a reference on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from saphan.cli.render import stamp
from saphan.cli.speech import language, say
from saphan.subjects.words import (
    bulletin_words,
    desk_words,
    elsewhere_words,
    export_words,
    total_words,
)

Json = dict[str, Any]


def report_lines(found: Json) -> Iterator[str]:
    """The whole report: totals, then what is here, then what was destroyed."""
    lang = language()
    yield from total_words(found, lang)
    for name in ("bulletins", "destroyed"):
        if found[name]:
            yield ""
            yield say(f"report.{name}")
        for one in found[name]:
            yield from _bulletin(one, lang)


def _bulletin(one: Json, lang: str) -> Iterator[str]:
    yield f"  {one['id'][:16]}  {one['schema']}  {stamp(one['created'])}"
    yield from (f"    {line}" for line in bulletin_words(one, lang))
    yield from (f"    - {line}" for line in export_lines(one["exports"]))
    yield from (f"    - {desk_words(each, lang)}" for each in one["desks"])
    yield from (f"    - {elsewhere_words(each, lang)}" for each in one["elsewhere"])


def export_lines(exports: Sequence[Json]) -> list[str]:
    """One line for each export."""
    return [export_words(one, language()) for one in exports]
