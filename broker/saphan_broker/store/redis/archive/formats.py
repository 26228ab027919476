"""What stands in the archived objects; the fields are the server's own, as `packing` made them.

logs/<log>/blocks/<n>           one full block: leaves and entries, signatures, level-0 tile
logs/<log>/bare/<n>             the same once its entries are forgotten: leaves and tile
logs/<log>/tiles/<level>/<n>    one full tile of a higher level
boxes/<agency>/<first>-<last>   a stretch of a mailbox: indices of entries
facts/<day>/<digest>            up to 256 finished bulletins without their bodies
packs/<day>/<digest>            their bodies: sections that are read one at a time

The day is the one on which they are due, or under whose key a hold has wrapped their stanzas.

All under the random id of the store, so that a log that is begun anew never meets the old one's
objects. A block, a tile and a stretch lie below a signed size: whoever writes them, and however
often, writes the same bytes. The others have names that nobody ever puts again: what no index names
can be removed by whoever finds it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from saphan_protocol.tiles import TILE_BYTES, TILE_WIDTH

from saphan_broker.store.base import Log
from saphan_broker.store.redis.archive.envelope import (
    HEAD_BYTES,
    Kept,
    damaged,
    decode,
    encode,
    unseal,
)

Fields = Mapping[bytes, bytes]
"""A hash of the server."""

NO_DAY: Final = 2**32 - 1
"""Due day of what was never admitted."""
_ROWS: Final = frozenset(b"%d" % at for at in range(TILE_WIDTH))


class Block(Kept, frozen=True):
    """256 leaves with their entries and signatures, and the tile of their hashes."""

    rows: dict[bytes, bytes]
    signatures: dict[bytes, bytes]
    tile: bytes


class BodyRef(Kept, frozen=True):
    """Where the body of a bulletin stands: the object's digest, the section and its digest."""

    pack: bytes
    offset: int
    length: int
    digest: bytes


class Finished(Kept, frozen=True):
    """A finished bulletin: its fields without the bodies; those are found by `body`.

    What was refused and never admitted has statements only: no sender, nonce and body.
    """

    id: bytes
    sender: str
    nonce: bytes
    fields: dict[bytes, bytes]
    body: BodyRef | None


class _FactsPack(Kept, frozen=True):
    """Finished bulletins of one due day."""

    due_day: int
    bulletins: list[Finished]


class Facts(NamedTuple):
    """A facts pack as it is looked into: bulletins by id, ids by (sender, nonce)."""

    due_day: int
    bulletins: dict[bytes, Finished]
    nonces: dict[tuple[str, bytes], bytes]


class _Box(Kept, frozen=True):
    """Indices of a mailbox: the first, then each one's distance from the one before."""

    gaps: list[int]


def block_name(log: Log, n: int) -> str:
    return f"logs/{log}/blocks/{n}"


def bare_name(log: Log, n: int) -> str:
    """Of a block whose entries are forgotten: leaves and tile."""
    return f"logs/{log}/bare/{n}"


def tile_name(log: Log, level: int, n: int) -> str:
    return f"logs/{log}/tiles/{level}/{n}"


def box_name(agency: str, stretch: str) -> str:
    return f"boxes/{agency}/{stretch}"


def facts_name(due_day: int, digest: bytes) -> str:
    return f"facts/{'none' if due_day == NO_DAY else due_day}/{digest.hex()}"


def pack_name(due_day: int, digest: bytes) -> str:
    return f"packs/{due_day}/{digest.hex()}"


def is_pack(name: str) -> bool:
    """Whether it is an object of bodies."""
    return name.startswith("packs/")


def block_body(rows: Fields, signatures: Fields, tile: bytes) -> bytes:
    """One block; the same bytes in whatever order the server gave the fields."""
    return encode(Block(_sorted(rows), _sorted(signatures), tile))


def open_block(name: str, data: bytes) -> Block:
    """Raises OperatorError `object_damaged`, as all of these."""
    block = decode(Block, name, unseal(name, data))
    if block.rows.keys() != _ROWS or len(block.tile) != TILE_BYTES:
        raise damaged(name, "it is not 256 leaves and their tile")
    return block


def open_tile(name: str, data: bytes) -> bytes:
    tile = unseal(name, data)
    if len(tile) != TILE_BYTES:
        raise damaged(name, "it is not 256 hashes")
    return tile


def box_body(indices: list[int]) -> bytes:
    gaps = [after - before for before, after in pairwise(indices)]
    return encode(_Box([*indices[:1], *gaps]))


def open_box(name: str, data: bytes) -> array[int]:
    gaps = decode(_Box, name, unseal(name, data)).gaps
    try:
        return array("Q", accumulate(gaps))
    except OverflowError:
        raise damaged(name, "it is not indices of entries") from None


def facts_body(
    due_day: int, bulletins: Iterable[Finished], salt: bytes = b""
) -> tuple[bytes, bytes]:
    """The body of a facts pack, and the 16 bytes that name it; the index holds them.

    Args:
        salt: makes the name one that nobody ever puts again.
    """
    body = encode(_FactsPack(due_day, sorted(bulletins, key=lambda row: row.id)))
    return body, hashlib.sha256(salt + body).digest()[:16]


def open_facts(name: str, data: bytes) -> Facts:
    pack = decode(_FactsPack, name, unseal(name, data))
    return Facts(
        pack.due_day,
        {row.id: row for row in pack.bulletins},
        {(row.sender, row.nonce): row.id for row in pack.bulletins},
    )


def body_sections(bodies: Iterable[Fields], salt: bytes = b"") -> tuple[bytes, list[BodyRef]]:
    """The body of one pack of bodies, and where each bulletin's section stands in its object.

    Args:
        salt: as of `facts_body`.
    """
    sections = [_encode_fields(fields) for fields in bodies]
    joined = b"".join(sections)
    pack, offset, refs = hashlib.sha256(salt + joined).digest(), HEAD_BYTES, []
    for section in sections:
        digest = hashlib.sha256(section).digest()
        refs.append(BodyRef(pack, offset, len(section), digest))
        offset += len(section)
    return joined, refs


def open_section(name: str, ref: BodyRef, section: bytes) -> dict[bytes, bytes]:
    """The fields of one bulletin's body."""
    if hashlib.sha256(section).digest() != ref.digest:
        raise damaged(name, f"the bytes from {ref.offset} on have another digest")
    return decode(_Section, name, section).fields


class _Section(Kept, frozen=True):
    fields: dict[bytes, bytes]


def _encode_fields(fields: Fields) -> bytes:
    return encode(_Section(_sorted(fields)))


def _sorted(fields: Fields) -> dict[bytes, bytes]:
    return dict(sorted(fields.items()))
