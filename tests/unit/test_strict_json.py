"""JSON that people carry is read in one way only."""

from __future__ import annotations

import pytest
from saphan_schemas.strict_json import parse_json


@pytest.mark.parametrize("encoding", ("utf-16", "utf-16-be", "utf-32", "latin-1"))
def test_other_encodings_are_named_and_refused(encoding: str) -> None:
    """`json` alone would guess UTF-16 and UTF-32 and take them."""
    data = '{"name": "é"}'.encode(encoding)
    with pytest.raises(ValueError, match="it is not UTF-8"):
        parse_json(dict, data)


def test_what_is_not_utf_8_is_called_so() -> None:
    with pytest.raises(ValueError, match="it is not UTF-8"):
        parse_json(dict, b"\xff\xfe{")
