"""Fingerprints of a bundle as words that two people can compare aloud."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from saphan_protocol.bundle.facts import KeySeen
from saphan_protocol.bundle.report import Verdict
from saphan_protocol.words import word_lines

from saphan.evidence.page_facts import Say
from saphan.evidence.sentences import paper_words
from saphan.pages.blocks import Block, Heading, Paragraph, Words


def fingerprint_blocks(verdict: Verdict, lang: str, say: Say) -> Iterator[Block]:
    """The logs' keys first, which everything rests on; then agreements; then keys that signed."""
    yield Heading(say("sheet.fingerprints"))
    yield Paragraph(say("sheet.fingerprints_why"))
    digests = chain(paper_words(verdict, lang), _signers(verdict, say))
    yield Words(tuple((label, word_lines(digest)) for label, digest in digests))


def _signers(verdict: Verdict, say: Say) -> Iterator[tuple[str, bytes]]:
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
