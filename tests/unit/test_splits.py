"""Two histories at a node: what is written, what is found again, what stops nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from saphan.durable import create_file
from saphan.node import splits as splits_module
from saphan.node.alarms import Alarms
from saphan.node.heads import Heads, contradicted
from saphan.node.rows.db import Database
from saphan.node.split import Doubt, Known, Shown, TwoHistories, settled, shown_history
from saphan.node.splits import Splits
from saphan_protocol.checkpoint import Head, verify_head
from saphan_protocol.merkle import inclusion_path
from saphan_protocol.shared_paths import SharedPaths
from saphan_protocol.split_file import format_split, parse_split
from saphan_protocol.split_view import Proven, judge_split
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.proof_frames import Proofs, ShownHead
from saphan_schemas.records import HeadRef
from support.log_keys import log_pair, witness_lines
from support.two_logs import EVIDENCE, NOW, Story, pins_of, split

PINS = pins_of()
HONEST, OTHER = Story("honest", 5, 40), Story("other", 5, 40)


class Node:
    """What a node keeps of two histories, on a real disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW * 1000
        self.alarms = Alarms(lambda: self.now)
        self.db = Database(folder)
        self.heads = Heads(self.db, PINS.evidence)
        self.splits = self.known_by(PINS)

    def known_by(self, pins: object) -> Splits:
        return Splits("kh.gpo", self.db, self.folder, pins, self.alarms, lambda: self.now)  # type: ignore[arg-type]

    def keep(self, head: Head) -> None:
        with self.db.transaction() as tx:
            self.heads.keep(tx, head)
        self.heads.adopt(head)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("split-view-*.json"))

    def codes(self) -> list[str]:
        return [alarm.code for alarm in self.alarms.standing()]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "data")
    yield made
    made.db.close()


def head(story: Story, size: int) -> Head:
    return verify_head(story.note(size), log_pair(EVIDENCE))


def met(node: Node, size: int = 13) -> TwoHistories:
    """The node has one head, and is shown another one of that size."""
    node.keep(head(HONEST, size))
    with pytest.raises(TwoHistories) as caught:
        node.heads.verify(OTHER.note(size), size, ())
    return caught.value


def answer(story: Story, size: int, under: int, *, leaf: bool = True) -> Proofs:
    """What a broker with this history says of `size` under its head of `under` leaves."""
    shared = SharedPaths()
    inclusion = (shared.add(inclusion_path(size, under, story.node)),) if leaf else ()
    step = shared.add(story.step(size, under))
    return Proofs(1, None, shared.hashes, inclusion, (step,))


# --- what is written ------------------------------------------------------------------------------


