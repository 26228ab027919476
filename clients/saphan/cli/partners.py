"""The other parties of an agreement: their roots from the own node's directory, words compared."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from urllib.parse import quote

from saphan_protocol.keys import check_public_key
from saphan_protocol.words import FINGERPRINT_WORDS, parse_words
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.records import Role

from saphan.agency_file import AgencyFile
from saphan.base64_text import bytes_of
from saphan.cli.options import local_node
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
    # Names as they were typed: the node says of each what it is, or that it knows none of the kind.
    named = (quote(name, safe="") for name in args.partners)
    return [_party(node.get(f"/v1/directory?agency={name}")) for name in named]


def check_root_words(given: Sequence[str], parties: Sequence[AgencyFile]) -> None:
    """The words given are those of every root of the other side.

    Raises:
        InvalidInput: `words_malformed`. Refused: `words_differ`.
    """
    roots = sorted(name[:FINGERPRINT_WORDS] for party in parties for name in party.root_ids)
    if sorted(parse_words(words) for words in given) != roots:
        raise Refused(
            "words_differ",
            "the words are not those of the root keys that the directory has of "
            + ", ".join(sorted(party.agency for party in parties)),
            field="words",
            hint="do not go on: call the other side on a number that you knew before, and ask for "
            "the words that it sees: saphan agency show",
        )


def _party(answer: dict[str, object]) -> AgencyFile:
    try:
        threshold, roots, agency = (answer[name] for name in ("threshold", "roots", "agency"))
        if not (isinstance(threshold, int) and isinstance(roots, list) and isinstance(agency, str)):
            raise ValueError
        publics = tuple(bytes_of(root) for root in roots)
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
