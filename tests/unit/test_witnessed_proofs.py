"""Own proofs come to rest under witnessed heads whose notes stay, without a question to anybody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from saphan.node.anchors import encoded_path
from saphan.node.proving import notes_kept
from saphan.node.proving.chain import Chain
from saphan.node.proving.gaps import Gaps
from saphan.node.proving.proofs import WitnessedProofs
from saphan.node.rows.db import Database
from saphan.node.rows.schema import APPLICATION_ID, SCHEMA, UPGRADES
from saphan_protocol.merkle import verify_consistency
from saphan_protocol.shared_paths import SharedPaths
from saphan_schemas.directory_records import WitnessPolicy
from saphan_schemas.errors import InvalidInput
from saphan_schemas.proof_frames import Proofs
from support.proven_logs import EVIDENCE, NOW, OTHER, OWN, ProvenLogs


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[ProvenLogs]:
    made = ProvenLogs(tmp_path)
    yield made
    made.db.close()


def test_entries_move_under_the_first_head_that_has_a_witness(shown: ProvenLogs) -> None:
    shown.show(3, 1, 4, 2, 1)  # heads of 3, 4, 8, 10, 11
    assert shown.proofs.settle() == 0
    shown.cosign(10, OTHER)
    assert shown.proofs.settle() == 10
    assert shown.unproven() == [10]
    assert shown.resting() == dict.fromkeys(range(10), 10) | {10: 11}


def test_of_several_witnessed_heads_the_first_above_an_entry_bounds_its_time(
    shown: ProvenLogs,
) -> None:
    shown.show(3, 1, 4, 2)  # heads of 3, 4, 8, 10
    shown.cosign(4, OTHER)
    shown.cosign(10, OTHER)
    shown.proofs.settle()
    assert shown.resting() == dict.fromkeys(range(4), 4) | dict.fromkeys(range(4, 10), 10)


def test_a_head_that_is_older_than_the_frames_own_will_do(shown: ProvenLogs) -> None:
    """The entry came under a head of 9, the witness has signed the 6 before it."""
    shown.show(6, 3)
    later = encoded_path(shown.tree.inclusion(4))
    with shown.db.transaction() as tx:
        tx.execute("UPDATE entries SET head_size = 9, path = ? WHERE idx = 4", (later,))
    assert shown.resting()[4] == 9
    shown.cosign(6, OTHER)
    shown.proofs.settle()
    assert shown.resting()[4] == 6


def test_entries_under_many_later_heads_come_back_to_an_earlier_one(shown: ProvenLogs) -> None:
    shown.show(6, *[1] * 12)
    with shown.db.transaction() as tx:
        for index in range(6):
            size = 8 + 2 * index
            path = encoded_path(shown.tree.inclusion(index, size))
            tx.execute(
                "UPDATE entries SET head_size = ?, path = ? WHERE idx = ?", (size, path, index)
            )
    shown.cosign(6, OTHER)
    shown.proofs.settle()
    assert [shown.resting()[index] for index in range(6)] == [6] * 6


def test_what_no_witness_signs_for_is_not_looked_through_again(
    shown: ProvenLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corridor that wants two witnesses has 30 entries; those of the other one go on."""
    asked, two = WitnessedProofs._policy, {"stuck"}
    monkeypatch.setattr(
        WitnessedProofs,
        "_policy",
        lambda self, pair: WitnessPolicy(2, False) if pair[0] in two else asked(self, pair),
    )
    looked, move = list[int](), WitnessedProofs._move

    def moving(self: WitnessedProofs, rows: Any, *more: Any) -> int:
        looked.append(len(rows))
        return move(self, rows, *more)

    monkeypatch.setattr(WitnessedProofs, "_move", moving)
    shown.show(*[1] * 30, sender="stuck")
    for _ in range(3):
        shown.cosign(shown.show(1), OTHER)
        shown.proofs.settle()
    assert looked == [31, 1, 1]
    two.clear()
    shown.cosign(shown.show(1), OTHER)
    shown.proofs.settle()
    assert shown.unproven() == []


