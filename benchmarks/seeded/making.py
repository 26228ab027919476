"""Writes a seeded log: both logs in a folder, the pin file, and the broker's packs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Final

from saphan_protocol.directory import agreement_leaf, operation_leaf, types_leaf
from saphan_protocol.pack import pack_stream
from saphan_protocol.pins import format_pins
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Types
from saphan_schemas.limits import DAY_MS, SECOND_MS
from saphan_schemas.packs import (
    PACK_FORMAT,
    PackAgreement,
    PackEnd,
    PackEntry,
    PackHead,
    PackNote,
    PackSignature,
)
from saphan_schemas.records import BROKER

from benchmarks.seeded.book import NAME, Book
from benchmarks.seeded.parties import NAMES, Party, agree
from benchmarks.seeded.traffic import SCHEMAS, Shown, Traffic

START: Final = 20_454 * DAY_MS
"""2026-01-01: the day on which every seeded log begins."""
_NO_HEAD: Final = PackHead(
    PACK_FORMAT, BROKER, 0, f"{NAME}/directory/1", f"{NAME}/evidence/1", 0, 0
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made: leaves of the evidence log; items of all packs, and their bytes."""

    leaves: int
    entries: int
    signatures: int
    notes: int
    pack_bytes: int


def make(folder: Path, records: int, *, seed: int, batch: int, packs: int) -> Seeded:
    """Write `records` evidence leaves, a few more at most, and the packs that open them all."""
    random = Random(seed)
    folder.mkdir(parents=True)
    book = Book(folder / "logs")
    parties = [Party(name, random) for name in NAMES]
    package = _found(book, parties, random)
    heads: list[tuple[int, bytes]] = []
    traffic = Traffic(
        book, parties, random, START, records, batch, lambda size, note: heads.append((size, note))
    )
    bodies = _bodies(folder, traffic.entries(), -(-records // packs), packs)
    traffic.head()
    book.evidence.finish(heads[-1][1])
    seconds = traffic.now // SECOND_MS
    book.directory.finish(book.directory.head(seconds, [(parties[0], seconds + 1)]))
    (folder / "pins.json").write_bytes(format_pins(book.pins))
    length = 0
    for place, body in enumerate(bodies):
        notes = [note for size, note in heads if body.start < size]
        if place + 1 < len(bodies):  # one head beyond the stretch bounds its last entries
            notes = notes[: 1 + sum(size <= body.stop for size, _ in heads if body.start < size)]
        length += _finish(body, book, package, notes, traffic.now)
    counts = [sum(body.counts[kind] for body in bodies) for kind in (0, 1)]
    return Seeded(book.evidence.frontier.size, counts[1], counts[0], len(heads), length)


@dataclass(frozen=True, slots=True)
class _Body:
    """A pack without its head, on its way; `counts` are signatures and entries."""

    path: Path
    start: int
    stop: int
    counts: tuple[int, int]


def _found(book: Book, parties: list[Party], random: Random) -> bytes:
    """Schemas, agencies and their agreement in the directory; the first anchor."""
    book.directory.add(types_leaf(Types(known_types())))
    for party in parties:
        book.directory.add(operation_leaf(party.enrol(START)))
    signed = agree(parties, SCHEMAS, book.pins.lasting, START, random)
    book.directory.add(agreement_leaf(signed.salt, signed.agreement))
    book.anchor()
    return encode(signed)


def _bodies(folder: Path, entries: Iterator[Shown], stretch: int, packs: int) -> list[_Body]:
    """Signatures and entries of every pack as files: only the end tells what their heads say."""
    bodies: list[_Body] = []
    start = last = 0
    while (first := next(entries, None)) is not None:
        path = folder / f"{len(bodies) + 1}.body"
        counts = [0, 0]
        part = entries if len(bodies) + 1 == packs else islice(entries, stretch - 1)
        with path.open("wb") as file:
            for item in pack_stream(_NO_HEAD, (), chain([first], part)):
                if isinstance(item, PackEntry):
                    last, counts[1] = item.index, counts[1] + 1
                elif isinstance(item, PackSignature):
                    counts[0] += 1
                else:
                    continue
                file.write(encode(item))
        bodies.append(_Body(path, start, last + 1, (counts[0], counts[1])))
        start = last + 1
    return bodies


def _finish(body: _Body, book: Book, package: bytes, notes: list[bytes], now: int) -> int:
    """Put head, agreement, notes and end around a body; gives the pack's bytes."""
    origins = (book.directory.origin, book.evidence.origin)
    head = PackHead(PACK_FORMAT, BROKER, now, *origins, body.start, body.stop)
    path = body.path.with_suffix(".pack")
    with path.open("wb") as file, body.path.open("rb") as rest:
        file.write(encode(head) + encode(PackAgreement(package)))
        file.writelines(encode(PackNote(note)) for note in notes)
        shutil.copyfileobj(rest, file)
        file.write(encode(PackEnd(1, len(notes), *body.counts)))
    body.path.unlink()
    return path.stat().st_size
