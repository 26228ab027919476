"""Fingerprints of a bundle as words that two people can compare aloud."""

from __future__ import annotations

from collections.abc import Iterator

from saphan_protocol.bundle.facts import KeySeen
from saphan_protocol.bundle.report import Verdict
from saphan_protocol.words import word_lines

from saphan.evidence.page_facts import Say
from saphan.pages.blocks import Block, Heading, Paragraph, Words


def fingerprint_blocks(verdict: Verdict, say: Say) -> Iterator[Block]:
    """The logs' keys first, which everything rests on; then agreements; then keys that signed."""
    yield Heading(say("sheet.fingerprints"))
    yield Paragraph(say("sheet.fingerprints_why"))
    if verdict.pins_digest is not None:
        directory, evidence = (pin.origin for pin in verdict.pins)
        label = say("sheet.words_logs", directory=directory, evidence=evidence)
        yield Words(label, word_lines(verdict.pins_digest))
    for agreement in verdict.agreements:
        named = {"reference": agreement.reference, "title": agreement.title}
        yield Words(say("sheet.words_agreement", **named), word_lines(agreement.name))
    for key in _keys(verdict):
        role = say(f"role.{key.role}")
        yield Words(say("sheet.words_key", agency=key.agency, role=role), word_lines(key.key_id))


def _keys(verdict: Verdict) -> Iterator[KeySeen]:
    """Each key once, in the order in which they first signed."""
    used = [event.key for event in verdict.events]
    if verdict.content is not None:
        used += verdict.content.authors
    if verdict.disclosure is not None:
        used.append(verdict.disclosure.key)
    yield from {key.key_id: key for key in used if key is not None}.values()
