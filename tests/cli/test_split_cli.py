"""`saphan audit split`: a verdict in words, an exit status, and nothing asked of anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan_protocol.pins import format_pins
from saphan_protocol.split_file import format_split, parse_split
from saphan_protocol.words import word_lines
from support.command import saphan_here
from support.two_logs import Story, pins_of, split

HONEST, OTHER = Story("honest", 5, 40), Story("other", 5, 40)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split")
    notes = {"one": HONEST.note(13), "two": OTHER.note(13), "forty": OTHER.note(40)}
    for name, note in notes.items():
        (folder / f"{name}.note").write_bytes(note)
    files = {
        "proof": split([notes["one"], notes["forty"]], OTHER.history(13, 40)),
        "half": split([notes["one"]], OTHER.history(13, 40)),
    }
    for name, found in files.items():
        (folder / f"{name}.json").write_bytes(format_split(found))
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "empty").write_bytes(b"")
    (folder / "pins.json").write_bytes(format_pins(pins_of()))
    (folder / "evil.json").write_bytes(format_pins(pins_of("evil.test")))
    return folder


@pytest.mark.parametrize(
    ("words", "status", "first"),
    [
        ("proof.json --pins pins.json", 0, "PROVEN: bridge.test/evidence/1 has signed two"),
        ("one.note two.note --pins pins.json", 0, "PROVEN: "),
        ("half.json forty.note --pins pins.json", 0, "PROVEN: "),
        ("proof.json", 6, "Two histories of bridge.test/evidence/1 at 13 leaves are signed by"),
        ("half.json --pins pins.json", 3, "NOT PROVEN: "),
        ("one.note forty.note --pins pins.json", 3, "NOT PROVEN: "),
        ("proof.json --pins evil.json", 3, "NOT PROVEN: "),
    ],
)
def test_a_stranger_is_told_what_is_proven(
    place: Path, words: str, status: int, first: str
) -> None:
    line = [word if word.startswith("--") else str(place / word) for word in words.split()]
    ran = saphan_here("audit", "split", *line, status=status)
    assert ran.out.startswith(first)
    if status == 6:
        assert word_lines(pins_of().digest)[0] in ran.out
    for lang in ("lo", "km"):
        assert saphan_here("--lang", lang, "audit", "split", *line, status=status).out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("one.note two.note", "split_malformed"),
        ("pins.json", "split_malformed"),
        ("nowhere.json", "file_missing"),
        ("proof.json photo.jpg --pins pins.json", "note_encoding"),
        ("proof.json empty --pins pins.json", "note_malformed"),
    ],
)
def test_what_is_no_such_file_is_named(place: Path, words: str, code: str) -> None:
    line = [word if word.startswith("--") else str(place / word) for word in words.split()]
    status = 5 if code == "file_missing" else 2
    assert saphan_here("audit", "split", *line, status=status).code == code


def test_files_are_joined_into_one_that_is_not_overwritten(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "whole.json"
    line = ("audit", "split", place / "half.json", place / "forty.note", "--out", out)
    saphan_here(*line, status=6)
    assert len(parse_split(out.read_bytes()).notes) == 2
    assert saphan_here(*line, status=5).code == "file_exists"
