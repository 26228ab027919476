"""Heads that peers have seen: asked about once, settled by proofs, never by anybody's word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from saphan.node.alarms import Alarms
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.seen_heads import Question, SeenHeads, keep_seen
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.merkle import inclusion_path
from saphan_protocol.shared_paths import SharedPaths
from saphan_protocol.split_file import join_splits, parse_split
from saphan_protocol.split_view import Proven, judge_split
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import Proofs
from saphan_schemas.records import HeadRef
from support.log_keys import log_pair
from support.two_logs import EVIDENCE, NOW, Story, pins_of, split

HONEST, OTHER = Story("honest", 5, 100), Story("other", 5, 100)


class Node:
    """A node that knows the honest history up to 40 leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alarms = Alarms(lambda: NOW * 1000)
        self.db = Database(folder)
        self.logs = Logs(self.db, pins_of())
        self.seen = SeenHeads("kh.gpo", self.db, folder, self.logs, self.alarms, lambda: NOW * 1000)
        self.know(40)

    def know(self, size: int) -> None:
        head = verify_head(HONEST.note(size), log_pair(EVIDENCE))
        with self.db.transaction() as tx:
            self.logs.evidence_heads.keep(tx, head)
        self.logs.evidence_heads.adopt(head)

    def hears(
        self, *seen: tuple[str, int, Story], origin: str = EVIDENCE, first: int = 1000
    ) -> None:
        """Consignments of one frame, from `first` on, by sender, each with the head it names."""
        arrived: list[Any] = []
        for sender, size, story in seen:
            ref = HeadRef(origin, size, story.root(size))
            entry = SimpleNamespace(sender=sender)
            consignment = SimpleNamespace(seen=ref)
            index = first + len(arrived)
            one = SimpleNamespace(entry=entry, consignment=consignment, index=index)
            arrived.append((one, None, 0))
        with self.db.transaction() as tx:
            keep_seen(tx, EVIDENCE, arrived)

    def states(self) -> dict[str, tuple[int, str]]:
        return {row["sender"]: (row["size"], row["state"]) for row in self.seen.listed()}

    def codes(self) -> list[str]:
        return [alarm.code for alarm in self.alarms.standing()]

    def question(self) -> Question:
        found = self.seen.question()
        assert found is not None
        return found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "data")
    yield made
    made.db.close()


def answer(question: Question, story: Story) -> Proofs:
    """As a broker with this history answers."""
    shared, head = SharedPaths(), question.head.size
    leaves = [shared.add(inclusion_path(leaf, head, story.node)) for leaf in question.leaves]
    sizes = [shared.add(story.step(size, head)) for size in question.sizes]
    return Proofs(1, None, shared.hashes, tuple(leaves), tuple(sizes))


def ask(node: Node, story: Story = HONEST) -> list[tuple[int, ...]]:
    """Ask until nothing is left to ask; sizes of each question."""
    asked = []
    while question := node.seen.question():
        asked.append(question.sizes)
        assert node.seen.take(question, answer(question, story))
    return asked


def test_the_newest_of_each_peer_is_asked_about_together(node: Node) -> None:
    node.hears(("la.ospp", 9, HONEST), ("vn.vks", 16, HONEST), ("la.ospp", 13, HONEST))
    node.hears(("la.ospp", 7, HONEST), ("th.oncb", 40, HONEST))
    assert node.states() == {
        "la.ospp": (13, "waiting"),
        "th.oncb": (40, "same"),  # a head that is kept here needs no question
        "vn.vks": (16, "waiting"),
    }
    assert ask(node) == [(13, 16)]
    assert {state for _, state in node.states().values()} == {"same"}
    assert node.codes() == []
    node.hears(("la.ospp", 12, OTHER))  # older than what is settled: covered by it
    assert node.seen.question() is None


def test_a_head_beyond_the_known_one_waits_for_it(node: Node) -> None:
    node.hears(("la.ospp", 60, HONEST))
    assert node.seen.question() is None
    node.know(80)
    assert ask(node) == [(60,)]
    assert node.states() == {"la.ospp": (60, "same")}


