"""Tiles as C2SP tlog-tiles: coordinates, paths, widths, entry bundles (spec/log.md section 2).

A tile is up to 256 hashes side by side at one height; only a log's right edge has partial ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
TILE_BYTES: Final = 32 * TILE_WIDTH
MAX_LEVEL: Final = 63
_MAX_N: Final = 2**63 - 1

_NUMBER = r"(?P<n>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
_TILE = re.compile(rf"tile/(?P<level>0|[1-9][0-9]?)/{_NUMBER}", re.ASCII)
_ENTRIES = re.compile(rf"tile/entries/{_NUMBER}", re.ASCII)


class Tile(NamedTuple):
    """Coordinates of a tile: level 0..63, number within the level, width 1..256 (256 is full)."""

    level: int
    n: int
    width: int


class Bundle(NamedTuple):
    """Coordinates of an entry bundle: the leaves under the level-0 tile of the same number."""

    n: int
    width: int


def tile_path(level: int, n: int, width: int = TILE_WIDTH) -> str:
    """Path under the log's prefix, such as `tile/1/x001/x234/067.p/17`.

    Raises:
        InvalidInput: `tile_path` for coordinates that no tile has.
    """
    if not 0 <= level <= MAX_LEVEL:
        raise _bad_path(f"level {level} is not 0..{MAX_LEVEL}")
    return f"tile/{level}/{_number(n, width)}"


def entries_path(n: int, width: int = TILE_WIDTH) -> str:
    """Path of an entry bundle under the log's prefix, such as `tile/entries/000.p/3`.

    Raises:
        InvalidInput: `tile_path` for coordinates that no bundle has.
    """
    return f"tile/entries/{_number(n, width)}"


def parse_tile_path(path: str) -> Tile:
    """Coordinates from a path; only the one spelling that `tile_path` writes is taken.

    Raises:
        InvalidInput: `tile_path`.
    """
    match = _TILE.fullmatch(path)
    if match is None:
        raise _bad_path(f"{path[:80]!r} is not the path of a tile")
    n, width = _parse_number(match)
    tile = Tile(int(match["level"]), n, width)
    if tile_path(*tile) != path:
        raise _bad_path(f"{path[:80]!r} is not in its one spelling")
    return tile


def parse_entries_path(path: str) -> Bundle:
    """Coordinates of an entry bundle from its path, as strict as `parse_tile_path`.

    Raises:
        InvalidInput: `tile_path`.
    """
    match = _ENTRIES.fullmatch(path)
    if match is None:
        raise _bad_path(f"{path[:80]!r} is not the path of an entry bundle")
    bundle = Bundle(*_parse_number(match))
    if entries_path(*bundle) != path:
        raise _bad_path(f"{path[:80]!r} is not in its one spelling")
    return bundle


def tile_widths(size: int) -> tuple[tuple[int, int], ...]:
    """Per level from 0: number of full tiles, and width of the partial one (0: there is none).

    70,000 leaves give ((273, 112), (1, 17), (0, 1)); none give ().
    """
    levels: list[tuple[int, int]] = []
    while size:
        levels.append((size >> TILE_HEIGHT, size & (TILE_WIDTH - 1)))
        size >>= TILE_HEIGHT
    return tuple(levels)


def edge_tiles(size: int) -> tuple[Tile, ...]:
    """The partial tiles of a log of `size` leaves, lowest level first: all that appending needs."""
    return tuple(
        Tile(level, full, width) for level, (full, width) in enumerate(tile_widths(size)) if width
    )


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries of one bundle, each after its length (u16, big-endian).

    Raises:
        InvalidInput: `bundle_malformed` for none or over 256 entries, `too_large` for a long one.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise InvalidInput(
            "bundle_malformed",
            f"a bundle holds 1..256 entries, not {len(entries)}",
            field="entries",
        )
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > LIMITS.leaf_bytes:
            raise InvalidInput(
                "too_large",
                f"a log entry of {len(entry)} bytes; at most {LIMITS.leaf_bytes} are taken",
                field="entries",
            )
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def decode_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """The exactly `width` entries of a bundle, with nothing after them.

    Raises:
        InvalidInput: `bundle_malformed`.
    """
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end and len(entries) < width:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > end:
            raise InvalidInput(
                "bundle_malformed", f"entry {len(entries)} is cut off", field="entries"
            )
        entries.append(data[start:at])
    if at != end or len(entries) != width or not 1 <= width <= TILE_WIDTH:
        raise InvalidInput(
            "bundle_malformed", f"the bundle does not hold exactly {width} entries", field="entries"
        )
    return tuple(entries)


def _number(n: int, width: int) -> str:
    if not 0 <= n <= _MAX_N:
        raise _bad_path(f"tile number {n} is not 0..2**63-1")
    if not 1 <= width <= TILE_WIDTH:
        raise _bad_path(f"width {width} is not 1..{TILE_WIDTH}")
    text = f"{n % 1000:03d}"
    while n := n // 1000:
        text = f"x{n % 1000:03d}/{text}"
    return text if width == TILE_WIDTH else f"{text}.p/{width}"


def _parse_number(match: re.Match[str]) -> tuple[int, int]:
    # [0-9] in the pattern keeps int() from its underscores, signs and other scripts' digits.
    n = int(match["n"].replace("x", "").replace("/", ""))
    width = match["width"]
    return n, TILE_WIDTH if width is None else int(width)


def _bad_path(message: str) -> InvalidInput:
    return InvalidInput("tile_path", message, field="path")
