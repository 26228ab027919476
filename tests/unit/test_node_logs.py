"""What a node believes of the logs: proofs, order, numbers; and where it stops trusting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.node.feed_check import FeedCheck
from saphan.node.feed_entry import parse_entry
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.split import Known, TwoHistories
from saphan_protocol.checkpoint import format_checkpoint
from saphan_protocol.directory import types_leaf
from saphan_protocol.evidence import anchor_leaf, entry_leaf
from saphan_protocol.identity import identity
from saphan_protocol.merkle import leaf_hash
from saphan_protocol.notes import format_vkey
from saphan_protocol.pins import Pins
from saphan_protocol.split_file import SplitFile, format_split, parse_split
from saphan_protocol.split_view import Proven, judge_split
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import LogPin, Types
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError
from saphan_schemas.frames import AnchorProof, DirectoryLeaves, Feed, FeedEntry
from saphan_schemas.records import Entry, LeafType, Statement
from support.log_keys import log_note, log_pair

DIRECTORY, EVIDENCE = "bridge.test/directory/1", "bridge.test/evidence/1"
NOW = 1_752_624_000
SALT = b"s" * 32
LEAF = types_leaf(Types(known_types()))


def vkeys(origin: str) -> tuple[str, str]:
    first, second = log_pair(origin)
    return format_vkey(first), format_vkey(second)


PINS = Pins(
    name="bridge.test",
    directory=LogPin(DIRECTORY, vkeys(DIRECTORY)),
    evidence=LogPin(EVIDENCE, vkeys(EVIDENCE)),
)


def no_tile(level: int, n: int) -> bytes:
    raise AssertionError(f"tile {level}/{n} was asked for")


class Log:
    """A log's signer and leaves, on the broker's side of the test."""

    def __init__(self, origin: str, *leaves: bytes) -> None:
        self.origin = origin
        self.tree = TileTree(0, {}, no_tile)  # fewer leaves than one tile holds
        self.add(*leaves)

    def add(self, *leaves: bytes) -> None:
        self.tree, _ = self.tree.grow([leaf_hash(leaf) for leaf in leaves])

    def note(self, time: int = NOW) -> bytes:
        size = self.tree.size
        return log_note(self.origin, format_checkpoint(self.origin, size, self.tree.root()), time)


def statement(number: int, previous: int | None, time: int = NOW * 1000) -> FeedEntry:
    """A numbered `expired` entry of one corridor, at an index to be filled in."""
    body = encode(Statement(b"b" * 32, b"c" * 32, "broker", time, "undelivered", None))
    kind = "saphan/expired/1"
    entry = Entry("la.ospp", "kh.gpo", number, previous, time, kind, identity(kind, body))
    return FeedEntry(0, encode(entry), SALT, (), body, None, None, None, None)


class World:
    """A node's logs, and a broker that may lie."""

    def __init__(self, place: Path) -> None:
        self.db = Database(place)
        self.logs = Logs(self.db, PINS)
        self.directory = Log(DIRECTORY, LEAF)
        anchor = anchor_leaf(1, self.directory.tree.root())
        self.evidence = Log(EVIDENCE, anchor)

    def learn(self) -> None:
        self.logs.take_directory(DirectoryLeaves(self.directory.note(), 0, (), (LEAF,), ()))

    def frame(self, note: bytes | None = None, start: int | None = None) -> Feed:
        known = self.logs.evidence_heads.newest
        begin = (known.size if known else 0) if start is None else start
        tree = self.evidence.tree
        anchor = AnchorProof(0, 1, self.directory.tree.root(), tree.inclusion(0))
        path = tree.consistency(begin)
        return Feed(note or self.evidence.note(), begin, path, anchor, (), (), tree.size - 1)

    def check(self, raw: FeedEntry, index: int, check: FeedCheck) -> None:
        seen = parse_entry(raw)
        leaf = entry_leaf(LeafType.EXPIRED, raw.entry, raw.salt)
        path = self.evidence.tree.inclusion(index)
        entry = decode(Entry, raw.entry, 1024, "entry")
        assert seen.leaf(False, None) == leaf
        self.logs.check_entry(check, index, leaf, path, entry)

    def log(self, *entries: FeedEntry) -> FeedCheck:
        """Append entries and verify a frame with all of them."""
        first = self.evidence.tree.size
        self.evidence.add(*(entry_leaf(LeafType.EXPIRED, e.entry, e.salt) for e in entries))
        check = self.logs.check_feed(self.frame())
        for place, raw in enumerate(entries):
            self.check(raw, first + place, check)
        return check

    def keep(self, check: FeedCheck) -> None:
        with self.db.transaction() as tx:
            self.logs.keep_feed(tx, check)
        self.logs.adopt_feed(check)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.learn()
    yield made
    made.db.close()


