"""kh.gpo and th.amlo get bulletins that la.ospp signed in one batch: each holds hashes of what the
other got, and tries to learn what it was.
"""

from __future__ import annotations

from itertools import product

from saphan_protocol.batch import batch_leaf, sign_batch
from saphan_protocol.delivery import EXPIRED_CODES, RECALLED_CODES, REJECTION_CODES
from saphan_schemas.codec import encode
from saphan_schemas.records import Event, Statement, statement_type
from support.agency import Agency
from support.ceremony import NOW

LA, TH = "la.ospp", "th.amlo"
BULLETIN, CIPHERTEXT = bytes(32), bytes([1]) * 32
"""The neighbour knows everything of the other's bulletin but what was said about it."""


def guesses() -> list[tuple[str, bytes]]:
    """All that can have been said of it in that second: (PAE type, exact bytes)."""
    codes = [None, *sorted(REJECTION_CODES | RECALLED_CODES | EXPIRED_CODES)]
    return [
        (statement_type(event), encode(Statement(BULLETIN, CIPHERTEXT, LA, time, code, None)))
        for event, code, time in product(Event, codes, range(NOW, NOW + 20))
    ]


def test_he_cannot_try_out_what_the_other_was_told() -> None:
    agency = Agency(LA, NOW)
    kind = statement_type(Event.RECALLED)
    body = encode(Statement(BULLETIN, CIPHERTEXT, LA, NOW + 7, "wrong_person", None))
    salts = [agency.random(), agency.random()]
    _, (own, other) = sign_batch(
        agency.node, [(statement_type(Event.ACCEPTED), b"his", salts[0]), (kind, body, salts[1])]
    )
    (shown,) = own.path
    assert shown == batch_leaf(kind, body, salts[1])  # the right guess, by who has the salt
    known = [own.salt, bytes(32), own.path[0], BULLETIN, CIPHERTEXT]
    assert other.salt not in known
    assert (kind, body) in guesses()
    assert shown not in {batch_leaf(*guess, salt) for guess in guesses() for salt in known}


def test_the_same_words_twice_do_not_show_as_the_same() -> None:
    agency = Agency(LA, NOW)
    kind = statement_type(Event.ACCEPTED)
    items = [(kind, b"the same", agency.random()) for _ in range(8)]
    _, signed = sign_batch(agency.node, items)
    hashes = [part for item in signed for part in item.path]
    leaves = {batch_leaf(*item) for item in items}
    assert len(leaves) == len(items)
    assert len({item.path for item in signed}) == len(items)
    assert set(hashes) >= leaves
