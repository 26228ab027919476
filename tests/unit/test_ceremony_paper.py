"""The paper record: words, QR codes and three languages, of a root, an agency and an operation."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import segno
from saphan.ceremony.holder import format_root_half, new_root, parse_root_half
from saphan.ceremony.paper import paper_of, parse_code
from saphan.ceremony.paper_page import write_page
from saphan.ceremony.qr import BORDER, qr_lines, qr_svg
from saphan.keys.keyfiles import read_key
from saphan.office import Office
from saphan_protocol.words import word_lines
from saphan_schemas.errors import SaphanError
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.records import Role
from support.cheap import CHEAP
from support.root_holders import DESK, Holders, waiting

CODE = "SAPHAN:ROOT:" + "0123456789ABCDEF" * 4


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Holders("ann", "bee", "cam").found(tmp_path / "la", 2)


def modules_of_lines(lines: list[str]) -> list[list[bool]]:
    """Dark modules as a telephone sees them on a dark terminal."""
    rows = []
    for line in lines:
        rows += [[char in "▄ " for char in line], [char in "▀ " for char in line]]
    return rows


def modules_of_svg(svg: str) -> list[list[bool]]:
    """Dark modules of the path's strokes: h draws to the right, m moves."""
    (size,) = {int(side) // 3 for side in re.findall(r'(?:width|height)="(\d+)"', svg)}
    (path,) = re.findall(r' d="M([^"]+)"', svg)
    rows = [[False] * size for _ in range(size)]
    x, y = 0, -1.0
    for kind, first, second in re.findall(r"(^|h|m)(-?[\d.]+)(?: (-?[\d.]+))?", path):
        if kind == "h":
            rows[int(y)][x : x + int(first)] = [True] * int(first)
            x += int(first)
        else:
            x = int(first) if kind == "" else x + int(first)
            y = float(second) if kind == "" else y + float(second)
    return rows


def test_page_and_terminal_show_the_same_code_with_a_light_border() -> None:
    want = segno.make_qr(CODE, error="q", mode="alphanumeric", boost_error=False)
    drawn = [[bool(cell) for cell in row] for row in want.matrix_iter(border=BORDER)]
    assert modules_of_svg(qr_svg(CODE)) == drawn
    shown = modules_of_lines(qr_lines(CODE))
    assert shown[: len(drawn)] == drawn
    assert (want.error, want.mode) == ("Q", "alphanumeric")


def test_a_text_that_is_no_code_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="alphanumeric"):
        qr_svg("lower case takes twice the room")


class Page(HTMLParser):
    """What a browser would fetch, run, or show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.said += data


def test_the_page_is_whole_in_itself_and_speaks_three_languages(office: Office) -> None:
    paper = paper_of(office.draft(1).read_bytes())
    page = Page()
    page.feed(write_page(paper).decode())
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "href", "onload", "onclick"} & {name for name, _ in page.attributes}
    for lang in LANGUAGES:
        for key in (paper.title, "paper.keep", "paper.words", "paper.signature", "role.officer"):
            assert text(key, lang) in page.said
    assert page.tags.count("svg") == 4


def test_the_record_of_an_operation_shows_roots_changes_and_who_has_signed(
    office: Office,
) -> None:
    paper = paper_of(office.draft(1).read_bytes())
    draft = waiting(office)
    said = write_page(paper).decode()
    for digest in (draft.identity, *draft.added_roots):
        assert "\n".join(word_lines(digest)) in said
        assert f"{digest.hex()[:32]}<br>{digest.hex()[32:]}" in said
    assert len(paper.changes) == len(draft.operation.changes)
    assert {each.marks for each in paper.fingerprints[1:]} == {
        ("paper.not_signed", "paper.root_added")
    }
    assert "<strong>bee</strong>" in said


def test_a_root_and_an_agency_have_a_record_too(office: Office) -> None:
    agency = paper_of(office.agency_file.read_bytes())
    assert [each.digest for each in agency.fingerprints] == list(office.read_agency().root_ids)
    assert ("paper.threshold", "2 / 3") in agency.facts
    assert len(agency.signers) == 2
    root = paper_of(office.root_half("bee").read_bytes())
    assert root.signers == ("bee",)
    assert [parse_code(each.code) for each in root.fingerprints] == [root.fingerprints[0].digest]


@pytest.mark.parametrize("other", (b"", b"{}", b"\xff" * 99, b'{"saphan": "terms/1"}'))
def test_of_anything_else_no_record_is_made(other: bytes) -> None:
    with pytest.raises(SaphanError) as refused:
        paper_of(other)
    assert refused.value.code == "paper_unknown"


@pytest.mark.parametrize("other", ("", "SAPHAN:ROOT:", CODE[:-1], CODE + "0", CODE[3:]))
def test_only_a_whole_code_is_taken(other: str) -> None:
    assert parse_code(CODE.lower()) == bytes.fromhex("0123456789abcdef" * 4)
    assert parse_code(other) is None


# --- holders' files -------------------------------------------------------------------------------


def test_a_holders_key_is_sealed_and_its_half_is_public(tmp_path: Path) -> None:
    made = new_root(tmp_path / "root", "ann", DESK, CHEAP)
    assert made.key_file.stat().st_mode & 0o777 == 0o600
    assert b'"seed"' not in made.key_file.read_bytes()
    assert parse_root_half(made.public_file.read_bytes()) == made.half
    assert read_key(made.key_file, Role.ROOT, DESK).key_id == made.half.key_id


def test_a_root_is_never_made_over_another(tmp_path: Path) -> None:
    new_root(tmp_path, "ann", DESK, CHEAP)
    before = (tmp_path / "ann.key").read_bytes()
    with pytest.raises(SaphanError) as refused:
        new_root(tmp_path, "ann", DESK, CHEAP)
    assert refused.value.code == "file_exists"
    assert (tmp_path / "ann.key").read_bytes() == before


@pytest.mark.parametrize("name", ("", "../ann", "Ann", "a b", "a" * 99))
def test_a_holders_name_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(SaphanError) as refused:
        new_root(tmp_path, name, DESK, CHEAP)
    assert refused.value.code == "holder_malformed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    (
        {"saphan": "root/2"},
        {"public": "!"},
        {"public": ""},
        {"holder": "../x"},
        {"more": 1},
    ),
)
def test_a_damaged_half_is_refused(change: dict[str, object]) -> None:
    half = json.loads(format_root_half(Holders("ann").half("ann")))
    with pytest.raises(SaphanError) as refused:
        parse_root_half(json.dumps(half | change).encode())
    assert refused.value.code in ("root_file_malformed", "key_malformed")
