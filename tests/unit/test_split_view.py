"""What proves two histories of a log, and what does not, however it is made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from saphan_protocol.batch import sign_one
from saphan_protocol.checkpoint import format_checkpoint, log_lines
from saphan_protocol.evidence import CONSIGNMENT_TYPE, anchor_leaf
from saphan_protocol.keys import SigningKey
from saphan_protocol.merkle import leaf_hash, roots_of_history
from saphan_protocol.notes import encode_note, parse_note
from saphan_protocol.split_file import (
    Claim,
    History,
    SplitFile,
    format_split,
    join_splits,
    parse_split,
)
from saphan_protocol.split_view import Proven, SplitVerdict, judge_split
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, HeadRef, Role, StanzaRef
from support.log_keys import log_note, signer
from support.two_logs import DIRECTORY, EVIDENCE, NOW, Story, pins_of, split

PINS = pins_of()
HONEST = Story("honest", 5, 40)
OTHER = Story("other", 5, 40)
NODE = SigningKey(Role.NODE, b"n" * 64)


def judge(found: SplitFile) -> SplitVerdict:
    """As a third party does: from the bytes of the file, with the broker's pins."""
    return judge_split(parse_split(format_split(found)), PINS)


def codes(verdict: SplitVerdict) -> list[str]:
    return [remark.code for remark in verdict.remarks]


def claim(root: bytes, size: int = 13, origin: str = EVIDENCE) -> Claim:
    refs = (StanzaRef("kh.gpo", b"m" * 32, b"s" * 32),)
    body = encode(Consignment(b"b" * 32, NODE.key_id, HeadRef(origin, size, root), refs))
    signature = sign_one(NODE, CONSIGNMENT_TYPE, body, b"t" * 32)
    return Claim("la.ospp", NODE.verifying().public, body, encode(signature))


# --- proofs ---------------------------------------------------------------------------------------


def test_two_signed_roots_of_one_size_are_a_proof() -> None:
    verdict = judge(split([HONEST.note(13), OTHER.note(13)]))
    assert verdict.proven is Proven.YES
    assert verdict.sides is not None
    assert {side.root for side in verdict.sides} == {HONEST.root(13), OTHER.root(13)}
    assert [side.how for side in verdict.sides] == ["note", "note"]


@pytest.mark.parametrize(("old", "new"), [(13, 40), (8, 40), (16, 17), (32, 40), (39, 40), (6, 7)])
def test_a_path_that_ends_in_the_other_signed_root_is_a_proof(old: int, new: int) -> None:
    """Also where the smaller size is a power of two, whose root RFC 9162's path leaves out."""
    found = split([HONEST.note(old), OTHER.note(new)], OTHER.history(old, new))
    verdict = judge(found)
    assert verdict.proven is Proven.YES
    assert verdict.sides is not None
    assert sorted(side.how for side in verdict.sides) == ["note", "path"]
    assert verdict.sides[0].size == old


def test_two_paths_to_one_size_below_both_heads_are_a_proof() -> None:
    """Neither party has kept a signed head of that size: each shows it under a later one."""
    histories = HONEST.history(20, 30), OTHER.history(20, 40)
    verdict = judge(split([HONEST.note(30), OTHER.note(40)], *histories))
    assert verdict.proven is Proven.YES


def test_an_anchor_of_another_directory_is_a_proof() -> None:
    directory = Story("honest", 5, 9, DIRECTORY)
    lied = b"r" * 32
    evidence = Story("x", 5, 13)
    evidence.hashes[7] = leaf_hash(anchor_leaf(6, lied))
    anchor = evidence.anchor(13, 7, 6, lied)
    found = split(
        [evidence.note(13), directory.note(9)], directory.history(6, 9), anchors=(anchor,)
    )
    verdict = judge(found)
    assert verdict.proven is Proven.YES
    assert verdict.sides is not None
    assert {side.how for side in verdict.sides} == {"path", "anchor"}
    # An anchor under pins that pair the log with another directory says nothing about that one.
    elsewhere = judge_split(found, replace(PINS, directory=pins_of(number=2).directory))
    assert (elsewhere.proven, codes(elsewhere)) == (Proven.NO, ["split_other_log"])