def test_the_file_is_there_before_it_is_remembered(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between both: the next start finds the file and judges it."""
    contradiction = met(node)
    with monkeypatch.context() as crash:
        crash.setattr(Splits, "_note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            node.splits.keep(contradiction)
    (file,) = node.files()
    assert node.splits.standing() == []
    error = node.splits.look()
    assert error is not None
    assert str(file) in error.message
    (standing,) = node.splits.standing()
    assert (standing.file, standing.size, standing.origin) == (file, 13, EVIDENCE)
    assert node.codes() == ["split_view"]
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("full", ["file", "row"])
def test_a_full_disk_stops_all_the_same_and_writes_later(
    node: Node, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    def no_room(*_: object) -> None:
        raise OperatorError("file_unwritable", "no room")

    contradiction = met(node)
    with monkeypatch.context() as disk:
        if full == "file":
            disk.setattr(splits_module, "create_file", no_room)
        else:
            disk.setattr(Splits, "_note", no_room)
        assert node.splits.keep(contradiction) is contradiction  # the line stops for this one
        assert node.splits.standing() == []
    assert len(node.files()) == (0 if full == "file" else 1)
    node.now += 60_000
    error = node.splits.look()
    assert error is not None
    assert [str(file) in error.message for file in node.files()] == [True]


def test_one_contradiction_is_written_once(node: Node) -> None:
    contradiction = met(node)
    first = node.splits.keep(contradiction)
    node.now += 60_000
    assert node.splits.keep(contradiction).message == first.message
    assert len(node.files()) == 1


def test_what_is_not_proven_is_not_written(node: Node) -> None:
    """An older release's state holds no note of what was signed: nobody could be shown it."""
    bare = TwoHistories(EVIDENCE, 13, Shown(notes=(b"", OTHER.note(13))))
    assert node.splits.keep(bare).code == "split_unproven"
    assert node.files() == []
    assert node.splits.look() is None


def test_only_a_proof_against_this_broker_is_found_in_the_folder(node: Node) -> None:
    evil = split([HONEST.note(13)], pins=pins_of("evil.test"))
    create_file(node.folder / "split-view-1.json", format_split(evil))
    create_file(node.folder / "split-view-2.json", b"{}")
    create_file(node.folder / "split-view-3.json", format_split(split([HONEST.note(13)])))
    assert node.splits.look() is None
    whole = split([HONEST.note(13), OTHER.note(13)])
    create_file(node.folder / "split-view-4.json", format_split(whole))
    assert node.splits.look() is not None


def test_a_person_clears_it_and_other_pins_do(node: Node) -> None:
    node.splits.keep(met(node))
    others = replace(PINS, evidence=replace_keys())
    assert node.known_by(others).standing() == []
    for reason in ("", "  \n", "x" * 1001):
        with pytest.raises(InvalidInput, match="reason_length"):
            node.splits.clear(reason)
    cleared = node.splits.clear("the parties have agreed")
    assert cleared.splits == [str(node.files()[0])]
    assert node.splits.look() is None  # its file is known, and cleared
    (row,) = node.splits.listed()
    assert (row["reason"], row["cleared"]) == ("the parties have agreed", node.now)
    assert node.codes() == []
    # Shown again, it stands again, in a file of its own.
    node.now += 60_000
    assert "split_view" in str(node.splits.keep(met(node)))
    assert len(node.files()) == 2


def replace_keys() -> LogPin:
    return LogPin(EVIDENCE, pins_of("bridge.test").directory.vkeys)


# --- what is met ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(13, 40), (8, 40), (16, 17), (1, 6), (6, 7)])
def test_a_head_that_does_not_continue_is_settled_by_one_question(
    node: Node, old: int, new: int
) -> None:
    first = Story("first", 0, 40) if old < 5 else HONEST
    node.keep(head(first, old))
    with pytest.raises((TwoHistories, Doubt)) as caught:
        node.heads.verify(OTHER.note(new), old, OTHER.step(old, new))
    error = caught.value
    if isinstance(error, Doubt):
        # For a power of two, or where the first hash alone differs, the path says too little.
        found = settled(error, answer(OTHER, old, new))
        assert found is not None
        error = found
    assert isinstance(error, TwoHistories)
    node.splits.keep(error)
    (file,) = node.files()
    assert judge_split(parse_split(file.read_bytes()), PINS).proven is Proven.YES


@pytest.mark.parametrize("size", [8, 13])
def test_a_spoiled_path_is_a_doubt_that_the_right_answer_ends(node: Node, size: int) -> None:
    node.keep(head(HONEST, size))
    good = HONEST.step(size, 40)
    spoiled = [(*good[:-1], b"x" * 32), good[:-1], (), (b"y" * 32, *good[1:])]
    for start, path in [(size, bad) for bad in spoiled] + [(0, good), (size - 1, good)]:
        with pytest.raises(Doubt) as caught:
            node.heads.verify(HONEST.note(40), start, path)
        assert settled(caught.value, answer(HONEST, size, 40)) is None
        assert caught.value.code == "proof_consistency"
    assert node.heads.newest == Known(size, HONEST.root(size), NOW)
    node.heads.verify(HONEST.note(40), size, good)


@pytest.mark.parametrize("size", [8, 13])
def test_an_answer_that_shows_nothing_settles_nothing(node: Node, size: int) -> None:
    node.keep(head(HONEST, size))
    with pytest.raises((TwoHistories, Doubt)):
        node.heads.verify(OTHER.note(40), size, OTHER.step(size, 40))
    doubt = Doubt(Known(size, HONEST.root(size), NOW, HONEST.note(size)), head(OTHER, 40), "why")
    nothing = [
        Proofs(1, "head_unknown", (), (), ()),
        answer(HONEST, size, 40),  # of the history that is known, under the other head
        Proofs(1, None, (b"x" * 32,), ((0,),), ((0, 0, 0),)),
        Proofs(1, None, (b"x" * 32,), ((7,),), ((9,),)),
    ]
    for proofs in nothing:
        assert settled(doubt, proofs) is None
    assert settled(doubt, answer(OTHER, size, 40)) is not None


def test_what_a_log_was_is_shown_only_under_the_right_root() -> None:
    for size in range(1, 40):
        path = shown_history(size, 40, OTHER.root(40), answer(OTHER, size, 40))
        assert path == OTHER.history(size, 40).path
        assert shown_history(size, 40, HONEST.root(40), answer(OTHER, size, 40)) is None
    assert shown_history(8, 40, OTHER.root(40), answer(OTHER, 8, 40, leaf=False)) is None
    assert shown_history(13, 40, OTHER.root(40), answer(OTHER, 13, 40, leaf=False)) is not None


def test_an_older_head_is_held_against_what_was_kept(node: Node) -> None:
    """The same again is a log that was rolled back; another one is two histories."""
    node.keep(head(HONEST, 13))
    node.keep(head(HONEST, 40))
    with pytest.raises(OperatorError, match="log_rolled_back"):
        node.heads.verify(HONEST.note(13), 0, ())
    with pytest.raises(OperatorError, match="log_rolled_back"):
        node.heads.verify(OTHER.note(12), 0, ())  # of this size nothing was kept
    with pytest.raises(TwoHistories) as caught:
        node.heads.verify(OTHER.note(13), 0, ())
    assert "split_view" in str(node.splits.keep(caught.value))
    assert len(node.files()) == 1


def test_witness_lines_for_another_root_stop_nobody(node: Node) -> None:
    """No signature of the log comes with them: whoever sends them may have made them up."""
    node.keep(head(HONEST, 13))
    lines = witness_lines("la.ospp", head(OTHER, 13).text, NOW)
    with pytest.raises(InvalidInput, match="witness_differs"):
        node.heads.with_lines(HeadRef(EVIDENCE, 13, OTHER.root(13)), lines)
    assert node.heads.with_lines(HeadRef(EVIDENCE, 12, OTHER.root(12)), lines) is None


@pytest.mark.parametrize("size", [8, 13])
def test_what_a_refusing_broker_shows_proves_something_or_nothing(node: Node, size: int) -> None:
    """An old copy, garbage, or a path of its own making: nothing. A second history: that."""
    node.keep(head(HONEST, 5))
    node.keep(head(HONEST, size))
    path = OTHER.history(size, 40).path
    nothing = [
        ShownHead(HONEST.note(5), size, ()),
        ShownHead(HONEST.note(size), size, ()),
        ShownHead(HONEST.note(40), size, HONEST.history(size, 40).path),
        ShownHead(HONEST.note(40), size, path),
        ShownHead(OTHER.note(40), size, (*path[:-1], b"x" * 32)),
        ShownHead(OTHER.note(40), size, ()),
        ShownHead(OTHER.note(7), 7, ()),  # smaller, and of its size nothing was kept
        ShownHead(b"a note", size, ()),
        ShownHead(Story("d", 0, 9, "bridge.test/directory/1").note(9), size, ()),
    ]
    assert contradicted([node.heads], nothing) is None
    for shown in (
        ShownHead(OTHER.note(40), size, path),
        ShownHead(OTHER.note(size), size, ()),
        ShownHead(Story("third", 0, 40).note(5), size, ()),
    ):
        found = contradicted([node.heads], [*nothing, shown])
        assert found is not None
        assert "the proof is" in node.splits.keep(found).message
