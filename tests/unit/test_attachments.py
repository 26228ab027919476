"""What may be attached: names, types, first bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_schemas.attachments import (
    HEAD_BYTES,
    MEDIA_TYPES,
    NAME_BYTES,
    NAME_CHARS,
    ROLES,
    check_bytes,
    check_name,
    media_type_of,
    safe_name,
)
from saphan_schemas.errors import InvalidInput
from saphan_schemas.samples import sample
from support.contents import check

PDF = "application/pdf"
STARTS = {
    "application/pdf": b"%PDF-1.7\n",
    "application/zip": b"PK\x03\x04\x14\x00",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/png": b"\x89PNG\r\n\x1a\n\x00",
    "image/tiff": b"II*\x00\x08",
    "text/csv": "ທ່ານ,ចំនួន\n1,2\n".encode(),
    "text/plain": b"\xef\xbb\xbfA note.\r\n",
    "video/mp4": b"\x00\x00\x00\x20ftypisom",
}


def described(*names: str, media_type: str = PDF, role: str = "warrant") -> dict[str, Any]:
    content = sample("training_notice")
    content["attachments"] = [
        {"name": name, "media_type": media_type, "role": role} for name in names
    ]
    return content


def refusal(content: dict[str, Any]) -> tuple[str, str | None]:
    with pytest.raises(InvalidInput) as refused:
        check("saphan/training_notice/1", content)
    return refused.value.code, refused.value.field


@pytest.mark.parametrize("role", ROLES)
def test_every_role_and_plain_names_are_taken(role: str) -> None:
    names = ("warrant-2026-14.pdf", "ໝາຍຈັບ ສະບັບທີ 2.PDF", "ដីកា (ច្បាប់ចម្លង).pdf", "a.b.pdf")
    check("saphan/training_notice/1", described(*names, role=role))


UNSAFE_NAMES = (
    "../warrant.pdf",
    "/etc/passwd.pdf",
    "a\\b.pdf",
    "C:warrant.pdf",
    ".hidden.pdf",
    "-rf.pdf",
    "~root.pdf",
    " warrant.pdf",
    "warrant.pdf ",
    "warrant.pdf.",
    "warrant.pdf.exe",
    "warrant.exe",
    "warrant",
    "pdf",
    ".pdf",
    "con.pdf",
    "LPT1.pdf",
    "Aux.x.pdf",
    "nul .pdf",
    "two\nlines.pdf",
    "what?.pdf",
    'a"b.pdf',
    "a|b.pdf",
    "a*b.pdf",
    "x" * NAME_CHARS + ".pdf",
    "ສ" * 80 + ".pdf",
)


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_unsafe_name_is_refused_and_can_be_made_safe(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_name(name, PDF)
    assert refused.value.code == "attachment_name"
    assert refused.value.hint
    made = safe_name(name, PDF)
    assert made != name
    check_name(made, PDF)


@pytest.mark.parametrize("name", ["a\x00b.pdf", "a\x1b[2J.pdf", "a\u202efdp.exe", "a\x7f.pdf"])
def test_control_characters_are_refused_before_the_name_is_looked_at(name: str) -> None:
    assert refusal(described(name))[0] == "text_forbidden"
    check_name(safe_name(name, PDF), PDF)


def test_an_unsafe_name_is_refused_where_it_stands() -> None:
    found = refusal(described("fine.pdf", "../not.pdf"))
    assert found == ("attachment_name", "/attachments/1/name")


def test_two_names_alike_are_refused() -> None:
    found = refusal(described("Photo.pdf", "photo.PDF"))
    assert found == ("attachment_name", "/attachments/1/name")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"media_type": "text/html"}, "/attachments/0/media_type"),
        ({"media_type": "application/x-msdownload"}, "/attachments/0/media_type"),
        ({"role": "virus"}, "/attachments/0/role"),
        ({"name": ""}, "/attachments/0/name"),
        ({"size": 3}, "/attachments/0/size"),
    ],
)
def test_what_the_schema_does_not_know_is_refused(change: dict[str, Any], field: str) -> None:
    content = described("a.pdf")
    content["attachments"][0] |= change
    assert refusal(content) == ("schema_invalid", field)


def test_ten_thousand_attachments_are_refused_by_their_number() -> None:
    content = described(*(f"{number}.pdf" for number in range(10_000)))
    assert refusal(content) == ("schema_invalid", "/attachments")


@given(st.text(max_size=300), st.sampled_from(sorted(MEDIA_TYPES)))
def test_any_name_can_be_made_safe_and_stays_so(name: str, media_type: str) -> None:
    made = safe_name(name, media_type)
    check_name(made, media_type)
    assert len(made.encode()) <= NAME_BYTES
    assert media_type_of(made) == media_type
    assert safe_name(made, media_type) == made


def test_the_table_is_sorted_and_every_ending_has_one_type() -> None:
    assert list(MEDIA_TYPES) == sorted(MEDIA_TYPES)
    endings = [one for kind in MEDIA_TYPES.values() for one in kind.endings]
    assert len(set(endings)) == len(endings)
    assert not {"html", "svg", "exe", "js", "docm", "xlsm", "bat", "lnk"} & set(endings)


@pytest.mark.parametrize("media_type", STARTS)
def test_first_bytes_agree_with_their_type_and_with_no_other_family(media_type: str) -> None:
    check_bytes(media_type, STARTS[media_type])
    texts = {"text/csv", "text/plain"}
    for other in STARTS:
        if other == media_type or {other, media_type} <= texts:
            continue
        with pytest.raises(InvalidInput) as refused:
            check_bytes(other, STARTS[media_type])
        assert refused.value.code == "attachment_type"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"MZ\x90\x00",
        b"\x7fELF\x02",
        b"#!/bin/sh\n",
        b"  <!DOCTYPE html>",
        b"<SCRIPT>alert(1)</script>",
        b"<?xml version='1.0'?><svg/>",
        b"plain, then \x00",
        b"caf\xe9",
        b"cut at the end \xe0\xba",
    ],
)
def test_what_is_no_text_is_refused_as_text(head: bytes) -> None:
    for media_type in ("text/plain", "text/csv"):
        with pytest.raises(InvalidInput):
            check_bytes(media_type, head)


def test_a_letter_parted_by_the_cut_is_still_text() -> None:
    head = ("x" + "ສ" * HEAD_BYTES).encode()[:HEAD_BYTES]
    assert head.decode(errors="ignore").encode() == head[:-1]
    check_bytes("text/plain", head)


@pytest.mark.parametrize("name", ["photo", "photo.heic", "run.exe", "page.html", ""])
def test_a_file_of_no_known_type_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        media_type_of(name)
    assert refused.value.code == "attachment_type"
    assert "pdf" in str(refused.value.hint)
