"""An independent MessagePack library reads and writes the same bytes as our codec."""

from __future__ import annotations

from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st
from saphan_schemas.codec import decode_content, encode, encode_content

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
INTEGERS = st.integers(min_value=-(2**63), max_value=2**64 - 1)
SCALARS = st.none() | st.booleans() | INTEGERS | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(TEXT, inner, max_size=20),
    max_leaves=40,
)
CONTENT = st.dictionaries(TEXT, VALUES, max_size=20)


def in_canonical_order(value: Any) -> Any:
    """The same value with the keys of every map sorted by their UTF-8 bytes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode())
        return {key: in_canonical_order(value[key]) for key in keys}
    if isinstance(value, list):
        return [in_canonical_order(item) for item in value]
    return value


@given(CONTENT)
def test_content_has_the_bytes_a_second_library_writes(content: dict[str, Any]) -> None:
    data = encode_content(content)
    assert data == msgpack.packb(in_canonical_order(content))
    assert msgpack.unpackb(data, strict_map_key=True) == content
    assert decode_content(data, len(data)) == content


@given(st.lists(SCALARS | st.binary(max_size=300), max_size=20))
def test_array_has_the_bytes_a_second_library_writes(items: list[object]) -> None:
    assert encode(items) == msgpack.packb(items)
