"""The audit: a good log gives exact numbers; what a broker does wrong is named by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from saphan_protocol.audit import audit
from saphan_protocol.audit_log import root_at
from saphan_protocol.audit_report import AuditStep, CorridorSeen, Report
from saphan_protocol.checkpoint import cosign_lines
from saphan_protocol.directory import operation_leaf
from saphan_protocol.evidence import anchor_leaf, entry_leaf
from saphan_protocol.pack import PackReader, pack_stream
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.packs import PackEntry, PackHead, PackItem, PackSignature
from saphan_schemas.records import BatchSignature, Event, HeadRef, LeafType, Role
from support.agency import Agency, agreement, seed
from support.ceremony import NOW, Ceremony, add, revoke
from support.log_keys import SignerPair, log_note
from support.logbook import ORIGINS, PINS, TYPES, Logbook

LA, KH = "la.ospp", "kh.gpo"
THERE, BACK = (LA, KH), (KH, LA)


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def book(agencies: tuple[Agency, Agency]) -> Logbook:
    return Logbook(agencies)


def found(report: Report) -> tuple[str, int | None, AuditStep, str]:
    assert report.finding is not None, "nothing was found"
    finding = report.finding
    return finding.log, finding.index, finding.step, finding.code


def at(index: int | None, step: AuditStep, code: str) -> tuple[str, int | None, AuditStep, str]:
    return "evidence", index, step, code


def halves(agency: Agency) -> SignerPair:
    secret = seed(f"{agency.name} witness", 64)
    return (
        Ed25519PrivateKey.from_private_bytes(secret[:32]),
        MLDSA44PrivateKey.from_seed_bytes(secret[32:]),
    )


# --- a good log -----------------------------------------------------------------------------------


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
        THERE: CorridorSeen(6, 6), BACK: CorridorSeen(4, 4), (LA, LA): CorridorSeen(1, 1),
    }  # fmt: skip
    assert seen.deliveries == {"accepted": 2, "expired": 1}
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
    assert seen.corridors == {THERE: CorridorSeen(3, 7)}
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


# --- a broker that cheats -------------------------------------------------------------------------


def test_broker_drops_an_entry_from_a_corridor(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    gap = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": first})
    assert found(book.audit()) == at(gap, AuditStep.CORRIDOR, "corridor_gap")


def test_broker_hides_a_drop_behind_a_leaf_of_another_corridor(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    _, other = book.submit(KH, LA)
    gap = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": other})
    assert found(book.audit()) == at(gap, AuditStep.CORRIDOR, "corridor_gap")


def test_broker_names_an_opened_leaf_as_the_unopened_predecessor(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    _, hidden = book.submit(KH, LA)
    fork = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": first})
    pack = book.pack(only=[first, fork])
    assert hidden < fork
    assert found(book.audit(pack)) == at(fork, AuditStep.CORRIDOR, "corridor_fork")


def test_broker_fills_two_holes_with_one_unopened_leaf(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    answered, second = book.submit(KH, LA)
    hidden = book.broker_states(Event.REFUSED, made, (LA, LA), "expired")
    one = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": hidden})
    two = book.state(Event.HANDOVER, answered, BACK, entry={"number": 3, "previous": hidden})
    pack = book.pack(only=[first, second, one, two])
    assert found(book.audit(pack)) == at(two, AuditStep.CORRIDOR, "corridor_gap")


def test_broker_tells_a_corridor_two_stories(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    fork = book.state(Event.HANDOVER, made, THERE, entry={"previous": first + 100})
    assert found(book.audit()) == at(fork, AuditStep.CORRIDOR, "corridor_fork")


def test_broker_logs_an_event_twice(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made, _ = book.submit(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.HANDOVER, about, THERE, book.time)
    book.log_statement(item, batch)
    again = book.log_statement(item, batch)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "logged_twice")


def test_broker_logs_a_reading_twice(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made = book.deliver(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.READ, about, THERE, book.time + 1)
    book.log_statement(item, batch)
    again = book.log_statement(item, batch)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "logged_twice")


def test_broker_logs_a_consignment_twice(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made = agencies[0].bulletin([KH], book.time)
    (item,), batch = agencies[0].submissions([made], [agencies[1]])
    book.admit(made, item, batch, THERE)
    again = book.admit(made, item, batch, THERE, kind=LeafType.CONSIGNED)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "logged_twice")


def test_broker_admits_a_bulletin_twice_as_the_first_time(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    again = book.submit(LA, KH, made)[1]
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "already_submitted")


def test_broker_back_dates_an_entry(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    back = book.state(Event.HANDOVER, made, THERE, entry={"time": book.time - 1})
    assert found(book.audit()) == at(back, AuditStep.TIME, "time_falls")


def test_broker_dates_an_entry_after_its_head(book: Logbook) -> None:
    late = book.time + LIMITS.skew_ms + 1
    ahead = book.submit(LA, KH, entry={"time": late})[1]
    assert found(book.audit()) == at(ahead, AuditStep.TIME, "time_beyond_head")


def test_broker_shows_a_handover_after_expiry(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    late = book.state(Event.HANDOVER, made, THERE)
    assert found(book.audit()) == at(late, AuditStep.DELIVERY, "already_decided")


def test_broker_shows_an_outcome_without_a_handover(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    early = book.state(Event.ACCEPTED, made, THERE)
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "order_illegal")


def test_broker_shows_two_outcomes(book: Logbook) -> None:
    made = book.deliver(LA, KH)
    second = book.state(Event.REJECTED, made, THERE, "schema_invalid")
    assert found(book.audit()) == at(second, AuditStep.DELIVERY, "already_decided")


def test_two_outcomes_are_found_across_a_hole(book: Logbook) -> None:
    made = book.deliver(LA, KH)  # leaves 1 to 4
    _, hidden = book.submit(LA, KH)
    second = book.state(Event.REJECTED, made, THERE, "schema_invalid")
    pack = book.pack(only=[1, 2, 3, 4, second])
    assert hidden == 5
    assert found(book.audit(pack)) == at(second, AuditStep.DELIVERY, "already_decided")


def test_broker_expires_before_the_deadline(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires - LIMITS.skew_ms - 1
    early = book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "expired_early")


def test_broker_expires_a_delivered_bulletin_at_its_delivery_deadline(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    book.time = made.header.expires
    early = book.broker_states(Event.EXPIRED, made, THERE, "no_outcome")
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "expired_early")


def test_broker_gives_the_wrong_reason_for_an_expiry(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    wrong = book.broker_states(Event.EXPIRED, made, THERE, "no_outcome")
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "expired_code")


def test_broker_states_its_own_event_in_an_agencys_name(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made, _ = book.submit(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.EXPIRED, about, THERE, book.time, "undelivered")
    wrong = book.log_statement(item, batch)
    assert found(book.audit()) == at(wrong, AuditStep.BROKER, "issuer_wrong")


def test_broker_makes_up_a_code_of_its_own(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    wrong = book.broker_states(Event.EXPIRED, made, THERE, "lost")
    assert found(book.audit()) == at(wrong, AuditStep.BROKER, "code_unknown")


def test_broker_logs_a_refusal_in_anothers_corridor(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    wrong = book.broker_states(Event.REFUSED, made, THERE, "agreement_missing")
    assert found(book.audit()) == at(wrong, AuditStep.BROKER, "corridor_wrong")


def test_broker_forges_a_receipt(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made, _ = book.submit(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.HANDOVER, about, THERE, book.time)
    bad = bytearray(batch.signature)
    bad[0] ^= 1
    forged = book.log_statement(item, BatchSignature(*_three(batch), bytes(bad)))
    assert found(book.audit()) == at(forged, AuditStep.SIGNED, "signature_invalid")


def test_sender_signs_the_recipients_receipt(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    wrong = book.state(Event.HANDOVER, made, THERE, by=LA)
    assert found(book.audit()) == at(wrong, AuditStep.SIGNED, "issuer_wrong")


def test_broker_shows_a_receipt_without_its_signature(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    bare = book.state(Event.HANDOVER, made, THERE, item=None)
    assert found(book.audit()) == at(bare, AuditStep.SIGNED, "signature_missing")


def test_broker_puts_a_receipt_on_other_bytes(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made, _ = book.submit(LA, KH)
    (item,), batch = agencies[1].statements(
        Event.HANDOVER, [(made.bulletin_id, bytes(32))], THERE, book.time
    )
    wrong = book.log_statement(item, batch)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "statement_subject")


def test_broker_logs_a_receipt_for_what_was_never_sent(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made = agencies[0].bulletin([KH], book.time)
    wrong = book.state(Event.HANDOVER, made, THERE)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "delivery_unknown")


def test_broker_moves_a_submission_into_another_corridor(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made = agencies[0].bulletin([KH], book.time)
    (item,), batch = agencies[0].submissions([made], [agencies[1]])
    wrong = book.admit(made, item, batch, BACK)
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "corridor_wrong")


def test_broker_admits_what_no_agreement_allows(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time, retain_until=book.time // DAY_MS + 4001)
    wrong = book.submit(LA, KH, made)[1]
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "agreement_retention")


def test_broker_admits_after_the_deadline(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time)
    book.time = made.header.expires
    wrong = book.submit(LA, KH, made)[1]
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "expired")


def test_sender_uses_the_same_random_bytes_for_two_bulletins(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    other = book.agencies[LA].bulletin([KH], book.time, nonce=made.header.nonce, exercise=False)
    again = book.submit(LA, KH, other)[1]
    assert found(book.audit()) == at(again, AuditStep.SUBMISSION, "replay")


def test_broker_changes_the_due_day(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time)
    wrong = book.submit(LA, KH, made, due=made.header.retain_until + 1)[1]
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "due_day_differs")


def test_broker_showed_the_sender_another_history(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    book.deliver(LA, KH)
    true = HeadRef(ORIGINS[1], 3, book.evidence.root(3))
    false = HeadRef(ORIGINS[1], 3, bytes(32))
    for seen, code in ((true, None), (false, "seen_differs")):
        made = agencies[0].bulletin([KH], book.time)
        (item,), batch = agencies[0].submissions([made], [agencies[1]], seen)
        index = book.admit(made, item, batch, THERE)
        report = book.audit()
        if code is None:
            assert report.finding is None
        else:
            assert found(report) == at(index, AuditStep.SUBMISSION, code)


def test_without_tiles_earlier_heads_are_counted_as_not_compared(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made = agencies[0].bulletin([KH], book.time)
    seen = HeadRef(ORIGINS[1], 1, bytes(32))
    (item,), batch = agencies[0].submissions([made], [agencies[1]], seen)
    book.admit(made, item, batch, THERE)
    book.evidence.with_tiles = False
    report = book.audit()
    assert (report.finding, report.coverage.unseen) == (None, 1)


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


# --- packs ----------------------------------------------------------------------------------------


def test_pack_opens_a_leaf_with_another_salt(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, made, THERE)
    _replace(book, index, salt=bytes(32))
    assert found(book.audit()) == at(index, AuditStep.OPENING, "commitment_differs")


def test_pack_shows_another_statement(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, made, THERE)
    _replace(book, index, statement=b"\x90")
    assert found(book.audit()) == at(index, AuditStep.STATEMENT, "statement_differs")


def test_pack_leaves_out_the_header_of_a_submission(book: Logbook) -> None:
    _, index = book.submit(LA, KH)
    _replace(book, index, header=None)
    assert found(book.audit()) == at(index, AuditStep.SUBMISSION, "entry_incomplete")


def test_packs_open_one_leaf_differently(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, made, THERE)
    good = book.pack()
    _replace(book, index, salt=bytes(32))
    report = book.audit(good, book.pack())
    assert found(report) == at(index, AuditStep.OPENING, "commitment_differs")
    assert report.finding is not None
    assert report.finding.pack == "pack 1"


def test_packs_show_two_headers_of_one_submission(book: Logbook) -> None:
    _, index = book.submit(LA, KH)
    good = book.pack()
    _replace(book, index, header=b"\x90")
    assert found(book.audit(good, book.pack())) == at(index, AuditStep.STATEMENT, "packs_differ")


def test_pack_shows_a_leaf_beyond_the_head(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    _, beyond = book.submit(LA, KH)
    pack = book.pack()
    book.evidence.kept.pop()
    assert found(book.audit(pack, sign=False)) == at(
        beyond, AuditStep.PACK_ORDER, "pack_beyond_head"
    )


def test_pack_of_a_foreign_log(book: Logbook) -> None:
    book.deliver(LA, KH)
    pack = book.pack(evidence="other.test/evidence/1")
    assert found(book.audit(pack)) == at(None, AuditStep.PACK_HEAD, "pack_origin")


def _cut(items: list[PackItem]) -> list[PackItem]:
    return items[: len(items) // 2]


def _without_an_entry(items: list[PackItem]) -> list[PackItem]:
    last = max(i for i, item in enumerate(items) if isinstance(item, PackEntry))
    return items[:last] + items[last + 1 :]


def _swapped(items: list[PackItem]) -> list[PackItem]:
    entries = [item for item in items if isinstance(item, PackEntry)]
    rest = [item for item in items if not isinstance(item, PackEntry)]
    return [*rest[:-1], *reversed(entries), rest[-1]]


@pytest.mark.parametrize(
    ("spoil", "step", "code"),
    [
        (_cut, AuditStep.PACK_FORM, "pack_cut"),
        (lambda items: [], AuditStep.PACK_FORM, "pack_cut"),
        (lambda items: items[:1], AuditStep.PACK_FORM, "pack_cut"),
        (lambda items: items[1:], AuditStep.PACK_FORM, "pack_malformed"),
        (lambda items: [*items, items[-1]], AuditStep.PACK_FORM, "pack_malformed"),
        (_without_an_entry, AuditStep.PACK_END, "pack_counts"),
        (_swapped, AuditStep.PACK_ORDER, "pack_order"),
        (lambda items: [*items[:-1], items[1], items[-1]], AuditStep.PACK_ORDER, "pack_order"),
    ],
)
def test_spoilt_packs_are_named(
    book: Logbook,
    spoil: Callable[[list[PackItem]], Sequence[PackItem]],
    step: AuditStep,
    code: str,
) -> None:
    book.deliver(LA, KH)
    spoilt = spoil(book.pack())
    report = book.audit(book.pack(), spoilt)
    assert found(report) == at(None, step, code)
    assert report.finding is not None
    assert report.finding.pack == "pack 1"


def test_pack_of_another_format(book: Logbook) -> None:
    pack = book.pack(format="saphan/pack/2")
    assert found(book.audit(pack)) == at(None, AuditStep.PACK_FORM, "pack_format")


def test_pack_opens_an_agreement_that_was_never_logged(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    book.package = agreement(agencies, PINS.directory, PINS.evidence, NOW, reference="other")
    assert found(book.audit()) == (
        "directory", None, AuditStep.AGREEMENTS, "agreement_unlogged",
    )  # fmt: skip


def test_signatures_come_again_when_a_reader_has_forgotten_them(
    book: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan_protocol.pack.LIMITS", replace(LIMITS, pack_signatures=2))
    made = book.deliver(LA, KH)
    entry, batch = book.shown[1]
    assert batch is not None
    other = [b for _, b in book.shown if b is not None and b is not batch]
    needs = [batch, *other, batch]
    head = PackHead("saphan/pack/1", LA, 0, *ORIGINS, 0, 99)
    rows = [(msgspec.structs.replace(entry, index=i), needed) for i, needed in enumerate(needs)]
    items = list(pack_stream(head, [], rows))
    given = [item.batch for item in items if isinstance(item, PackSignature)]
    assert given.count(batch) == 2
    reader = PackReader("x", items)
    for needed in needs:
        assert reader.next_entry() is not None
        assert reader.batches[needed.key, needed.size, needed.root] == needed
        assert len(reader.batches) <= 3
    assert reader.next_entry() is None
    assert made.bulletin_id


def test_roots_of_every_earlier_size_come_from_the_tiles(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    tree = book.evidence.tree(len(book.evidence.kept))
    assert tree is not None
    for size in range(len(book.evidence.kept) + 1):
        assert root_at(tree, size) == book.evidence.root(size)


def test_progress_is_told_to_the_end(book: Logbook) -> None:
    book.sign()
    told: list[tuple[str, int, int]] = []
    audit(PINS, book.directory, book.evidence, [], TYPES, lambda *row: told.append(row))
    assert told[-1] == ("evidence", 1, 1)
    assert ("directory", 4, 4) in told


def _three(batch: BatchSignature) -> tuple[bytes, int, bytes]:
    return batch.key, batch.size, batch.root


def _replace(book: Logbook, index: int, **fields: object) -> None:
    place = next(i for i, (entry, _) in enumerate(book.shown) if entry.index == index)
    entry, batch = book.shown[place]
    book.shown[place] = (msgspec.structs.replace(entry, **fields), batch)
