"""The audit of a good log: exact numbers; and of logs that were changed as a whole."""

from __future__ import annotations

import pytest
from saphan_protocol.audit.report import AuditStep, CorridorSeen
from saphan_protocol.checkpoint import cosign_lines
from saphan_protocol.directory import operation_leaf
from saphan_protocol.evidence import anchor_leaf, entry_leaf
from saphan_schemas.records import Event, LeafType, Role
from support.agency import Agency
from support.audits import BACK, KH, LA, THERE, at, found, halves
from support.ceremony import NOW, Ceremony, add, revoke
from support.log_keys import log_note
from support.logbook import Logbook


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def book(agencies: tuple[Agency, Agency]) -> Logbook:
    return Logbook(agencies)


def test_a_good_log_is_covered_in_exact_numbers(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.deliver(KH, LA)
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    book.broker_states(Event.REFUSED, made, (LA, LA), "agreement_missing")
    report = book.audit()
    assert report.finding is None
    seen = report.coverage
    assert seen.logged == {
        "anchor": 1, "submitted": 3, "handover": 2, "accepted": 2, "read": 2, "expired": 1,
        "refused": 1,
    }  # fmt: skip
    assert seen.opened == {k: v for k, v in seen.logged.items() if k != "anchor"}
    assert (seen.entries, seen.entries_opened) == (11, 11)
    assert seen.signatures == 9
    assert (seen.operations, seen.types, seen.directory_leaves) == (2, 1, 4)
    assert seen.operation_signatures == 10  # of each: threshold, root, node, officer, witness
    assert (seen.agreements_opened, seen.agreements_logged) == (1, 1)
    assert seen.corridors == {
        THERE: CorridorSeen(6, 6, 1), BACK: CorridorSeen(4, 4, 1), (LA, LA): CorridorSeen(1, 1, 1),
    }  # fmt: skip
    assert seen.deliveries == {"read": 2, "expired": 1}
    assert [(head.size, head.witnesses) for head in seen.heads] == [(4, ()), (12, ())]
    assert (seen.unplaced, seen.unseen, seen.packs) == (0, 0, 1)


def test_witnesses_of_a_head_are_named(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    book.deliver(LA, KH)
    book.sign()
    text = book.evidence.note().partition(b"\n\n")[0] + b"\n"
    book.evidence.lines = [cosign_lines(*halves(agencies[0]), LA, text, book.time // 1000)]
    heads = book.audit(sign=False).coverage.heads
    assert [head.witnesses for head in heads] == [(), (LA,)]


def test_unopened_entries_are_counted_and_no_fault(book: Logbook) -> None:
    book.deliver(LA, KH)  # leaves 1 to 4
    book.deliver(LA, KH)  # leaves 5 to 8
    report = book.audit(book.pack(only=[2, 3, 7]))
    assert report.finding is None
    seen = report.coverage
    assert (seen.entries, seen.entries_opened) == (8, 3)
    assert seen.corridors == {THERE: CorridorSeen(3, 7, 2)}
    assert seen.unplaced == 2
    assert seen.signatures == 3


def test_a_log_without_any_pack_is_checked_as_far_as_it_is_open(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    report = book.audit([*book.pack(only=[])], sign=False)
    assert report.finding is None
    assert (report.coverage.entries, report.coverage.entries_opened) == (4, 0)


def test_two_packs_that_agree_complete_each_other(book: Logbook) -> None:
    book.deliver(LA, KH)
    report = book.audit(book.pack(only=[1, 2, 3]), book.pack(only=[3, 4]))
    assert report.finding is None
    assert (report.coverage.entries_opened, report.coverage.packs) == (4, 2)


def test_a_bulletin_consigned_anew_after_unopened_is_in_order(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    book.state(Event.UNOPENED, made, THERE, "stanza_unopenable")
    book.submit(LA, KH, made, kind=LeafType.CONSIGNED)
    book.time += 1
    book.state(Event.HANDOVER, made, THERE)
    book.state(Event.ACCEPTED, made, THERE)
    assert book.audit().finding is None


def test_a_key_revoked_later_spares_what_came_before(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    ceremony = Ceremony(agencies[1])
    ceremony.enrol()
    book.register(ceremony.operate([revoke(Role.NODE, agencies[1].node.key_id)]))
    assert book.audit().finding is None
    late = book.state(Event.ACCEPTED, made, THERE)
    assert found(book.audit()) == at(late, AuditStep.SIGNED, "key_revoked")


# --- the logs themselves --------------------------------------------------------------------------


def test_broker_edits_a_leaf(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    book.evidence.kept[2] = entry_leaf(LeafType.HANDOVER, b"other", bytes(32))
    assert found(book.audit(sign=False)) == at(2, AuditStep.EVIDENCE_ROOT, "leaf_differs")


def test_broker_edits_an_unopened_leaf_and_gives_no_tiles(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    book.evidence.with_tiles = False
    book.evidence.kept[2] = entry_leaf(LeafType.HANDOVER, b"other", bytes(32))
    pack = book.pack(only=[1])
    assert found(book.audit(pack, sign=False)) == at(None, AuditStep.EVIDENCE_ROOT, "root_differs")


def test_broker_cuts_the_end_of_the_log_off(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    book.evidence.kept.pop()
    pack = book.pack(only=[1])
    assert found(book.audit(pack, sign=False)) == at(None, AuditStep.EVIDENCE_ROOT, "log_short")


def test_broker_gives_tiles_of_another_log(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    signed = book.evidence.signed
    book.evidence.kept[2] = entry_leaf(LeafType.HANDOVER, b"other", bytes(32))
    book.sign()
    book.evidence.signed = signed
    assert found(book.audit(sign=False)) == at(None, AuditStep.EVIDENCE_ROOT, "root_differs")


def test_a_head_signed_by_other_keys_is_refused(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    assert book.evidence.signed is not None
    text = book.evidence.signed.partition(b"\n\n")[0] + b"\n"
    stranger = log_note("other.test/evidence/1", text.replace(b"bridge", b"other"), 1)
    lines = stranger.partition(b"\n\n")[2].replace(b"other", b"bridge")
    book.evidence.signed = text + b"\n" + lines
    assert found(book.audit(sign=False)) == at(None, AuditStep.EVIDENCE_HEAD, "head_signature")


def test_broker_hides_the_newest_revocation(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    before = len(book.directory.kept)
    ceremony = Ceremony(agencies[1])
    ceremony.enrol()
    book.register(ceremony.operate([revoke(Role.NODE, agencies[1].node.key_id)]))
    falls = book.anchor(before)
    assert found(book.audit()) == at(falls, AuditStep.ANCHOR, "anchor_falls")


@pytest.mark.parametrize(("late", "code"), [(60, None), (61, "anchor_lags")])
def test_broker_never_anchors_the_newest_revocation(
    book: Logbook, agencies: tuple[Agency, Agency], late: int, code: str | None
) -> None:
    book.deliver(LA, KH)
    ceremony = Ceremony(agencies[1])
    ceremony.enrol()
    revocation = ceremony.operate([revoke(Role.NODE, agencies[1].node.key_id)])
    book.directory.kept.append(operation_leaf(revocation))
    book.directory.sign(book.time)
    book.evidence.sign(book.time + late * 1000)
    report = book.audit(sign=False)
    if code is None:
        assert report.finding is None
    else:
        assert found(report) == at(None, AuditStep.ANCHORED, code)


def test_broker_uses_another_directory_in_an_anchor(book: Logbook) -> None:
    wrong = book.anchor(root=bytes(32))
    assert found(book.audit()) == at(wrong, AuditStep.ANCHOR, "anchor_differs")


def test_broker_anchors_a_directory_that_it_does_not_show(book: Logbook) -> None:
    size = len(book.directory.kept)
    book.evidence.kept.append(anchor_leaf(size + 1, bytes(32)))
    assert found(book.audit()) == at(1, AuditStep.ANCHOR, "anchor_beyond")


def test_broker_begins_without_an_anchor(book: Logbook) -> None:
    book.evidence.kept[0] = entry_leaf(LeafType.HANDOVER, b"x", bytes(32))
    assert found(book.audit()) == at(0, AuditStep.ANCHOR, "anchor_missing")


def test_broker_logs_a_leaf_of_no_known_type(book: Logbook) -> None:
    book.evidence.kept.append(b"\x63" + bytes(32))
    assert found(book.audit()) == at(1, AuditStep.LEAF, "leaf_malformed")


def test_broker_destroys_what_is_not_there_yet(book: Logbook) -> None:
    leaf = bytes((LeafType.DESTROYED,)) + (7).to_bytes(8, "big") + bytes(32)
    book.evidence.kept.append(leaf)
    assert found(book.audit()) == at(1, AuditStep.ANCHOR, "target_malformed")


def test_broker_enters_a_key_that_no_root_has_signed(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    ceremony = Ceremony(agencies[1])
    ceremony.enrol()
    other = Agency("th.oag", NOW)
    book.register(
        ceremony.operate(
            [add(Role.NODE, other.node.public)], new=[other.node], roots=[agencies[0].root]
        )
    )
    assert found(book.audit()) == (
        "directory",
        4,
        AuditStep.DIRECTORY_REPLAY,
        "operation_threshold",
    )
