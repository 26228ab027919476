"""Entries, leaves, tiles, proofs and heads, each with the layer that must notice a changed byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from saphan_protocol.admission import due_day
from saphan_protocol.audit.log import CheckedLeaves, pinned_head
from saphan_protocol.audit.report import AuditStep, Trail
from saphan_protocol.checkpoint import Head, format_checkpoint, verify_head
from saphan_protocol.evidence import CONSIGNMENT_TYPE, anchor_leaf, entry_leaf, open_leaf
from saphan_protocol.identity import identity
from saphan_protocol.merkle import leaf_hash, verify_consistency, verify_inclusion
from saphan_protocol.notes import format_vkey
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import TILE_WIDTH, decode_bundle, encode_bundle
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import LogPin
from saphan_schemas.records import Entry, LeafType, Path, statement_type

from support.ceremony import NOW
from support.guarded_bulletins import LA, MADE, SENT
from support.guarded_receipts import ACCEPTED
from support.log_keys import log_note, log_pair
from support.mauling import Guarded, codes, named

ORIGIN = "bridge.test/evidence/1"
SIZE, AT = 300, 260


def _entry(number: int, kind: str, body: bytes) -> bytes:
    previous = None if number == 1 else 70_000 + number
    return encode(Entry("la.ospp", "kh.gpo", number, previous, NOW, kind, identity(kind, body)))


ENTRY = _entry(1, CONSIGNMENT_TYPE, SENT.consignment)
RECEIPT = _entry(2, statement_type(ACCEPTED.event), ACCEPTED.statement)
SALT, RECEIPT_SALT = LA.random(), LA.random()
LEAF = entry_leaf(LeafType.SUBMITTED, ENTRY, SALT, due_day(MADE.header))
RECEIPT_LEAF = entry_leaf(LeafType.ACCEPTED, RECEIPT, RECEIPT_SALT)


@dataclass(frozen=True)
class Shelf:
    """A whole log in memory, as a folder of tiles holds it: a `LogSource`."""

    head: bytes
    bundles: tuple[bytes, ...]
    edge: dict[tuple[int, int], bytes]
    full: bytes

    def note(self) -> bytes:
        return self.head

    def leaves(self, size: int) -> Iterator[bytes]:
        for number, bundle in enumerate(self.bundles):
            yield from decode_bundle(bundle, min(TILE_WIDTH, size - number * TILE_WIDTH))

    def tree(self, size: int) -> TileTree:
        return TileTree(size, self.edge, lambda level, n: self.full)

    def check(self) -> None:
        """Head by its pin, leaves and tiles by the head: steps D1, D2, E1, E2 of an audit."""
        head = pinned_head(self, PIN)
        leaves = CheckedLeaves(self, head, Trail(), AuditStep.EVIDENCE_ROOT, lambda *_: None)
        assert sum(1 for _ in leaves) == SIZE


def _shelf(leaves: list[bytes]) -> tuple[Shelf, TileTree]:
    tiles: dict[tuple[int, int], bytes] = {}
    tree = TileTree(0, {}, lambda level, n: tiles[level, n])
    tiles |= tree.append([leaf_hash(leaf) for leaf in leaves])
    note = log_note(ORIGIN, format_checkpoint(ORIGIN, SIZE, tree.root()), NOW // 1000)
    bundles = (encode_bundle(leaves[:TILE_WIDTH]), encode_bundle(leaves[TILE_WIDTH:]))
    full = tiles.pop((0, 0))
    return Shelf(note, bundles, tiles, full), tree


# Two real leaves at the end of what other agencies' entries look like: leaves nobody opens.
SHELF, TREE = _shelf(
    [
        anchor_leaf(4, LA.random()),
        *(bytes((LeafType.HANDOVER,)) + LA.random() for _ in range(AT - 1)),
        LEAF,
        RECEIPT_LEAF,
        *(bytes((LeafType.READ,)) + LA.random() for _ in range(SIZE - AT - 2)),
    ]
)
PIN = LogPin(ORIGIN, tuple(format_vkey(key) for key in log_pair(ORIGIN)))
HEAD = verify_head(SHELF.note(), log_pair(ORIGIN))
PATH, RECEIPT_PATH = TREE.inclusion(AT), TREE.inclusion(AT + 1)


def _included(index: int, leaf: bytes, path: tuple[bytes, ...]) -> None:
    verify_inclusion(index, HEAD.size, leaf_hash(leaf), path, HEAD.root)


def _opened(entry: bytes = RECEIPT, salt: bytes = RECEIPT_SALT, leaf: bytes = RECEIPT_LEAF) -> None:
    open_leaf(leaf, entry, salt)


def _committed_anew(entry: bytes) -> None:
    """A broker that commits to a changed entry has another leaf than the one under the head."""
    _included(AT + 1, entry_leaf(LeafType.ACCEPTED, entry, RECEIPT_SALT), RECEIPT_PATH)


def _path(data: bytes) -> tuple[bytes, ...]:
    hashes: tuple[bytes, ...] = decode(Path, data, 4096, "path")
    return hashes


def _consistent(data: bytes) -> None:
    old = TileTree(AT, {(0, 1): SHELF.edge[0, 1][: (AT - TILE_WIDTH) * 32], **_level_1()}, _none)
    verify_consistency(AT, SIZE, old.root(), HEAD.root, _path(data))


def _level_1() -> dict[tuple[int, int], bytes]:
    return {(1, 0): SHELF.edge[1, 0]}


def _none(level: int, n: int) -> bytes:
    raise AssertionError(f"tile {level}/{n} is not needed for a root")


ENTRIES = named(
    Guarded("entry", RECEIPT, lambda data: _opened(entry=data), codes("commitment_differs")),
    Guarded(
        "first entry", ENTRY, lambda data: open_leaf(LEAF, data, SALT), codes("commitment_differs")
    ),
    Guarded("entry, committed anew", RECEIPT, _committed_anew, codes("proof_inclusion")),
    Guarded(
        "salt",
        RECEIPT_SALT,
        lambda data: _opened(salt=data),
        codes("commitment_differs salt_malformed"),
    ),
    Guarded(
        "leaf of a receipt",
        RECEIPT_LEAF,
        lambda data: _opened(leaf=data),
        codes("leaf_malformed commitment_differs entry_type"),
        values=255,
    ),
    # The due-day is shown by the leaf alone: only the tree vouches for it.
    Guarded(
        "leaf of a submission, under the head",
        LEAF,
        lambda data: _included(AT, data, PATH),
        codes("proof_inclusion"),
    ),
    Guarded(
        "inclusion path",
        encode(PATH),
        lambda data: _included(AT, LEAF, _path(data)),
        codes("malformed proof_inclusion"),
    ),
    Guarded(
        "consistency path",
        encode(TREE.consistency(AT)),
        _consistent,
        codes("malformed proof_consistency"),
    ),
)


def _changed(change: Callable[[bytes], Shelf]) -> Callable[[bytes], None]:
    return lambda data: change(data).check()


def _edge(level: int, n: int) -> Guarded:
    return Guarded(
        f"partial tile {level}/{n}",
        SHELF.edge[level, n],
        _changed(lambda data: replace(SHELF, edge={**SHELF.edge, (level, n): data})),
        codes("root_differs tile_damaged"),
        values=1,
    )


def _head(data: bytes) -> Head:
    return pinned_head(replace(SHELF, head=data), PIN)


LOGS = named(
    Guarded(
        "full tile",
        SHELF.full,
        _changed(lambda data: replace(SHELF, full=data)),
        codes("tile_damaged"),
        stride=29,
        values=1,
    ),
    _edge(0, 1),
    _edge(1, 0),
    Guarded(
        "entry bundle",
        SHELF.bundles[1],
        _changed(lambda data: replace(SHELF, bundles=(SHELF.bundles[0], data))),
        codes("leaf_differs bundle_malformed"),
        stride=5,
        values=1,
    ),
    Guarded(
        "head",
        SHELF.head,
        _head,
        codes(
            "note_encoding note_malformed note_line note_signature head_malformed head_origin"
            " head_root head_signature"
        ),
        codes("note_lines note_unsigned note_duplicate too_large head_size"),
        values=1,
    ),
)