def test_a_successor_under_the_same_keys_is_judged_by_the_same_pins() -> None:
    one, two = (log_note_of(story, "bridge.test/evidence/2") for story in (HONEST, OTHER))
    assert judge(split([one, two])).proven is Proven.YES


def log_note_of(story: Story, origin: str, keys: str = EVIDENCE) -> bytes:
    """Signed under this origin by the keys of another: the log's own, under its successor's."""
    text = format_checkpoint(origin, 13, story.root(13))
    return log_lines(*signer(keys), origin, text, NOW)


# --- what an honest broker is accused with --------------------------------------------------------


def test_keys_of_the_files_own_making_prove_nothing() -> None:
    """Anybody can make keys, call them the broker's and sign two histories with them."""
    pins = pins_of("evil.test")
    forged = [
        log_note(
            "evil.test/evidence/1",
            format_checkpoint("evil.test/evidence/1", 13, story.root(13)),
            NOW,
        )
        for story in (HONEST, OTHER)
    ]
    found = split(forged, pins=pins)
    assert judge_split(found).proven is Proven.BY_UNKNOWN_KEYS
    verdict = judge(found)
    assert (verdict.proven, set(codes(verdict))) == (Proven.NO, {"head_origin"})


def test_the_brokers_name_over_other_keys_proves_nothing() -> None:
    def forged(story: Story) -> bytes:
        note = parse_note(log_note_of(story, EVIDENCE, "mallory"))
        real = parse_note(HONEST.note(13)).lines
        lines = zip(note.lines, real, strict=True)
        return encode_note(note.text, [replace(line, key_id=of.key_id) for line, of in lines])

    unnamed = [log_note_of(story, EVIDENCE, "mallory") for story in (HONEST, OTHER)]
    assert set(codes(judge(split(unnamed)))) == {"head_signature"}
    verdict = judge(split([forged(HONEST), forged(OTHER)]))
    assert (verdict.proven, codes(verdict)) == (Proven.NO, ["note_signature"] * 2)


def test_half_a_signature_proves_nothing() -> None:
    """One broken algorithm is not enough to accuse a log: both of its lines must hold."""
    whole = parse_note(OTHER.note(13))
    for line in whole.lines:
        half = encode_note(whole.text, [line])
        verdict = judge(split([HONEST.note(13), half]))
        assert (verdict.proven, codes(verdict)) == (Proven.NO, ["head_signature"])
    other = parse_note(HONEST.note(13))
    mixed = encode_note(whole.text, [whole.lines[0], other.lines[1]])
    assert judge(split([HONEST.note(13), mixed])).proven is Proven.NO


def test_one_history_seen_many_times_proves_nothing() -> None:
    notes = [HONEST.note(13), HONEST.note(13, NOW + 60), HONEST.note(40)]
    histories = HONEST.history(13, 40), HONEST.history(8, 40), HONEST.history(8, 13)
    verdict = judge(split(notes, *histories))
    assert (verdict.proven, verdict.remarks) == (Proven.NO, ())


def test_two_logs_and_two_numbers_are_not_two_histories() -> None:
    directory = Story("d", 0, 13, DIRECTORY)
    successor = log_note_of(OTHER, "bridge.test/evidence/2")
    assert judge(split([HONEST.note(13), directory.note(13), successor])).proven is Proven.NO


@pytest.mark.parametrize("old", [8, 13, 32])
def test_a_made_up_path_proves_nothing(old: int) -> None:
    """Whatever is changed in the path, it ends in no signed root any more."""
    good = HONEST.history(old, 40)
    notes = [HONEST.note(old), HONEST.note(40)]
    assert judge(split(notes, good)).proven is Proven.NO
    for place in range(len(good.path)):
        bent = list(good.path)
        bent[place] = b"x" * 32
        verdict = judge(split(notes, replace(good, path=tuple(bent))))
        assert (verdict.proven, codes(verdict)) == (Proven.NO, ["split_path_loose"])
    for path in (good.path[:-1], (*good.path, b"x" * 32), good.path[1:], ()):
        assert judge(split(notes, replace(good, path=path))).proven is Proven.NO
    wrong: list[dict[str, Any]] = [{"old": old + 1}, {"new": 39}, {"old": 0}, {"old": 40}]
    for sizes in wrong:
        assert judge(split(notes, replace(good, **sizes))).proven is Proven.NO