def test_our_own_lines_alone_make_no_proof_a_witnessed_one(shown: ProvenLogs) -> None:
    size = shown.show(5)
    shown.cosign(size, OWN)
    assert shown.proofs.settle() == 0
    shown.cosign(size, OTHER, OWN)
    assert shown.proofs.settle() == 5


def test_our_own_newer_lines_do_not_hide_those_of_others(shown: ProvenLogs) -> None:
    """A witness on a slow line answers after many seconds, in each of which we have signed."""
    early = shown.show(5)
    for _ in range(40):
        shown.cosign(shown.show(1), OWN)
    shown.cosign(early, OTHER)
    assert shown.proofs.settle() == 5


def test_what_no_chain_leads_to_is_asked_for_and_checked(shown: ProvenLogs) -> None:
    """As an older release has left it: entries under heads whose steps were not kept."""
    shown.show(4, 4, 4)
    with shown.db.transaction() as tx:
        tx.execute("DELETE FROM steps")
        tx.execute("DELETE FROM heads WHERE size < 12")
    shown.cosign(12, OTHER)
    assert shown.proofs.settle() == 4
    question = shown.proofs.question()
    assert question is not None
    assert (question.head.size, list(question.leaves)) == (12, list(range(8)))
    assert shown.proofs.question() is None
    shared = SharedPaths()
    places = tuple(shared.add(shown.tree.inclusion(index)) for index in range(8))
    wrong = Proofs(1, None, shared.hashes, (*places[:7], places[6]), ())
    with pytest.raises(InvalidInput, match="proof_inclusion"):
        shown.proofs.take(question, wrong)
    assert shown.unproven() == [7]  # the others hold
    shown.proofs.take(question, Proofs(1, "head_unknown", (), (), ()))
    assert shown.unproven() == [7]
    shown.proofs.take(question, Proofs(1, None, shared.hashes, places, ()))
    assert shown.unproven() == []
    assert set(shown.resting().values()) == {12}


def test_a_gap_after_a_restore_is_closed_by_one_path(shown: ProvenLogs) -> None:
    """What came between was lost with the store: its heads, its entries, how they continue."""
    shown.cosign(shown.show(3), OTHER)
    shown.proofs.settle()
    shown.show(2, 2)
    shown.cosign(shown.show(2), OTHER)
    shown.proofs.settle()
    with shown.db.transaction() as tx:
        for table, column in (("heads", "size"), ("steps", "size"), ("entries", "head_size")):
            tx.execute(f"DELETE FROM {table} WHERE {column} > 3 AND {column} < 9")  # noqa: S608
    assert Chain(shown.db.rows, EVIDENCE).step(3, 9) is None
    gaps = Gaps(shown.db, shown.logs)
    gap = gaps.after(0)
    assert gap is not None
    assert (gap.old.size, gap.new.size) == (3, 9)
    shared = SharedPaths()
    wrong, right = shared.add(shown.tree.consistency(4)), shared.add(shown.tree.consistency(3))
    gaps.take(gap, Proofs(1, "head_unknown", (), (), ()))
    with pytest.raises(InvalidInput, match="proof_consistency"):
        gaps.take(gap, Proofs(1, None, shared.hashes, (), (wrong,)))
    assert Chain(shown.db.rows, EVIDENCE).step(3, 9) is None
    gaps.take(gap, Proofs(1, None, shared.hashes, (), (right,)))
    step = Chain(shown.db.rows, EVIDENCE).step(3, 9)
    assert step is not None
    assert step.path == shown.tree.consistency(3)
    assert gaps.after(0) is None


