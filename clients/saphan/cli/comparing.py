"""Comparing words: a file proves nothing until two people have read its words to each other."""

from __future__ import annotations

import argparse

from saphan_protocol.words import same_words, word_lines
from saphan_schemas.errors import Refused

from saphan.cli.options import Parser
from saphan.cli.speech import confirm, note, say


def add_comparing(parser: Parser) -> None:
    """`--words` and `--yes`."""
    parser.add_argument("--words", metavar="WORDS", help=say("help.words"))
    parser.add_argument("--yes", action="store_true", help=say("help.yes"))


def compare_words(args: argparse.Namespace, what: str, digest: bytes, who: str) -> None:
    """The words given with `--words`, or those that the person compares now (`--yes`: has).

    Args:
        what: names the thing to the person; digest: 32 bytes; who: reads the words aloud.

    Raises:
        Refused: `words_differ`; InvalidInput: `words_malformed`; OperatorError: `not_confirmed`.
    """
    if args.words is not None:
        if not same_words(args.words, digest):
            raise Refused(
                "words_differ",
                f"the words are not those of {what}",
                field="words",
                hint="do not go on: ask again, by another way, what the words are",
            )
        return
    for line in (what, *(f"    {line}" for line in word_lines(digest))):
        note(line)
    confirm(say("prompt.words_same", who=who), yes=args.yes)
