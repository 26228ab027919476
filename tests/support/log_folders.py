"""A logbook's logs as files, laid out as C2SP tlog-tiles, and its packs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saphan.audit.packfile import write_pack
from saphan_protocol.pins import format_pins
from saphan_protocol.tiles import TILE_WIDTH, encode_bundle, entries_path, tile_path
from saphan_schemas.packs import PackItem

from support.logbook import PINS, Log, Logbook


def write_log(log: Log, folder: Path) -> None:
    """Every file that a broker would serve for the log's signed head."""
    put(folder / "checkpoint", log.note())
    for (level, n), hashes in log.tiles().items():
        put(folder / tile_path(level, n, len(hashes) // 32), hashes)
    for start in range(0, len(log.kept), TILE_WIDTH):
        part = log.kept[start : start + TILE_WIDTH]
        put(folder / entries_path(start // TILE_WIDTH, len(part)), encode_bundle(part))


def write_logbook(book: Logbook, folder: Path, *packs: Sequence[PackItem]) -> list[str]:
    """Both logs, signed now, `pins.json`, and packs `0.pack`, ...; gives words for `verify`."""
    book.sign()
    write_log(book.directory, folder / "logs" / "directory")
    write_log(book.evidence, folder / "logs" / "evidence")
    put(folder / "pins.json", format_pins(PINS))
    words = [str(folder / "logs"), "--pins", str(folder / "pins.json")]
    for place, items in enumerate(packs or (book.pack(),)):
        write_pack(folder / f"{place}.pack", items)
        words += ["--pack", str(folder / f"{place}.pack")]
    return words


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