def test_notes_that_proofs_rest_under_stay_and_so_does_the_chain(
    shown: ProvenLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads of one entry each, every fifth witnessed; the newest eight are all kept."""
    monkeypatch.setattr(notes_kept, "KEPT_HEADS", 8)
    monkeypatch.setattr(notes_kept, "FEW", 2)
    for count in range(1, 101):
        size = shown.show(1 if count % 10 else 3)
        if count % 5 == 0:
            shown.cosign(size, OTHER)
            shown.proofs.settle()
        shown.notes.look()
    assert shown.unproven() == []
    resting = shown.resting()
    assert set(resting.values()) < set(shown.kept())
    assert len(shown.kept()) < 20 + 16
    for old in set(resting.values()):
        step = Chain(shown.db.rows, EVIDENCE).step(old, shown.tree.size)
        assert step is not None
        root = shown.db.row("SELECT root FROM heads WHERE size = ?", (old,))
        assert root is not None
        verify_consistency(old, shown.tree.size, root[0], shown.tree.root(), step.path)


def test_a_lonely_entry_moves_within_its_hour_and_no_further(
    shown: ProvenLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four heads of one entry each in three hours, all of them witnessed at once."""
    monkeypatch.setattr(notes_kept, "KEPT_HEADS", 4)
    hour = NOW - NOW % 3600
    for minutes in (1, 20, 50, 70, 130, 131, 132, 133, 134, 135):
        shown.cosign(shown.show(1, time=hour + 60 * minutes), OTHER)
        shown.proofs.settle()
        shown.notes.look()
    resting = shown.resting()
    assert [resting[index] for index in range(4)] == [3, 3, 3, 4]


def test_anchors_keep_no_note_of_their_own(
    shown: ProvenLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every leaf an anchor too; every tenth head witnessed: there the entries come to rest."""
    monkeypatch.setattr(notes_kept, "KEPT_HEADS", 16)
    anchors = []
    for count in range(1, 201):
        size = shown.show(1)
        anchors.append(shown.anchor())
        if count % 10 == 0:
            shown.cosign(size, OTHER)
            shown.proofs.settle()
        shown.notes.look()
    assert sorted(shown.anchored()) == anchors
    kept = shown.kept()
    assert set(kept[:-32]) <= set(shown.resting().values())


def test_a_note_stays_while_an_entry_under_it_has_no_witness(
    shown: ProvenLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes_kept, "KEPT_HEADS", 4)
    for _ in range(20):
        shown.show(1)
        shown.notes.look()
    assert shown.unproven() == list(range(20))
    shown.resting()
    shown.cosign(shown.show(1), OTHER)
    shown.proofs.settle()
    assert set(shown.resting().values()) == {21}
    assert len(shown.kept()) == 21
    monkeypatch.setattr(notes_kept, "AT_ONCE", 8)
    for _ in range(4):  # the notes that were kept for these entries alone go a few at a time
        shown.notes.look()
    assert shown.kept() == [17, 18, 19, 20, 21]  # fewer than twice four


def test_a_start_finds_what_is_left_to_prove(shown: ProvenLogs) -> None:
    size = shown.show(3, 3)
    shown.cosign(size, OTHER)
    shown.open()
    assert shown.proofs.settle() == 6


def test_entries_of_an_older_store_are_all_to_be_proven_anew(tmp_path: Path) -> None:
    """It kept 256 notes and no steps: what its entries rested under may be gone."""
    with closing(sqlite3.connect(tmp_path / "node.db")) as old, old:
        old.executescript(SCHEMA + UPGRADES[2] + UPGRADES[3])
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute("PRAGMA user_version = 3")
        old.executemany(
            "INSERT INTO entries (idx, event, time, sender, recipient, issuer, entry, salt,"
            " statement, head_size, path) VALUES (?, 'expired', 0, 'a', 'b', 'c', x'', x'', x'',"
            " 9, x'90')",
            [(index,) for index in range(3)],
        )
    (tmp_path / "node.db").chmod(0o600)
    with closing(Database(tmp_path)) as db:
        assert db.rows("SELECT idx, far FROM unproven ORDER BY idx") == [(0, 1), (1, 1), (2, 1)]
