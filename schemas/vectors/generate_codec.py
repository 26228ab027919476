"""Write the codec vectors: one file, one defect. Run from anywhere; the test compares every byte.

    python schemas/vectors/generate_codec.py [folder]

The bytes are spelled out here, not produced by the encoder under test.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "codec"

ORIGIN = b"\xb1bridge.example/ev"  # fixstr of 17 bytes
ROOT = bytes(range(32))
HEAD = b"\x93" + ORIGIN + b"\x07" + b"\xc4\x20" + ROOT

# name, parsed as, expected code or "valid", bytes, why
VECTORS: tuple[tuple[str, str, str, bytes, str], ...] = (
    ("content_valid", "content", "valid", b"\x82\xa1a\x01\xa1b\xa1x", "two keys in order"),
    ("content_valid_empty", "content", "valid", b"\x80", "the empty map is canonical"),
    (
        "content_valid_order_is_of_utf8_bytes",
        "content",
        "valid",
        b"\x82\xa3\xef\xbf\xbd\x01\xa4\xf0\x90\x80\x80\x02",
        "U+FFFD sorts before U+10000 as UTF-8; as UTF-16 it would be the other way round",
    ),
    (
        "content_unsorted_keys",
        "content",
        "not_canonical",
        b"\x82\xa1b\x01\xa1a\x02",
        "b stands before a",
    ),
    (
        "content_order_by_length",
        "content",
        "not_canonical",
        b"\x82\xa1b\x01\xa2aa\x02",
        "keys sorted by length, as some canonical forms do",
    ),
    (
        "content_duplicate_key",
        "content",
        "not_canonical",
        b"\x82\xa1a\x01\xa1a\x02",
        "two readers could keep different values",
    ),
    (
        "content_int_not_minimal",
        "content",
        "not_canonical",
        b"\x81\xa1a\xcc\x01",
        "1 as uint 8 instead of a positive fixint",
    ),
    (
        "content_int_signed_form",
        "content",
        "not_canonical",
        b"\x81\xa1a\xd0\x01",
        "1 as int 8 instead of a positive fixint",
    ),
    (
        "content_string_not_minimal",
        "content",
        "not_canonical",
        b"\x81\xa1a\xd9\x01x",
        "one byte of text as str 8 instead of fixstr",
    ),
    (
        "content_map_not_minimal",
        "content",
        "not_canonical",
        b"\xde\x00\x01\xa1a\x01",
        "one entry as map 16 instead of fixmap",
    ),
    (
        "content_float",
        "content",
        "malformed",
        b"\x81\xa1a\xcb\x3f\xf8" + bytes(6),
        "1.5 as float 64: quantities are decimal strings",
    ),
    (
        "content_float_whole",
        "content",
        "malformed",
        b"\x81\xa1a\xca\x3f\x80\x00\x00",
        "1.0 as float 32: whole, but still a float",
    ),
    (
        "content_nan",
        "content",
        "malformed",
        b"\x81\xa1a\xcb\x7f\xf8" + bytes(6),
        "not a number",
    ),
    ("content_bin", "content", "malformed", b"\x81\xa1a\xc4\x01\x00", "bytes are not content"),
    (
        "content_ext",
        "content",
        "malformed",
        b"\x81\xa1a\xd4\x05\x00",
        "an extension type of another application",
    ),
    (
        "content_timestamp",
        "content",
        "malformed",
        b"\x81\xa1a\xd6\xff\x00\x00\x00\x00",
        "MessagePack's own timestamp: times are RFC 3339 text",
    ),
    (
        "content_too_deep",
        "content",
        "malformed",
        b"\x81\xa1a" + b"\x91" * 33 + b"\x01",
        "33 arrays inside the map",
    ),
    (
        "content_nesting_bomb",
        "content",
        "malformed",
        b"\x81\xa1a" + b"\x91" * 5_000 + b"\x01",
        "a parser that recurses without a bound dies here",
    ),
    ("content_trailing_byte", "content", "malformed", b"\x80\x00", "one byte after the map"),
    ("content_truncated", "content", "malformed", b"\x81\xa1a", "the value is missing"),
    ("content_empty", "content", "malformed", b"", "no bytes at all"),
    ("content_not_utf8", "content", "malformed", b"\x81\xa1a\xa1\xff", "0xff is never UTF-8"),
    (
        "content_surrogate",
        "content",
        "malformed",
        b"\x81\xa1a\xa3\xed\xa0\x80",
        "U+D800 encoded as if it were a character",
    ),
    (
        "content_overlong_utf8",
        "content",
        "malformed",
        b"\x81\xa1a\xa2\xc1\x81",
        "A in two bytes",
    ),
    ("content_array", "content", "malformed", b"\x91\x01", "content is a map"),
    ("content_key_not_text", "content", "malformed", b"\x81\x01\x01", "a key that is a number"),
    (
        "content_length_lie",
        "content",
        "malformed",
        b"\x81\xa1a\xdb\xff\xff\xff\xffx",
        "a text of 4 GiB in nine bytes",
    ),
    ("record_valid", "head_ref", "valid", HEAD, "origin, size, root"),
    (
        "record_extra_element",
        "head_ref",
        "malformed",
        b"\x94" + HEAD[1:] + b"\x01",
        "a fourth element",
    ),
    (
        "record_missing_element",
        "head_ref",
        "malformed",
        b"\x92" + ORIGIN + b"\x07",
        "the root is missing",
    ),
    (
        "record_int_not_minimal",
        "head_ref",
        "not_canonical",
        b"\x93" + ORIGIN + b"\xcd\x00\x07" + b"\xc4\x20" + ROOT,
        "7 as uint 16",
    ),
    (
        "record_array_not_minimal",
        "head_ref",
        "not_canonical",
        b"\xdc\x00\x03" + HEAD[1:],
        "three elements as array 16",
    ),
    (
        "record_bin_not_minimal",
        "head_ref",
        "not_canonical",
        b"\x93" + ORIGIN + b"\x07" + b"\xc5\x00\x20" + ROOT,
        "32 bytes as bin 16",
    ),
    (
        "record_size_is_float",
        "head_ref",
        "malformed",
        b"\x93" + ORIGIN + b"\xca\x40\xe0\x00\x00" + b"\xc4\x20" + ROOT,
        "7.0 as float 32",
    ),
    (
        "record_negative_size",
        "head_ref",
        "malformed",
        b"\x93" + ORIGIN + b"\xff" + b"\xc4\x20" + ROOT,
        "-1 leaves",
    ),
    (
        "record_root_too_short",
        "head_ref",
        "malformed",
        b"\x93" + ORIGIN + b"\x07" + b"\xc4\x1f" + ROOT[:31],
        "a digest of 31 bytes",
    ),
    (
        "record_origin_with_newline",
        "head_ref",
        "malformed",
        b"\x93\xb2" + ORIGIN[1:] + b"\n\x07" + b"\xc4\x20" + ROOT,
        "a line end after the origin: `$` instead of `\\Z` would let it in",
    ),
    ("record_as_map", "head_ref", "malformed", b"\x80", "records are arrays"),
    ("record_trailing_byte", "head_ref", "malformed", HEAD + b"\xc0", "nil after the record"),
)


def documents() -> dict[str, str]:
    """File name and text of every vector."""
    return {
        f"{name}.json": json.dumps(
            {"name": name, "type": kind, "expect": expect, "why": why, "hex": data.hex()}, indent=1
        )
        + "\n"
        for name, kind, expect, data, why in VECTORS
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