def test_a_path_from_a_log_that_nobody_signed_proves_nothing() -> None:
    """The other history's path, and the honest log's notes only: it ends in no signed root."""
    verdict = judge(split([HONEST.note(13), HONEST.note(40)], OTHER.history(13, 40)))
    assert (verdict.proven, codes(verdict)) == (Proven.NO, ["split_path_loose"])


def test_an_anchor_that_is_not_in_the_log_proves_nothing() -> None:
    directory = Story("d", 5, 9, DIRECTORY)
    forged = HONEST.anchor(13, 7, 6, b"r" * 32)
    found = split([HONEST.note(13), directory.note(9)], directory.history(6, 9), anchors=(forged,))
    verdict = judge(found)
    assert (verdict.proven, codes(verdict)) == (Proven.NO, ["proof_inclusion"])
    without = judge(split([directory.note(9)], anchors=(forged,)))
    assert codes(without) == ["split_path_loose"]


def test_a_peers_signed_word_alone_proves_nothing() -> None:
    """A sender who makes up what it saw cannot accuse the broker; with the note it is a proof."""
    told = split([HONEST.note(40)], HONEST.history(13, 40), claims=(claim(OTHER.root(13)),))
    verdict = judge(told)
    assert (verdict.proven, codes(verdict)) == (Proven.NO, ["split_claim_only"])
    assert verdict.claims == (("la.ospp", HeadRef(EVIDENCE, 13, OTHER.root(13))),)
    with_note = judge_split(join_splits([told], [OTHER.note(13)]), PINS)
    assert with_note.proven is Proven.YES
    assert with_note.claims == ()


def test_a_claim_counts_only_with_its_signature() -> None:
    good = claim(OTHER.root(13))
    unsigned = replace(good, signature=good.signature[:-1] + b"\x00")
    stranger = replace(good, key=SigningKey(Role.NODE, b"x" * 64).verifying().public)
    honest = claim(HONEST.root(13))
    for bad in (unsigned, stranger, replace(good, body=b"\x90"), honest, claim(b"r" * 32, 14)):
        found = split([HONEST.note(40)], HONEST.history(13, 40), claims=(bad,))
        verdict = judge(found)
        assert (verdict.proven, verdict.claims) == (Proven.NO, ())


def test_the_verdict_without_pins_never_says_proven() -> None:
    found = split([HONEST.note(13), OTHER.note(13)])
    assert judge_split(found).proven is Proven.BY_UNKNOWN_KEYS
    assert judge_split(found, PINS).proven is Proven.YES


# --- the file -------------------------------------------------------------------------------------


def test_a_file_is_read_back_as_it_was_written() -> None:
    found = split(
        [HONEST.note(13), OTHER.note(40)],
        OTHER.history(13, 40),
        anchors=(HONEST.anchor(13, 7, 6, b"r" * 32),),
        claims=(claim(OTHER.root(13)),),
    )
    data = format_split(found)
    assert parse_split(data) == found
    assert format_split(parse_split(data)) == data


def edited(**changes: Any) -> bytes:
    value = json.loads(format_split(split([HONEST.note(13)], HONEST.history(8, 13))))
    return json.dumps(value | changes).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        edited(saphan="split-view/2"),
        edited(more=1),
        edited(notes=["x"] * (LIMITS.split_parts + 1)),
        edited(histories=[{"origin": EVIDENCE, "old": 8, "new": 13, "path": ["AB" * 32]}]),
        edited(histories=[{"origin": EVIDENCE, "old": -1, "new": 13, "path": []}]),
        edited(histories=[{"origin": EVIDENCE, "old": 1_0.5, "new": 13, "path": []}]),
        edited(found_at="now"),
        edited()[:-1] + b', "notes": []}',
        edited(claims=[{"sender": "x", "key": "", "body": "", "signature": ""}]),
        edited(claims=[{"sender": "la.ospp", "key": "a b", "body": "", "signature": ""}]),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="split_malformed"):
        parse_split(data)


