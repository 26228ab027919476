"""The content codec's errors: the place is named, and naming it costs a hostile sender's victim
nothing."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_schemas import codec, text
from saphan_schemas.codec import POINTER_CHARS, encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.text import check_texts

LONG = "k" * 32_000


@pytest.mark.parametrize(
    ("content", "field"),
    (
        ({"a": {"b": [0, 1.5]}}, "content/a/b/1"),
        ({"a/b": {"~": b""}}, "content/a~1b/~0"),
        ({"a": [{1: 2}]}, "content/a/0"),
        ({LONG: [1.5]}, "content/" + LONG[: POINTER_CHARS - 1]),
    ),
)
def test_what_cannot_stand_in_content_is_named_with_its_place(
    content: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        encode_content(content)
    assert (refused.value.code, refused.value.field) == ("malformed", field)


def test_forbidden_text_under_a_long_key_gives_a_short_error() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_texts({LONG: ["fine", "\u202e"]})
    assert refused.value.code == "text_forbidden"
    assert len(str(refused.value)) < 3 * POINTER_CHARS


def test_no_pointer_is_made_for_good_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """32,000 items under a key of 32,000 bytes would copy 1 GB into pointers nobody reads."""

    def made(_where: object) -> str:
        raise AssertionError("a pointer was made")

    monkeypatch.setattr(codec, "pointer_to", made)
    monkeypatch.setattr(text, "pointer_to", made)
    content = {LONG: [0] * 32_000, "b": ["\\t", "\\u"]}
    assert encode_content(content)
    check_texts(content)
