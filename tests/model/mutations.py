"""Defences that are taken out, one by one, and what the search must find without each."""

from __future__ import annotations

from typing import Final, NamedTuple

from model.world import Sizes


class Mutation(NamedTuple):
    """A world without some of its defences.

    Args:
        says: how the broken world is called; empty if it is one from which nothing goes on.
    """

    what: str
    sizes: Sizes
    says: str


_ONE: Final = Sizes("mutation")
_TWO: Final = Sizes("mutation", processes=2, timeless=True)
_LOST: Final = Sizes("mutation", losses=True, timeless=True)


def _without(what: str, says: str, *defences: str, sizes: Sizes = _ONE) -> Mutation:
    return Mutation(what, sizes._replace(without=frozenset(defences)), says)


BROKEN: Final = (
    _without("it answers before the commit", "was acknowledged, and is lost", "answer_last"),
    _without("the stanza goes before the handover", "without a logged handover", "release"),
    _without("a repeated item is judged afresh", "told that it is refused", "first_answer"),
    _without("an entry is fed before its head is signed", "no signed head covers", "signed_feed"),
    _without("it is shown before it is stored", "shown twice", "store_before_showing"),
    _without(
        "a recall ends nothing",
        "handover1: already_decided",
        "recall_ends",
        sizes=_ONE._replace(recall=True),
    ),
    _without("an expiry ends nothing", "two outcomes", "outcome_ends"),
    _without("a hold keeps nothing", "destroyed_held", "hold", sizes=_ONE._replace(holds=True)),
    _without(
        "who has lost the lease may refuse",
        "told that it is refused",
        "refusals_logged",
        sizes=_ONE._replace(processes=2),
    ),
    _without(
        "no fence, and no comparison of heads",
        "acknowledged, and is lost",
        "fence",
        "compare",
        sizes=_TWO,
    ),
    _without(
        "neither start nor signer look at the signer's file",
        "two histories are signed",
        "start_check",
        "signer_file",
        sizes=_ONE._replace(losses=True),
    ),
    _without("the recipient forgets what it opened", "shown twice", "remember", sizes=_LOST),
    _without(
        "the lost log's outcome is forgotten",
        "proves accepted, the recipient recalled",
        "precedence",
        sizes=_LOST._replace(recall=True),
    ),
)
"""What happens that must not."""

STUCK: Final = (
    _without("statements are sent once", "", "resend"),
    _without("the successor names the store's head", "", "largest_head", sizes=_LOST),
    _without("a store behind its signer starts", "", "start_check", sizes=_LOST),
)
"""What then cannot happen any more."""

SPARE: Final = (
    _without("the store compares heads and does not fence", "", "fence", sizes=_TWO),
    _without("the store fences and does not compare heads", "", "compare", sizes=_TWO),
    _without(
        "the start looks at the signer's file, the signer not", "", "signer_file", sizes=_LOST
    ),
)
"""Defences that another one covers: alone, each may fail."""
