"""Two histories over two numbers: what a successor says of the log before it, as a proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from saphan_protocol.checkpoint import format_checkpoint
from saphan_protocol.split_file import SplitFile, format_split, join_splits, parse_split
from saphan_protocol.split_view import Proven, SplitVerdict, judge_split
from support.log_keys import log_note
from support.two_logs import AFTER, EVIDENCE, NOW, Story, Successor, pins_of, split

HONEST = Story("honest", 5, 40)
OTHER = Story("other", 5, 40)


def judge(found: SplitFile) -> SplitVerdict:
    """As a third party does: from the bytes of the file, with the broker's pins."""
    return judge_split(parse_split(format_split(found)), pins_of())


def codes(verdict: SplitVerdict) -> list[str]:
    return [remark.code for remark in verdict.remarks]


@pytest.mark.parametrize("size", (13, 16))
def test_a_successor_that_names_another_head_than_was_signed_is_a_proof(size: int) -> None:
    """One number's log says of the other's what that one's own head denies."""
    after = Successor(size, OTHER.root(size))
    found = split([HONEST.note(size), after.note(7)], successors=(after.shown(7),))
    verdict = judge(found)
    assert verdict.proven is Proven.YES
    assert verdict.sides is not None
    assert [side.how for side in verdict.sides] == ["note", "successor"]
    assert {side.origin for side in verdict.sides} == {EVIDENCE}
    assert {side.head.origin for side in verdict.sides} == {EVIDENCE, AFTER}
    # Two files, each with what its finder had, are one proof.
    parts = split([HONEST.note(size)]), split([after.note(7)], successors=(after.shown(7),))
    assert judge(join_splits(parts)).proven is Proven.YES
    # Whichever number the judge's own pins have, and by a path from a larger head too.
    later = judge_split(found, pins_of(number=2))
    assert later.proven is Proven.YES
    found = split(
        [HONEST.note(40), after.note(7)], HONEST.history(size, 40), successors=(after.shown(7),)
    )
    assert judge(found).proven is Proven.YES


def test_a_successor_that_names_what_was_signed_proves_nothing() -> None:
    """Nor does one that names less: whoever was not asked may know more than its maker."""
    for size in (13, 20):
        after = Successor(size, HONEST.root(size))
        notes = [HONEST.note(13), HONEST.note(40), after.note(7)]
        verdict = judge(split(notes, HONEST.history(13, 40), successors=(after.shown(7),)))
        assert (verdict.proven, verdict.remarks) == (Proven.NO, ())


def test_a_successor_leaf_that_is_not_the_log_s_first_proves_nothing() -> None:
    after, lied = Successor(13, HONEST.root(13)), Successor(13, OTHER.root(13))
    shown, notes = lied.shown(7), [HONEST.note(13), after.note(7)]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "proof_inclusion"),
        ({"head": 6}, "split_path_loose"),
        ({"origin": "bridge.test/evidence/3"}, "split_path_loose"),
        ({"origin": EVIDENCE, "head": 13}, "proof_inclusion"),
        ({"origin": "bridge.test/evidence"}, "pins_malformed"),
    ]
    for change, code in wrong:
        verdict = judge(split(notes, successors=(replace(shown, **change),)))
        assert (verdict.proven, codes(verdict)) == (Proven.NO, [code])
    # The head that covers it must be the log's: anybody can make such a leaf.
    forged = log_note(AFTER, format_checkpoint(AFTER, 7, lied.root(7)), NOW)
    verdict = judge(split([HONEST.note(13), forged], successors=(shown,)))
    assert codes(verdict) == ["head_signature", "split_path_loose"]