def test_who_has_seen_more_than_the_log_had_is_not_waited_for(node: Node) -> None:
    """A history that stays the shorter one would never come to the size that the peer has seen."""
    node.hears(("la.ospp", 30, HONEST), ("vn.vks", 60, OTHER), first=30)
    node.hears(("vn.vks", 70, OTHER), first=75)  # does not hide it
    node.seen.tell_ahead()
    ask(node)
    assert node.states() == {"la.ospp": (30, "same"), "vn.vks": (60, "differs")}
    (alarm,) = node.alarms.standing()
    assert "where the log had 31 here" in alarm.message
    assert "saphan audit heads 32 " in str(alarm.hint)
    (row,) = [row for row in node.seen.listed() if row["file"]]
    found = parse_split(Path(row["file"]).read_bytes())
    ours = split([HONEST.note(40)], HONEST.history(32, 40))
    theirs = split([OTHER.note(70)], OTHER.history(32, 70))
    for files, proven in (([found, ours], Proven.NO), ([found, ours, theirs], Proven.YES)):
        assert judge_split(join_splits(files), pins_of()).proven is proven
    again = Alarms(lambda: 0)
    SeenHeads("kh.gpo", node.db, node.folder, node.logs, again, lambda: 0).look()
    assert [one.message for one in again.standing()] == [alarm.message]


def test_heads_of_other_logs_and_of_nothing_are_left_alone(node: Node) -> None:
    node.hears(("la.ospp", 13, OTHER), origin="bridge.test/evidence/0")
    node.hears(("vn.vks", 0, HONEST))
    assert node.states() == {}


@pytest.mark.parametrize(("size", "questions"), [(13, 1), (32, 2), (40, 1)])
def test_what_differs_is_written_and_told_and_not_proven(
    node: Node, size: int, questions: int
) -> None:
    """For a power of two a second question is needed; then the file shows what the log has."""
    node.hears(("la.ospp", size, OTHER), ("vn.vks", 21, HONEST))
    assert len(ask(node)) == questions
    assert node.states() == {"la.ospp": (size, "differs"), "vn.vks": (21, "same")}
    assert node.codes() == ["seen_differs"]
    (row,) = [row for row in node.seen.listed() if row["file"]]
    found = parse_split(Path(row["file"]).read_bytes())
    assert judge_split(found, pins_of()).proven is Proven.NO
    # What the peer says next does not hide it, and neither does a new start.
    node.hears(("la.ospp", 40, HONEST))
    assert node.states()["la.ospp"] == (size, "differs")
    again = Alarms(lambda: 0)
    SeenHeads("kh.gpo", node.db, node.folder, node.logs, again, lambda: 0).look()
    assert [alarm.code for alarm in again.standing()] == ["seen_differs"]


@pytest.mark.parametrize("size", [13, 32])
def test_a_broker_that_does_not_prove_it_is_an_alarm_and_accuses_no_peer(
    node: Node, size: int
) -> None:
    node.hears(("la.ospp", size, OTHER))
    for lie in (OTHER, None, OTHER):
        question = node.seen.question()
        assert question is not None
        nothing = Proofs(1, "head_unknown", (), (), ())
        node.seen.take(question, nothing if lie is None else answer(question, lie))
    assert node.codes() == ["seen_unproven"]
    assert node.states() == {"la.ospp": (size, "doubted")}
    assert not list(node.folder.glob("seen-differs-*"))
    # The right answer, of the next session, settles it.
    ask(node)
    assert node.states() == {"la.ospp": (size, "differs")}
    assert node.codes() == ["seen_differs"]


def test_an_answer_spoiled_on_the_line_is_asked_for_again(node: Node) -> None:
    node.hears(("la.ospp", 13, HONEST))
    question = node.question()
    good = answer(question, HONEST)
    bad = Proofs(1, None, (b"x" * 32, *good.hashes[1:]), (), good.consistency)
    assert node.seen.take(question, bad)
    assert node.states() == {"la.ospp": (13, "doubted")}
    assert node.question().leaves == (13,)
    ask(node)
    assert node.states() == {"la.ospp": (13, "same")}
    assert node.codes() == []


def test_many_peers_are_asked_about_in_portions(node: Node) -> None:
    node.hears(*[(f"aa.n{number}", 6 + number % 30, HONEST) for number in range(50)])
    asked = ask(node)
    assert [len(sizes) for sizes in asked] == [LIMITS.proof_items, 50 - LIMITS.proof_items]
    assert {state for _, state in node.states().values()} == {"same"}
