"""What a bundle proves, on a terminal and as JSON: verdict, facts, then what is not shown."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from saphan_protocol.bundle.report import StepSeen, Verdict
from saphan_protocol.words import word_lines

from saphan.cli.speech import language, say
from saphan.evidence.sentences import (
    authors_text,
    paper_words,
    proven_sentences,
    remark_sentence,
    verdict_sentences,
)
from saphan.pages.saying import stamp


def verdict_json(verdict: Verdict, *, content: bool = False) -> dict[str, Any]:
    """Every fact of a verdict; bytes in hexadecimal, times as they are in the records.

    Args:
        content: what the bulletin says is told as well.
    """
    told: dict[str, Any] = _plain(verdict)
    told["pins_words"] = verdict.pins_words
    for agreement, seen in zip(told["agreements"], verdict.agreements, strict=True):
        agreement["words"] = seen.words
    if told["content"] is not None:
        told["content"].pop("content_bytes")
        if not content:
            told["content"].pop("content")
    return told


def _plain(value: Any) -> Any:
    """Dataclasses, records and enums as JSON has them."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def verdict_page(verdict: Verdict) -> Iterator[str]:
    """The verdict for a person."""
    lang = language()
    yield say(f"verdict.{verdict.outcome.value}")
    yield from (f"    {line}" for line in verdict_sentences(verdict, lang))
    yield from _part("sheet.steps", map(_step, verdict.steps))
    if verdict.finding is not None:
        return
    yield ""
    yield from _bulletin(verdict)
    yield from _part("sheet.proven", proven_sentences(verdict, lang))
    yield from _part("sheet.gaps", (remark_sentence(one, "gap", lang) for one in verdict.gaps))
    unproven = (remark_sentence(one, "unproven", lang) for one in verdict.unproven)
    yield from _part("sheet.unproven", unproven)
    yield from _words(verdict)


def _step(seen: StepSeen) -> str:
    what, state = say(f"evidence_step.{seen.step.value}"), say(f"step_state.{seen.state}")
    return f"{seen.step.value} {what}: {state}"


def content_page(verdict: Verdict, saved: Sequence[Path]) -> Iterator[str]:
    """What the bulletin says, if its key is disclosed and nothing is wrong."""
    lang = language()
    yield say(f"verdict.{verdict.outcome.value}")
    yield from (f"    {line}" for line in verdict_sentences(verdict, lang))
    if verdict.finding is not None:
        return
    yield ""
    yield from _bulletin(verdict)
    shown = verdict.content
    if shown is None:
        yield ""
        yield _why_closed(verdict)
        yield from _words(verdict)
        return
    from saphan.evidence.page_facts import content_rows

    yield f"{say('label.author')}: {authors_text(shown.authors, lang)}"
    for name, part in shown.content.items():
        if name != "attachments":  # described below
            yield ""
            yield from (f"{path}: {value}" for path, value in content_rows(part, ""))
    for number, one in enumerate(shown.attachments, 1):
        here = say("sheet.in_file" if one.opened else "sheet.not_in_file")
        yield f"{say('sheet.attachment', number=number)}: {one.name} ({one.media_type}), {here}"
    yield from (say("note.evidence_saved", path=path) for path in saved)
    yield from _words(verdict)


def _why_closed(verdict: Verdict) -> str:
    """Why there is no content to show."""
    unopened = (gap for gap in verdict.gaps if gap.code.startswith("content_"))
    gap = next(unopened, None)
    if gap is not None:
        return remark_sentence(gap, "gap", language())
    return say("unproven.content")


def _bulletin(verdict: Verdict) -> Iterator[str]:
    seen = verdict.bulletin
    if seen is None:
        return
    header = seen.header
    yield f"{say('sheet.id')}: {seen.bulletin.hex()}"
    yield f"{say('label.type')}: {header.schema}"
    yield f"{say('label.from')}: {header.sender}"
    yield f"{say('label.to')}: {', '.join(header.recipients)}"
    yield f"{say('label.created')}: {stamp(header.created)} UTC"


def _words(verdict: Verdict) -> Iterator[str]:
    """What the reader compares with paper."""
    for label, digest in paper_words(verdict, language()):
        yield ""
        yield label
        yield from (f"    {line}" for line in word_lines(digest))


def _part(title: str, sentences: Iterable[str]) -> Iterator[str]:
    said = list(sentences)
    if said:
        yield ""
        yield say(title)
        yield from (f"  - {sentence}" for sentence in said)