def test_pins_and_size_are_bounded() -> None:
    with pytest.raises(InvalidInput, match="too_large"):
        parse_split(b" " * (LIMITS.split_bytes + 1))
    with pytest.raises(InvalidInput, match="pins_malformed"):
        parse_split(edited(pins={}))


def test_files_about_other_logs_are_not_joined() -> None:
    with pytest.raises(InvalidInput, match="split_other_log"):
        join_splits([split([]), split([], pins=pins_of("evil.test"))])
    one, two = HONEST.note(13), OTHER.note(13)
    assert join_splits([split([one]), split([one, two])]).notes == (one, two)


def test_a_history_path_needs_sizes_that_can_be() -> None:
    for old, new in ((0, 3), (3, 3), (4, 3)):
        with pytest.raises(InvalidInput, match="proof_consistency"):
            roots_of_history(old, new, (b"x" * 32,))
    with pytest.raises(InvalidInput, match="proof_consistency"):
        roots_of_history(3, 5, (b"x" * 31,) * 4)
    for old in range(1, 40):
        for story in (HONEST, OTHER):
            path = story.history(old, 40).path
            assert roots_of_history(old, 40, path) == (story.root(old), story.root(40))


def test_anybody_may_write_anything_into_a_file() -> None:
    """Nothing of it raises: what is wrong is a remark."""
    found = split(
        [b"", b"x", HONEST.note(13)[:-3], HONEST.note(13)],
        History("nowhere", 1, 2, ()),
        History(EVIDENCE, 1, 2, (b"x" * 32, b"y" * 32)),
        claims=(Claim("la.ospp", b"", b"", b""),),
    )
    verdict = judge(found)
    assert verdict.proven is Proven.NO
    assert len(verdict.remarks) == 6


def edits(data: bytes, count: int) -> Iterator[bytes]:
    """The file with one or two characters changed, taken out, put in, or two parts swapped."""
    rng = Random(7)
    for _ in range(count):
        bent = bytearray(data)
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(bent))
            match rng.randrange(4):
                case 0:
                    bent[at] ^= 1 << rng.randrange(8)
                case 1:
                    del bent[at]
                case 2:
                    bent.insert(at, rng.choice(b"0123456789abcdefAB/+=\n\\"))
                case _:
                    other, length = rng.randrange(len(bent)), rng.randint(1, 64)
                    bent[at : at + length] = bent[other : other + length]
        yield bytes(bent)


def test_no_edit_of_an_honest_file_accuses_anybody() -> None:
    """Every head and path of the one history, edited: never a proof."""
    anchors = (HONEST.anchor(13, 7, 6, b"r" * 32),)
    notes = [HONEST.note(8), HONEST.note(13)]
    histories = HONEST.history(8, 13), HONEST.history(5, 13), HONEST.history(5, 8)
    data = format_split(split(notes, *histories, anchors=anchors))
    read = 0
    for bent in edits(data, 1_500):
        try:
            found = parse_split(bent)
        except InvalidInput:
            continue
        read += 1
        assert judge_split(found, PINS).proven is Proven.NO
    assert read > 300


def test_an_edited_proof_proves_the_same_or_nothing() -> None:
    data = format_split(split([HONEST.note(13), OTHER.note(20)], OTHER.history(13, 20)))
    whole = judge_split(parse_split(data), PINS).sides
    assert whole is not None
    proven = 0
    for bent in edits(data, 700):
        try:
            verdict = judge_split(parse_split(bent), PINS)
        except InvalidInput:
            continue
        if verdict.sides is not None:
            proven += 1
            assert [side.root for side in verdict.sides] == [side.root for side in whole]
    assert proven  # an edit of who found it changes nothing