def code(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(SaphanError) as caught:
        call(*arguments)
    return caught.value.code


def test_what_was_verified_is_known_again_after_a_restart(world: World, tmp_path: Path) -> None:
    world.keep(world.log(statement(1, None), statement(2, 1)))
    heads, after = world.logs.heads(), world.logs.after
    world.db.close()
    world.db = Database(tmp_path)
    world.logs = Logs(world.db, PINS)
    assert (world.logs.heads(), world.logs.after) == (heads, after)
    assert world.logs.directory.size == 1
    world.log(statement(3, 2))  # the corridor goes on where it ended


@pytest.mark.parametrize(
    ("number", "previous", "wanted"),
    [(3, 1, "corridor_gap"), (2, None, "corridor_fork"), (1, None, "corridor_fork")],
)
def test_a_corridor_with_a_gap_or_a_second_story_stops_the_node(
    world: World, number: int, previous: int | None, wanted: str
) -> None:
    world.keep(world.log(statement(1, None)))
    with pytest.raises(OperatorError) as caught:
        world.log(statement(number, previous))
    assert caught.value.code == wanted
    assert world.logs.after == 1  # what was verified before is kept


def test_time_may_not_fall(world: World) -> None:
    with pytest.raises(OperatorError, match="time_falls"):
        world.log(statement(1, None), statement(2, 1, NOW * 1000 - 1))


def test_an_entry_that_the_head_does_not_cover_is_not_believed(world: World) -> None:
    world.evidence.add(b"something else")
    check = world.logs.check_feed(world.frame())
    with pytest.raises(InvalidInput, match="proof_inclusion"):
        world.check(statement(1, None), 1, check)


def test_two_histories_of_one_size_are_a_split_view(world: World) -> None:
    world.keep(world.log(statement(1, None)))
    other = Log(EVIDENCE, b"another", b"history")
    assert code(world.logs.check_feed, world.frame(other.note(), 0)) == "split_view"


def test_a_smaller_log_is_not_taken(world: World) -> None:
    small = world.evidence.note()
    world.keep(world.log(statement(1, None)))
    assert code(world.logs.check_feed, world.frame(small, 0)) == "log_rolled_back"


def test_growth_must_be_shown_from_the_head_that_is_known(world: World) -> None:
    world.keep(world.log(statement(1, None)))
    world.evidence.add(b"more")
    assert code(world.logs.check_feed, world.frame(start=0)) == "proof_consistency"
    other = Log(EVIDENCE, b"another", b"history", b"grown")
    frame = world.frame()
    forged = Feed(other.note(), frame.start, frame.consistency, None, (), (), 2)
    assert code(world.logs.check_feed, forged) == "proof_consistency"


def test_a_head_of_other_keys_is_not_believed(world: World) -> None:
    text = format_checkpoint(EVIDENCE, 1, world.evidence.tree.root())
    stolen = log_note(EVIDENCE, text, NOW).replace(b"evidence/1 ", b"evidence/2 ")
    assert code(world.logs.check_feed, world.frame(stolen)) == "head_signature"


def judged(error: TwoHistories) -> Proven:
    """What a third party says of what the node can show."""
    shown = error.shown
    found = SplitFile(
        pins=PINS,
        found_by="kh.gpo",
        found_at=NOW * 1000,
        notes=shown.notes,
        histories=shown.histories,
        anchors=shown.anchors,
    )
    return judge_split(parse_split(format_split(found)), PINS).proven


@pytest.mark.parametrize("later", [0, 1, 4])
def test_an_anchor_to_another_directory_stops_the_node_with_a_proof(
    world: World, later: int
) -> None:
    """The directory may have grown since: its leaves are here, so its way back is, too."""
    grow(world, later)
    world.evidence = Log(EVIDENCE, anchor_leaf(1, b"x" * 32))
    frame = world.frame()
    path = world.evidence.tree.inclusion(0)
    forged = Feed(frame.note, 0, (), AnchorProof(0, 1, b"x" * 32, path), (), (), 0)
    with pytest.raises(TwoHistories) as caught:
        world.logs.check_feed(forged)
    assert caught.value.code == "directory_differs"
    assert judged(caught.value) is Proven.YES


def grow(world: World, leaves: int) -> None:
    """The directory gets so many leaves more, one by one; the node learns them."""
    for _ in range(leaves):
        size = world.directory.tree.size
        world.directory.add(LEAF)
        path = world.directory.tree.consistency(size)
        frame = DirectoryLeaves(world.directory.note(), size, path, (LEAF,), ())
        world.logs.take_directory(frame)


@pytest.mark.parametrize("later", [0, 2, 5])
def test_a_directory_that_is_not_the_witnessed_one_is_proven(world: World, later: int) -> None:
    """The witness has signed another one of two leaves than the store is full of."""
    grow(world, 1 + later)
    other = Log(DIRECTORY, LEAF, b"another")
    known = Known(2, other.tree.root(), NOW, other.note())
    with pytest.raises(TwoHistories) as caught:
        world.logs.expect(known, None)
    assert judged(caught.value) is Proven.YES


def test_a_lost_store_is_not_filled_with_another_directory_than_the_witnessed_one(
    tmp_path: Path,
) -> None:
    """Its head is no one's to cosign before the last leaf is here, nor then; nothing of it stays,
    so that the witnessed one can be learned as soon as it is shown."""
    world, other = World(tmp_path), Log(DIRECTORY, LEAF, b"another", LEAF)
    world.directory.add(LEAF, LEAF)
    true = world.directory.note()
    world.logs.expect(Known(3, world.directory.tree.root(), NOW, true), None)
    first = DirectoryLeaves(other.note(), 0, (), (LEAF, b"another"), ())
    assert world.logs.take_directory(first) == (None, [])
    with pytest.raises(TwoHistories) as caught:
        world.logs.take_directory(DirectoryLeaves(b"", 2, (), (LEAF,), ()))
    assert judged(caught.value) is Proven.YES
    assert (world.logs.leaves, world.logs.heads()) == (0, ())
    head, _ = world.logs.take_directory(DirectoryLeaves(true, 0, (), (LEAF, LEAF, LEAF), ()))
    assert head is not None
    assert world.logs.directory.size == 3
    world.db.close()


def test_leaves_that_do_not_make_the_signed_root_are_not_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    frame = DirectoryLeaves(world.directory.note(), 0, (), (LEAF[:-1] + b"x",), ())
    assert code(world.logs.take_directory, frame) == "leaves_differ"
    assert world.db.rows("SELECT * FROM leaves") == []
    assert world.logs.directory.size == 0
    world.db.close()


def test_leaves_that_came_before_a_cut_are_kept_and_the_next_session_goes_on(
    tmp_path: Path,
) -> None:
    """Nothing is judged before the last leaf is here; one byte changed, and all is asked for."""
    world = World(tmp_path)
    world.directory.add(LEAF, LEAF)
    note = world.directory.note()
    world.logs.take_directory(DirectoryLeaves(note, 0, (), (LEAF,), ()))
    assert (world.logs.leaves, world.logs.directory.size) == (1, 0)
    world.logs.take_directory(DirectoryLeaves(note, 1, (), (LEAF[:-1] + b"x",), ()))
    assert world.logs.leaves == 2
    assert world.logs.heads() == ()
    wrong = DirectoryLeaves(note, 2, (), (LEAF,), ())
    assert code(world.logs.take_directory, wrong) == "leaves_differ"
    assert world.logs.leaves == 0, "nothing of it is believed: all is asked for again"
    assert code(world.logs.take_directory, wrong) == "directory_gap"
    world.db.close()


def test_a_restored_store_never_goes_behind_its_own_witness(world: World) -> None:
    """The witness has signed 9 leaves; the store is an old copy with none: 9 is what is known."""
    world.logs.expect(None, Known(9, b"r" * 32, NOW))
    assert code(world.logs.check_feed, world.frame(start=0)) == "log_rolled_back"
    assert code(world.logs.expect, Known(1, b"x" * 32, NOW), None) == "split_view"
