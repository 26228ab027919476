"""A ceremony's paper record: printed, read by a telephone, compared years later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from saphan.ceremony.concluding import conclude
from saphan.ceremony.draft_file import format_draft
from saphan.keyring import list_keys, revoke_key
from saphan.office import Office
from support.command import saphan_here
from support.root_holders import NOW, Holders, waiting


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Of three holders; `first.draft` and `second.draft` are what they signed."""
    place, holders = tmp_path_factory.mktemp("paper"), Holders("ann", "bee", "cam")
    office = holders.found(place / "la", 2)
    _end(office, holders, "first.draft", "ann", "bee", "cam")
    revoke_key(office, list_keys(office)[3].key_id, None, now=NOW)
    _end(office, holders, "second.draft", "bee", "cam")
    return office


def _end(office: Office, holders: Holders, name: str, *names: str) -> None:
    draft = holders.sign(waiting(office), *names)
    (office.folder / name).write_bytes(format_draft(draft))
    conclude(office, draft)


def printed(file: Path) -> list[dict[str, Any]]:
    """Name, digest, words and code of each fingerprint on the page."""
    found: list[dict[str, Any]] = saphan_here("root", "paper", file, "--json").json["fingerprints"]
    return found


def test_words_of_a_printed_code_are_those_of_the_root(office: Office) -> None:
    (one,) = printed(office.root_half("ann"))
    (read,) = saphan_here("words", one["code"], "--json").json["fingerprints"]
    assert read["words"] == one["words"]


@pytest.mark.parametrize("version", (1, 2))
def test_a_record_is_compared_years_later_with_what_the_office_kept(
    office: Office, version: int
) -> None:
    """The operation stands in the folder; a telephone reads the code, or a partner the words."""
    kept, draft = office.operation(version), ("first.draft", "second.draft")[version - 1]
    whole = printed(office.folder / draft)[0]
    for given in (whole["code"], whole["words"], whole["digest"]):
        for file in (kept, office.folder / draft):
            saphan_here("words", file, "--compare", given)
    other = whole["code"][:-1] + ("0" if whole["code"][-1] != "0" else "1")
    assert saphan_here("words", kept, "--compare", other, status=3).code == "words_differ"


def test_half_a_code_is_no_file_name(office: Office) -> None:
    code = printed(office.root_half("ann"))[0]["code"]
    assert saphan_here("words", code[:-1], status=2).code == "words_unknown"
    half = office.root_half("ann"), "--compare", code[:-1]
    assert saphan_here("words", *half, status=2).code == "words_unknown"


def test_a_page_is_never_written_over_another(office: Office, tmp_path: Path) -> None:
    page = tmp_path / "record.html"
    page.write_text("of last year")
    ran = saphan_here("root", "paper", office.root_half("ann"), "--out", page, status=5)
    assert ran.code == "file_exists"
    assert page.read_text() == "of last year"


def test_nothing_secret_is_on_paper(office: Office, tmp_path: Path) -> None:
    """Of a key file no record is made: who takes the wrong file prints no key."""
    key = office.folder / "officers/bounmy.key"
    assert saphan_here("root", "paper", key, status=2).code == "paper_unknown"
    page = tmp_path / "record.html"
    saphan_here("root", "paper", office.folder / "first.draft", "--out", page)
    said = page.read_text(encoding="utf-8")
    for path in office.node.rglob("*.key"):
        assert json.loads(path.read_bytes())["seed"] not in said
