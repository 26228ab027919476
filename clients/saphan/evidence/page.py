"""The page that a judge reads: the verdict first, then what happened, what is proven and what not.

Everything on it comes from `verify_bundle`; of an invalid bundle it shows only where it failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from saphan_protocol.bundle.report import Outcome, StepSeen, Verdict
from saphan_schemas.bundles import SPECIFICATION
from saphan_schemas.messages import text, type_key

from saphan.evidence.page_facts import (
    Say,
    agreement_blocks,
    bulletin_blocks,
    content_blocks,
    disclosure_blocks,
    event_blocks,
    head_blocks,
    outcome_blocks,
)
from saphan.evidence.page_words import fingerprint_blocks
from saphan.evidence.sentences import (
    KEY_DIGITS,
    proven_sentences,
    remark_sentence,
    verdict_sentences,
)
from saphan.pages.blocks import (
    Banner,
    Block,
    Facts,
    Heading,
    Page,
    Paragraph,
    Points,
    Span,
    Table,
    Tone,
)
from saphan.pages.saying import stamp, translation_notice

AREAS: Final = frozenset(
    (
        "sheet",
        "verdict",
        "gap",
        "unproven",
        "proven",
        "evidence_step",
        "step_state",
        "event",
        "code",
    )
)
_TONES: Final[dict[Outcome, Tone]] = {
    Outcome.VALID: "good",
    Outcome.GAPS: "warn",
    Outcome.INVALID: "bad",
}
_STATES: Final[dict[str, Tone]] = {"passed": "good", "failed": "bad"}


def evidence_page(verdict: Verdict, lang: str, file_digest: bytes) -> Page:
    """The page about one checked bundle.

    Args:
        lang: of `messages.LANGUAGES`.
        file_digest: SHA-256 of the bundle's file, 32 bytes: which file the page is about.
    """
    say: Say = partial(text, lang=lang)
    outcome = say(f"verdict.{verdict.outcome.value}")
    short = verdict.bulletin_id.hex()[:KEY_DIGITS]
    made = stamp(verdict.made)
    return Page(
        lang=lang,
        kind=say("sheet.kind"),
        title=_title(verdict, short, say),
        foot=say("sheet.foot", id=short, maker=verdict.maker, made=made, verdict=outcome),
        made=verdict.made,
        notice=translation_notice(lang, AREAS),
        blocks=tuple(_blocks(verdict, lang, say, file_digest)),
    )


def _title(verdict: Verdict, short: str, say: Say) -> str:
    if verdict.bulletin is None or verdict.finding is not None:
        return say("sheet.title_bare", id=short)
    header = verdict.bulletin.header
    key = type_key(header.schema)
    name = header.schema if key is None else say(key)
    recipients = ", ".join(header.recipients)
    return say("sheet.title", type=name, sender=header.sender, recipients=recipients)


def _blocks(verdict: Verdict, lang: str, say: Say, file_digest: bytes) -> Iterator[Block]:
    name = verdict.outcome
    sentences = verdict_sentences(verdict, lang)
    if verdict.finding is None and verdict.bulletin and verdict.bulletin.header.exercise:
        sentences += (say("sheet.exercise"),)
    yield Banner(say(f"verdict.{name.value}"), sentences, _TONES[name])
    yield Paragraph(say("sheet.terms"), "dim")
    if verdict.finding is None:
        gaps = (remark_sentence(remark, "gap", lang) for remark in verdict.gaps)
        yield from _section(say("sheet.gaps"), gaps)
        yield from outcome_blocks(verdict, lang, say)
        yield from event_blocks(verdict, lang, say)
        yield from _section(say("sheet.proven"), proven_sentences(verdict, lang))
        unproven = (remark_sentence(remark, "unproven", lang) for remark in verdict.unproven)
        yield from _section(say("sheet.unproven"), unproven)
        yield from bulletin_blocks(verdict, say)
        yield from disclosure_blocks(verdict, say)
        yield from content_blocks(verdict, lang, say)
        yield from agreement_blocks(verdict, say)
        yield from fingerprint_blocks(verdict, lang, say)
        yield from head_blocks(verdict, say)
    yield from _steps(verdict.steps, say)
    yield from _yourself(say, file_digest)


def _section(title: str, sentences: Iterator[str]) -> Iterator[Block]:
    """A list under its title, unless it is empty."""
    said = tuple(sentences)
    if said:
        yield Heading(title)
        yield Points(said)


def _steps(steps: tuple[StepSeen, ...], say: Say) -> Iterator[Block]:
    yield Heading(say("sheet.steps"))
    rows = []
    for seen in steps:
        count = f" ({seen.count:,})" if seen.count and seen.state == "passed" else ""
        state = say(f"step_state.{seen.state}") + count
        what = say(f"evidence_step.{seen.step.value}")
        rows.append((seen.step.value, what, Span(state, _STATES.get(seen.state, "dim"))))
    head = (say("sheet.step"), say("sheet.checked"), say("sheet.result"))
    yield Table(head, tuple(rows), (10, 68, 22))


def _yourself(say: Say, file_digest: bytes) -> Iterator[Block]:
    yield Heading(say("sheet.yourself"))
    yield Paragraph(say("sheet.yourself_says"))
    yield Paragraph("saphan evidence verify FILE", "code")
    yield Paragraph(say("sheet.yourself_rules", specification=SPECIFICATION))
    yield Facts(((say("sheet.file_digest"), Span(file_digest.hex(), "code")),))
