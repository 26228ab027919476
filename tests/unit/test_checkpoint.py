"""Heads and cosignatures: what verifies, and one defect at a time."""

from __future__ import annotations

import base64

import pytest
from saphan_protocol import checkpoint, notes
from saphan_protocol.checkpoint import Checkpoint, Cosignature
from saphan_protocol.merkle import EMPTY_ROOT, leaf_hash
from saphan_schemas.errors import InvalidInput
from support.log_keys import log_note, log_pair, signer, witness_lines, witness_pair

ORIGIN = "bridge.example/evidence/1"
OTHER = "bridge.example/directory/1"
ROOT = leaf_hash(b"the only leaf")
TEXT = checkpoint.format_checkpoint(ORIGIN, 1, ROOT)
KEYS = log_pair(ORIGIN)
LA, KH = "la.ospp", "kh.gpo"
TIME = 1_795_000_000
NOTE = log_note(ORIGIN, TEXT, TIME)
LA_LINES = witness_lines(LA, TEXT, TIME + 1)
KH_LINES = witness_lines(KH, TEXT, TIME + 2)
B64 = base64.b64encode(ROOT)


def code_of(call: object, *args: object) -> str:
    assert callable(call)
    with pytest.raises(InvalidInput) as caught:
        call(*args)
    return caught.value.code


def rows_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def test_a_head_and_its_witnesses() -> None:
    note = notes.add_lines(NOTE, LA_LINES + KH_LINES)
    witnesses = (witness_pair(KH), witness_pair(LA), witness_pair("th.amlo"))
    head = checkpoint.verify_head(note, KEYS, witnesses)
    assert (head.origin, head.size, head.root, head.time) == (ORIGIN, 1, ROOT, TIME)
    assert (head.note, head.text) == (note, TEXT)
    assert (head.ref.origin, head.ref.size, head.ref.root) == (ORIGIN, 1, ROOT)
    assert head.cosignatures == (Cosignature(KH, TIME + 2), Cosignature(LA, TIME + 1))
    assert checkpoint.verify_cosignatures(note, witnesses) == head.cosignatures
    assert checkpoint.verify_head(NOTE, KEYS).cosignatures == ()
    assert checkpoint.verify_cosignatures(NOTE, witnesses) == ()


def test_the_empty_log_has_a_head() -> None:
    text = checkpoint.format_checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert checkpoint.verify_head(log_note(ORIGIN, text, TIME), KEYS).size == 0


@pytest.mark.parametrize("size", (1, 9, 10, 2**31, 2**53))
def test_texts_round_trip(size: int) -> None:
    text = checkpoint.format_checkpoint(ORIGIN, size, ROOT)
    assert checkpoint.parse_checkpoint(text) == (ORIGIN, size, ROOT)


