"""Signed notes and verifier keys: round trips, and one defect at a time."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saphan_protocol import notes
from saphan_protocol.notes import KeyType, Note, NoteLine
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from support.log_keys import log_pair, signer

NAME = "bridge.example/evidence/1"
OTHER = "somebody.example"
TEXT = "ສະພານ, ស្ពាន: a bridge\n\nwith an empty line\n".encode()
KEY = log_pair(NAME)[0]


def line(text: bytes = TEXT, name: str = NAME) -> NoteLine:
    return NoteLine(name, log_pair(name)[0].key_id, signer(name)[0].sign(text))


def code_of(call: object, *args: object) -> str:
    assert callable(call)
    with pytest.raises(InvalidInput) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize("kind", tuple(KeyType))
def test_vkeys_round_trip(kind: KeyType) -> None:
    size = 1312 if kind is KeyType.COSIGNATURE_MLDSA44 else 32
    key = notes.verifier_key(NAME, kind, bytes(range(32)) * (size // 32))
    assert notes.parse_vkey(notes.format_vkey(key)) == key
    assert key.named(OTHER).public == key.public
    assert key.named(OTHER).key_id != key.key_id


def test_key_ids_differ_by_type() -> None:
    public = bytes(32)
    ids = {
        notes.verifier_key(NAME, kind, public).key_id
        for kind in (KeyType.ED25519, KeyType.COSIGNATURE_ED25519)
    }
    assert len(ids) == 2


def altered_vkeys() -> tuple[tuple[str, str], ...]:
    name, hexed, material = notes.format_vkey(KEY).split("+", 2)
    other = f"{int(hexed, 16) ^ 1:08x}"
    raw = base64.b64decode(material)
    return (
        ("", "vkey_malformed"),
        (f"{name}+{hexed}", "vkey_malformed"),
        (f"{name}+{hexed.upper()}Z+{material}", "vkey_malformed"),
        (f"{name}+0x{hexed[2:]}+{material}", "vkey_malformed"),
        (f"{name}+{hexed} +{material}", "vkey_malformed"),
        (f"{name}+{hexed}+{material}\n", "vkey_malformed"),
        (f"{name}+{hexed}+{material} ", "vkey_malformed"),
        (f"{name}+{hexed}+{material[:4]}*{material[4:]}", "vkey_malformed"),
        (f"{name}+{hexed}+{material}=", "vkey_malformed"),
        (f"{name}+{hexed}+", "vkey_type"),
        (f"{name}+{hexed}+" + base64.b64encode(b"\x02" + raw[1:]).decode(), "vkey_type"),
        (f"{name}+{hexed}+" + base64.b64encode(raw[:-1]).decode(), "vkey_key"),
        (f"{name}+{hexed}+" + base64.b64encode(raw + b"\x00").decode(), "vkey_key"),
        (f"{name}+{hexed}+" + base64.b64encode(b"\x04" + raw[1:]).decode(), "vkey_id"),
        (f"{name}+{other}+{material}", "vkey_id"),
        (f"x{name}+{hexed}+{material}", "vkey_id"),
        (f"+{hexed}+{material}", "vkey_name"),
        (f"a b+{hexed}+{material}", "vkey_name"),
        (f"a\u2003b+{hexed}+{material}", "vkey_name"),
        (f"a\nb+{hexed}+{material}", "vkey_name"),
        (f"a\ud800b+{hexed}+{material}", "vkey_name"),
        (f"{'a' * 256}+{hexed}+{material}", "vkey_name"),
    )


@pytest.mark.parametrize(("text", "code"), altered_vkeys())
def test_altered_vkeys_are_refused(text: str, code: str) -> None:
    assert code_of(notes.parse_vkey, text) == code


def test_a_note_splits_at_its_last_empty_line() -> None:
    data = notes.encode_note(TEXT, (line(),))
    assert notes.parse_note(data) == Note(TEXT, (line(),))
    (verified,) = notes.verify_note(notes.parse_note(data), [KEY])
    assert (verified.key, verified.time) == (KEY, None)


def test_unknown_keys_are_ignored_even_with_a_known_name_or_id() -> None:
    false = bytes(64)
    note = Note(
        TEXT,
        (
            NoteLine(NAME, b"\x00\x00\x00\x01", false),
            NoteLine(OTHER, KEY.key_id, b"short"),
            line(),
            line(name=OTHER),
        ),
    )
    assert [found.key for found in notes.verify_note(note, [KEY])] == [KEY]


def test_a_known_key_that_fails_refuses_the_note() -> None:
    good, other_text = line(name=OTHER), line(b"another text\n")
    both = [KEY, log_pair(OTHER)[0]]
    for bad in (
        other_text,
        NoteLine(NAME, KEY.key_id, other_text.blob[:-1]),
        NoteLine(NAME, KEY.key_id, line().blob + b"\x00"),
        NoteLine(NAME, KEY.key_id, bytes(64)),
    ):
        for order in ((good, bad), (bad, good)):
            assert code_of(notes.verify_note, Note(TEXT, order), both) == "note_signature"
    short = Note(TEXT, (NoteLine(NAME, KEY.key_id, line().blob[:-1]),))
    with pytest.raises(InvalidInput, match="another length"):
        notes.verify_note(short, [KEY])


def test_notes_without_a_known_key_or_signed_twice_are_refused() -> None:
    assert code_of(notes.verify_note, Note(TEXT, (line(name=OTHER),)), [KEY]) == "note_unsigned"
    assert code_of(notes.verify_note, Note(TEXT, (line(),)), []) == "note_unsigned"
    assert code_of(notes.verify_note, Note(TEXT, (line(), line())), [KEY]) == "note_duplicate"


GOOD = notes.encode_note(TEXT, (line(),))
ROW = line().encode()
B64 = ROW.split(b" ")[2].rstrip(b"\n")
DASH = "\u2014 ".encode()
HEAD = DASH + NAME.encode() + b" "


@pytest.mark.parametrize(
    ("data", "code"),
    (
        (b"", "note_malformed"),
        (b"text\n", "note_malformed"),
        (TEXT + ROW, "note_line"),
        (GOOD[:-1], "note_malformed"),
        (GOOD + b"\n", "note_lines"),
        (GOOD + b"x", "note_malformed"),
        (GOOD + b"trailing\n", "note_line"),
        (TEXT + b"\n", "note_lines"),
        (GOOD.replace(b"\n", b"\r\n"), "note_encoding"),
        (GOOD.replace(b"bridge\n", b"bridge\t\n"), "note_encoding"),
        (GOOD.replace(b"bridge\n", b"bridge\x00\n"), "note_encoding"),
        (b"\xff" + GOOD, "note_encoding"),
        (b"\xed\xa0\x80" + GOOD, "note_encoding"),
        (TEXT + b"\n- " + ROW[len(DASH) :], "note_line"),
        (TEXT + b"\n" + ROW[len(DASH) :], "note_line"),
        (TEXT + b"\n" + DASH + b" " + B64 + b"\n", "note_line"),
        (TEXT + b"\n" + DASH + NAME.encode() + b"\n", "note_line"),
        (TEXT + b"\n" + DASH + b"a+b " + B64 + b"\n", "note_line"),
        (TEXT + b"\n" + DASH + "a\u00a0b ".encode() + B64 + b"\n", "note_line"),
        (TEXT + b"\n" + HEAD + b" " + B64 + b"\n", "note_line"),
        (TEXT + b"\n" + HEAD + B64 + b" \n", "note_line"),
        (TEXT + b"\n" + HEAD + B64 + b" x\n", "note_line"),
        (TEXT + b"\n" + HEAD + B64[:8] + b"*" + B64[8:] + b"\n", "note_line"),
        (TEXT + b"\n" + HEAD + B64.rstrip(b"=") + b"\n", "note_line"),
        (TEXT + b"\n" + HEAD + B64 + b"====\n", "note_line"),
        (TEXT + b"\n" + HEAD + b"AAAAAB==\n", "note_line"),
        (TEXT + b"\n" + HEAD + B64.replace(b"A", "\u0410".encode(), 1) + b"\n", "note_line"),
        (TEXT + b"\n" + HEAD + base64.b64encode(b"four") + b"\n", "note_line"),
        (TEXT + b"\n" + HEAD + b"\n", "note_line"),
        (TEXT + b"\n" + ROW * (LIMITS.note_signatures + 1), "note_lines"),
        (b"x" * LIMITS.note_bytes + GOOD, "too_large"),
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_defect_one_code(data: bytes, code: str) -> None:
    assert code_of(notes.parse_note, data) == code


def test_as_many_lines_as_allowed_are_taken() -> None:
    data = TEXT + b"\n" + ROW * LIMITS.note_signatures
    assert len(notes.parse_note(data).lines) == LIMITS.note_signatures >= 16


def test_lines_are_added_once_and_only_if_they_are_lines() -> None:
    other = line(name=OTHER)
    grown = notes.add_lines(GOOD, other.encode())
    assert notes.parse_note(grown) == Note(TEXT, (line(), other))
    assert notes.add_lines(grown, other.encode() * 2 + ROW) == grown
    assert code_of(notes.add_lines, GOOD, b"") == "note_lines"
    assert code_of(notes.add_lines, GOOD, b"\n" + other.encode()) == "note_line"
    assert code_of(notes.add_lines, GOOD, other.encode()[:-1]) == "note_lines"
    full = TEXT + b"\n" + ROW * LIMITS.note_signatures
    assert code_of(notes.add_lines, full, other.encode()) == "note_lines"


def test_a_text_that_would_be_read_otherwise_is_not_encoded() -> None:
    assert code_of(notes.encode_note, b"no line feed", (line(),)) == "note_malformed"


def test_cosignature_keys_need_their_message() -> None:
    key = log_pair(NAME)[1]
    note = Note(TEXT, (NoteLine(NAME, key.key_id, bytes(2428)),))
    with pytest.raises(RuntimeError):
        notes.verify_note(note, [key])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_parses_encodes_to_the_same_bytes(data: st.DataObject) -> None:
    mutated = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from((b"", b"\n", b" ", b"+", b"=", b"A", b"\x00", DASH))
        )
    try:
        note = notes.parse_note(bytes(mutated))
    except InvalidInput:
        return
    assert notes.encode_note(note.text, note.lines) == bytes(mutated)
