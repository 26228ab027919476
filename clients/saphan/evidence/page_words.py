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
    named = tuple((label, word_lines(digest)) for label, digest in _digests(verdict, say))
    yield Words(named)


def _digests(verdict: Verdict, say: Say) -> Iterator[tuple[str, bytes]]:
    if verdict.pins_digest is not None:
        directory, evidence = (pin.origin for pin in verdict.pins)
        yield say("sheet.words_logs", directory=directory, evidence=evidence), verdict.pins_digest
    for agreement in verdict.agreements:
        named = {"reference": agreement.reference, "title": agreement.title}
        yield say("sheet.words_agreement", **named), agreement.name
    for key in _keys(verdict):
        role = say(f"role.{key.role}")
        yield say("sheet.words_key", agency=key.agency, role=role), key.key_id


def _keys(verdict: Verdict) -> Iterator[KeySeen]:
    """Each key once, in the order in which they first signed."""
    used = [event.key for event in verdict.events]
    if verdict.content is not None:
        used += verdict.content.authors
    if verdict.disclosure is not None:
        used.append(verdict.disclosure.key)
    yield from {key.key_id: key for key in used if key is not None}.values()