@pytest.mark.parametrize(
    ("text", "code"),
    (
        (b"", "head_malformed"),
        (TEXT[:-1], "head_malformed"),
        (TEXT + b"\n", "head_malformed"),
        (TEXT + b"extension\n", "head_malformed"),
        (b"\n" + TEXT, "head_malformed"),
        (b"\xff" + TEXT, "head_malformed"),
        (TEXT.replace(b"\n", b"\r\n"), "head_origin"),
        (b"\n1\n" + B64 + b"\n", "head_origin"),
        (TEXT.replace(b"bridge", b"Bridge"), "head_origin"),
        (TEXT.replace(b"bridge", b"bri dge"), "head_origin"),
        (TEXT.replace(b"bridge", "bridg\u0435".encode()), "head_origin"),
        (b"a" * 122 + TEXT[TEXT.index(b"\n") :], "head_origin"),
        *(
            (TEXT.replace(b"\n1\n", b"\n" + size.encode() + b"\n"), "head_size")
            for size in (
                "",
                "01",
                "00",
                "1_000",
                "+1",
                "-1",
                " 1",
                "1 ",
                "1.0",
                "0x1",
                "1e3",
                "\u0661",
                "\uff11",
                "\u0ed1",
                "9007199254740993",
                "1" * 5_000,
            )
        ),
        (TEXT.replace(B64, B64[:-1]), "head_root"),
        (TEXT.replace(B64, B64 + b"="), "head_root"),
        (TEXT.replace(B64, b" " + B64), "head_root"),
        (TEXT.replace(B64, B64[:5] + b"-" + B64[5:]), "head_root"),
        (TEXT.replace(B64, b"A" * 42 + b"B="), "head_root"),
        (TEXT.replace(B64, base64.b64encode(ROOT[:-1])), "head_root"),
        (TEXT.replace(B64, base64.b64encode(ROOT + b"\x00")), "head_root"),
        (TEXT.replace(B64, b""), "head_root"),
        (TEXT.replace(b"\n1\n", b"\n0\n"), "head_root"),
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_defect_of_a_text_one_code(text: bytes, code: str) -> None:
    assert code_of(checkpoint.parse_checkpoint, text) == code


def test_texts_that_would_not_parse_are_not_written() -> None:
    assert code_of(checkpoint.format_checkpoint, "no\norigin", 1, ROOT) == "head_origin"
    assert code_of(checkpoint.format_checkpoint, ORIGIN, -1, ROOT) == "head_size"
    assert code_of(checkpoint.format_checkpoint, ORIGIN, 2**53 + 1, ROOT) == "head_size"
    assert code_of(checkpoint.format_checkpoint, ORIGIN, 1, ROOT[1:]) == "head_root"
    assert code_of(checkpoint.format_checkpoint, ORIGIN, 0, ROOT) == "head_root"


def test_both_lines_of_the_log_are_needed() -> None:
    rows = rows_of(NOTE)
    assert len(rows) == 6
    for left in (rows[4], rows[5]):
        cut = b"".join(row for row in rows if row != left)
        assert code_of(checkpoint.verify_head, cut, KEYS) == "head_signature"
    only_witness = b"".join(rows[:4]) + LA_LINES
    assert (
        code_of(checkpoint.verify_head, only_witness, KEYS, (witness_pair(LA),)) == "head_signature"
    )
    assert code_of(checkpoint.verify_head, only_witness, KEYS) == "head_signature"


def test_either_line_of_the_log_refuses_the_head_if_it_fails() -> None:
    rows = rows_of(NOTE)
    other = rows_of(log_note(ORIGIN, checkpoint.format_checkpoint(ORIGIN, 2, ROOT), TIME))
    for at in (4, 5):
        mixed = [*rows]
        mixed[at] = other[at]
        assert code_of(checkpoint.verify_head, b"".join(mixed), KEYS) == "note_signature"


def test_the_time_of_a_line_is_signed() -> None:
    parsed = notes.parse_note(NOTE)
    timed = parsed.lines[1]
    for time in (0, TIME + 1, 2**63, 2**64 - 1):
        moved = notes.NoteLine(timed.name, timed.key_id, time.to_bytes(8, "big") + timed.blob[8:])
        note = notes.encode_note(parsed.text, (parsed.lines[0], moved))
        assert code_of(checkpoint.verify_head, note, KEYS) == "note_signature"


@pytest.mark.parametrize(
    ("time", "code"), ((0, "head_time"), (2**63, "note_signature"), (2**64 - 1, "note_signature"))
)
def test_times_that_a_log_may_not_sign_are_refused(time: int, code: str) -> None:
    ed25519, mldsa44 = signer(ORIGIN)
    message = checkpoint.mldsa44_message(ORIGIN, time, Checkpoint(ORIGIN, 1, ROOT))
    blob = time.to_bytes(8, "big") + mldsa44.sign(message)
    lines = (
        notes.NoteLine(ORIGIN, KEYS[0].key_id, ed25519.sign(TEXT)),
        notes.NoteLine(ORIGIN, KEYS[1].key_id, blob),
    )
    note = notes.encode_note(TEXT, lines)
    assert code_of(checkpoint.verify_head, note, KEYS) == code


def test_a_head_of_another_log_is_refused() -> None:
    assert code_of(checkpoint.verify_head, NOTE, log_pair(OTHER)) == "head_origin"
    # The same keys under the name of a successor: the lines are of other key ids.
    renamed = (KEYS[0].named(OTHER), KEYS[1].named(OTHER))
    assert code_of(checkpoint.verify_head, NOTE, renamed) == "head_origin"
    moved = NOTE.replace(ORIGIN.encode() + b"\n", OTHER.encode() + b"\n")
    assert code_of(checkpoint.verify_head, moved, KEYS) == "head_origin"
    assert code_of(checkpoint.verify_head, moved, log_pair(OTHER)) == "head_signature"


def test_pairs_of_wrong_types_or_names_are_refused() -> None:
    for pair in ((KEYS[1], KEYS[0]), (KEYS[0], KEYS[0]), witness_pair(ORIGIN)):
        assert code_of(checkpoint.verify_head, NOTE, pair) == "vkey_pair"
    assert code_of(checkpoint.verify_head, NOTE, (KEYS[0], log_pair(OTHER)[1])) == "vkey_pair"
    note = notes.add_lines(NOTE, LA_LINES)
    assert code_of(checkpoint.verify_cosignatures, note, (log_pair(LA),)) == "vkey_pair"


def test_a_witness_counts_only_with_both_lines() -> None:
    for single in rows_of(LA_LINES):
        note = notes.add_lines(NOTE, single + KH_LINES)
        found = checkpoint.verify_cosignatures(note, (witness_pair(LA), witness_pair(KH)))
        assert found == (Cosignature(KH, TIME + 2),)


def test_a_witness_with_two_times_is_refused() -> None:
    later = rows_of(witness_lines(LA, TEXT, TIME + 9))
    note = notes.add_lines(NOTE, rows_of(LA_LINES)[0] + later[1])
    assert code_of(checkpoint.verify_head, note, KEYS, (witness_pair(LA),)) == "cosignature_time"


def test_a_witness_over_another_head_is_refused() -> None:
    other = checkpoint.format_checkpoint(ORIGIN, 2, ROOT)
    for at in (0, 1):
        mixed = rows_of(LA_LINES)
        mixed[at] = rows_of(witness_lines(LA, other, TIME + 1))[at]
        note = notes.add_lines(NOTE, b"".join(mixed))
        assert code_of(checkpoint.verify_head, note, KEYS, (witness_pair(LA),)) == "note_signature"
        assert checkpoint.verify_head(note, KEYS).cosignatures == ()


def test_a_cosignature_is_bound_to_its_name_by_its_second_line() -> None:
    # Type 04 does not sign the name: a line made by la.ospp's key can be shown under kh.gpo's
    # name only if kh.gpo's enrolled key is the same, and then type 06 still tells them apart.
    ed25519, mldsa44 = signer(LA)
    as_kh = checkpoint.cosign_lines(ed25519, mldsa44, KH, TEXT, TIME)
    la, kh = witness_pair(LA), (witness_pair(LA)[0].named(KH), witness_pair(LA)[1].named(KH))
    lines = [notes.parse_lines(data) for data in (witness_lines(LA, TEXT, TIME), as_kh)]
    assert lines[0][0].blob == lines[1][0].blob
    stolen = notes.NoteLine(KH, kh[1].key_id, lines[0][1].blob)
    note = notes.add_lines(NOTE, lines[1][0].encode() + stolen.encode())
    assert code_of(checkpoint.verify_cosignatures, note, (kh,)) == "note_signature"
    assert checkpoint.verify_cosignatures(notes.add_lines(NOTE, as_kh), (kh, la)) == (
        Cosignature(KH, TIME),
    )


def test_signed_messages_are_those_of_the_format() -> None:
    assert checkpoint.ed25519_message(7, TEXT) == b"cosignature/v1\ntime 7\n" + TEXT
    message = checkpoint.mldsa44_message("w", 7, Checkpoint("o", 258, ROOT))
    assert message == (
        b"subtree/v1\n\x00" + b"\x01w" + b"\x00" * 7 + b"\x07" + b"\x01o"
        b"\x00\x00\x00\x00\x00\x00\x00\x00" + b"\x00" * 6 + b"\x01\x02" + ROOT
    )


@pytest.mark.parametrize("time", (0, -1, 2**63))
def test_nothing_is_signed_without_a_time(time: int) -> None:
    assert code_of(log_note, ORIGIN, TEXT, time) == "head_time"
    assert code_of(witness_lines, LA, TEXT, time) == "head_time"


def test_a_log_signs_only_its_own_heads_and_only_heads() -> None:
    assert code_of(log_note, OTHER, TEXT, TIME) == "head_origin"
    assert code_of(log_note, ORIGIN, b"pay the bearer\n", TIME) == "head_malformed"
    assert code_of(witness_lines, LA, b"pay the bearer\n", TIME) == "head_malformed"
    assert code_of(witness_lines, "two words", TEXT, TIME) == "vkey_name"
