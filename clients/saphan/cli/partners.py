"""The other parties of an agreement: their roots from the own node's directory, words compared."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Sequence

from saphan_protocol.keys import check_public_key
from saphan_protocol.words import FINGERPRINT_WORDS, parse_words, word_lines
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.records import Role

from saphan.agency_file import AgencyFile
from saphan.cli.options import local_node
from saphan.cli.speech import confirm, note, say
from saphan.cli.waiting import ready_for


def known_to_node(args: argparse.Namespace) -> list[AgencyFile]:
    """The agencies named by --with, as the node has replayed them; --wait waits for them.

    Raises:
        Refused: `agency_unknown`. Unavailable: `node_unreachable`, `waited_in_vain`.
        OperatorError: `node_answer`.
    """
    node = local_node(args)
    if args.wait:
        ready_for(node, set(args.partners))
    return [_party(node.get(f"/v1/directory?agency={name}")) for name in args.partners]


def compare_roots(args: argparse.Namespace, parties: Sequence[AgencyFile]) -> None:
    """Every root of the other side is compared aloud: at the terminal, or given by --words.

    Raises:
        InvalidInput: `words_malformed`. Refused: `words_differ`. OperatorError: `not_confirmed`.
    """
    roots = {name: party.agency for party in parties for name in party.root_ids}
    if not args.words:
        for name, agency in roots.items():
            for line in (agency, *(f"    {line}" for line in word_lines(name))):
                note(line)
        confirm(say("prompt.partners_words"), yes=args.yes)
        return
    given = sorted(parse_words(words) for words in args.words)
    if given != sorted(name[:FINGERPRINT_WORDS] for name in roots):
        raise Refused(
            "words_differ",
            "the words are not those of the root keys that the directory has of "
            + ", ".join(sorted(set(roots.values()))),
            field="words",
            hint="do not go on: call the other side on a number that you knew before, and ask for "
            "the words that it sees: saphan agency show",
        )


def _party(answer: dict[str, object]) -> AgencyFile:
    try:
        threshold, roots, agency = (answer[name] for name in ("threshold", "roots", "agency"))
        if not (isinstance(threshold, int) and isinstance(roots, list) and isinstance(agency, str)):
            raise ValueError
        publics = tuple(base64.b64decode(root, validate=True) for root in roots)
    except (KeyError, TypeError, ValueError):
        raise OperatorError(
            "node_answer",
            "the node's answer about an agency cannot be understood",
            field="node",
            hint="node and command should be of one version",
        ) from None
    for public in publics:
        check_public_key(Role.ROOT, public)
    return AgencyFile(agency=agency, threshold=threshold, roots=publics)
