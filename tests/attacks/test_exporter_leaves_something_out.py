"""An exporter makes a bundle of what suits it. What it leaves out is a gap, a line, or a fault."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_protocol.bundle.report import Outcome, Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.directory import agreement_leaf
from saphan_protocol.merkle import consistency_path, leaf_hash, root_of
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.bundles import BundleNote
from saphan_schemas.directory_records import WitnessPolicy
from saphan_schemas.limits import HOUR_MS
from saphan_schemas.records import Event, HeadRef, LeafType, Role
from support.agency import Agency, Made, agreement, order_by
from support.audits import KH, LA, THERE
from support.bundled import Maker, cosign, gap_codes, recounted, refusal
from support.ceremony import NOW, Ceremony, revoke
from support.logbook import PINS, TYPES, Logbook

VN = "vn.vks"


def bridge(*more: str, **terms: Any) -> Logbook:
    return Logbook([Agency(name, NOW) for name in (LA, KH, *more)], **terms)


def revoked(book: Logbook, agency: str, key: bytes, role: Role = Role.NODE) -> None:
    """The agency's root revokes one of its keys, by an operation after its first."""
    ceremony = Ceremony(book.agencies[agency])
    ceremony.enrol()
    book.register(ceremony.operate([revoke(role, key)]))


def lines(verdict: Verdict) -> set[str]:
    assert verdict.finding is None, verdict.finding
    return {line.code for line in verdict.unproven}


def sent(book: Logbook, to: str = KH) -> Made:
    made, _ = book.submit(LA, to)
    return made


def said(book: Logbook, made: Made, *events: Event) -> None:
    for event in events:
        book.time += 1000
        book.state(event, made, THERE)


# --- a revocation -------------------------------------------------------------------------------


def test_the_anchor_that_names_a_revocation_is_hidden() -> None:
    """A thief's consignment, logged by a broker that looks away, after the key was revoked."""
    book = bridge()
    revoked(book, LA, book.agencies[LA].node.key_id)
    made = sent(book)
    honest, cheat = Maker(book, made, KH), Maker(book, made, KH, hidden=frozenset({1}))
    assert refusal(honest.verify()) == ("V12", "key_revoked")
    assert gap_codes(cheat.verify()) == {"revoked_between"}


def test_what_came_before_a_revocation_stays_valid() -> None:
    book = bridge()
    made = sent(book)
    book.anchor()
    revoked(book, LA, book.agencies[LA].node.key_id)
    assert Maker(book, made, KH).verify().outcome is Outcome.VALID


def test_without_a_later_anchor_a_revocation_at_any_time_is_a_gap() -> None:
    """Nobody can tell whether it came before, unless the anchor after the entry is shown."""
    book = bridge()
    made = sent(book)
    revoked(book, LA, book.agencies[LA].node.key_id)
    assert Maker(book, made, KH).verify().finding is None
    assert gap_codes(Maker(book, made, KH, hidden=frozenset({2})).verify()) == {"revoked_between"}


def test_a_directory_of_yesterday_is_shown() -> None:
    """Cut off before the revocation; its signature is honest, and its time says how old it is."""
    book = bridge()
    maker = Maker(book, made := sent(book), KH)
    maker.sign()
    old = list(book.directory.kept), book.directory.signed, book.directory.lines
    book.time += 2 * HOUR_MS
    said(book, made, Event.HANDOVER)
    maker.sign()
    book.directory.kept, book.directory.signed, book.directory.lines = old
    codes = gap_codes(maker.verify(sign=False))
    assert codes == {"directory_older", "directory_unwitnessed"}


def test_an_old_directory_is_signed_anew_under_an_old_cosignature() -> None:
    book = bridge()
    made = sent(book)
    cosign(book.directory, [book.agencies[LA]], book.time)
    book.time += 2 * HOUR_MS
    said(book, made, Event.HANDOVER)
    book.sign()
    cosign(book.evidence, [book.agencies[LA]], book.time)
    assert gap_codes(Maker(book, made, KH).verify(sign=False)) == {"directory_unwitnessed"}


def test_an_older_directory_than_the_anchors_name_is_no_directory() -> None:
    book = bridge()
    old = list(book.directory.kept)
    revoked(book, LA, book.agencies[LA].officer.key_id, Role.OFFICER)
    maker = Maker(book, sent(book), LA)
    maker.sign()
    book.directory.kept = old
    book.directory.lines = []
    book.directory.sign(book.time)
    assert refusal(maker.verify(sign=False)) == ("V9", "anchor_beyond")


# --- agreements and orders ----------------------------------------------------------------------


def suspended(book: Logbook, action: Any = "suspend", number: int = 1) -> bytes:
    package = order_by(book.agencies[KH], book.name, action, number)
    book.order(package)
    return package


def test_a_suspension_is_shown_for_what_it_is() -> None:
    book = bridge()
    suspended(book)
    assert refusal(Maker(book, sent(book), LA).verify()) == ("V12", "agreement_suspended")


def test_the_anchor_that_names_a_suspension_is_hidden() -> None:
    book = bridge()
    suspended(book)
    maker = Maker(book, sent(book), LA, hidden=frozenset({1}))
    assert gap_codes(maker.verify()) == {"agreement_between"}


def test_a_suspension_that_was_lifted_again_is_hidden() -> None:
    """In force before and after: only the orders in between tell that it was not, for a while."""
    book = bridge()
    suspended(book)
    made = sent(book)
    suspended(book, "resume", 2)
    maker = Maker(book, made, LA, hidden=frozenset({1}))
    assert gap_codes(maker.verify()) == {"agreement_between"}


def test_the_text_of_a_suspension_is_left_out() -> None:
    """The directory shows a commitment, and whoever is not given its text cannot tell what it is.
    While the recipient has signed nothing, that is a gap; its own handover says it knew of none."""
    book = bridge()
    suspended(book)
    made = sent(book)
    maker = Maker(book, made, LA, packages=[book.package])
    assert gap_codes(maker.verify()) == {"agreement_unconfirmed"}
    said(book, made, Event.HANDOVER)
    verdict = maker.verify()
    assert gap_codes(verdict) == set()
    assert "other_agreements" in lines(verdict)


def test_the_first_of_two_orders_is_left_out() -> None:
    book = bridge()
    suspended(book)
    second = suspended(book, "resume", 2)
    maker = Maker(book, sent(book), LA, packages=[book.package, second])
    assert refusal(maker.verify()) == ("V7", "order_number")


def test_no_agreement_is_shown() -> None:
    book = bridge()
    verdict = Maker(book, sent(book), LA, packages=[]).verify()
    assert gap_codes(verdict) == {"agreement_missing"}
    assert verdict.deliveries[0].agreement is None


def test_an_agreement_that_pins_other_logs_is_shown() -> None:
    """It was signed for another broker, which uses the same keys in the directory's place."""
    book, other = bridge(), PINS.lasting[0]
    agencies = list(book.agencies.values())
    text = agreement(agencies, PINS.lasting[1], other, NOW)
    signed = parse_agreement_package(text)
    book.directory.kept.append(agreement_leaf(signed.salt, signed.agreement))
    book.anchor()
    maker = Maker(book, sent(book), LA, packages=[book.package, text])
    assert refusal(maker.verify()) == ("V7", "pins_differ")


# --- events and recipients ----------------------------------------------------------------------


def test_a_recall_is_left_out() -> None:
    """What is not shown is not known: a bundle never says that nothing else happened."""
    book = bridge()
    made = sent(book)
    recalled = book.state(Event.RECALLED, made, THERE, "error", by=LA)
    verdict = Maker(book, made, KH, hidden=frozenset({recalled})).verify()
    assert verdict.deliveries[0].state == "submitted"
    assert "nothing_else" in lines(verdict)


def test_a_recall_before_a_handover_is_left_out() -> None:
    """A broker that logged both has lied; whoever shows both proves it, who hides one leaves a
    hole in the corridor and says no more than that."""
    book = bridge()
    made = sent(book)
    recalled = book.state(Event.RECALLED, made, THERE, "error", by=LA)
    said(book, made, Event.HANDOVER)
    assert refusal(Maker(book, made, KH).verify()) == ("V14", "already_decided")
    verdict = Maker(book, made, KH, hidden=frozenset({recalled})).verify()
    assert not verdict.deliveries[0].whole
    assert "nothing_else" in lines(verdict)


def test_an_expiry_is_left_out() -> None:
    book = bridge()
    made = sent(book)
    said(book, made, Event.HANDOVER)
    book.time = 24 * HOUR_MS * (made.header.expires // (24 * HOUR_MS) + 31)
    over = book.broker_states(Event.EXPIRED, made, THERE, "no_outcome")
    assert Maker(book, made, LA).verify().deliveries[0].state == "expired"
    verdict = Maker(book, made, KH, hidden=frozenset({over})).verify()
    assert verdict.deliveries[0].state == "handed_over"
    assert {"nothing_else", "stanza"} <= lines(verdict)


def test_the_first_admission_is_left_out() -> None:
    book = bridge()
    made = sent(book)
    said(book, made, Event.HANDOVER)
    (again,), batch = book.agencies[LA].submissions([made], [book.agencies[KH]])
    book.state(Event.UNOPENED, made, THERE, "mailbox_key_gone")
    book.admit(made, again, batch, THERE, kind=LeafType.CONSIGNED)
    verdict = Maker(book, made, LA, hidden=frozenset({1, 2, 3})).verify()
    assert gap_codes(verdict) == {"first_missing"}


def test_steps_between_are_left_out() -> None:
    book = bridge()
    made = sent(book)
    said(book, made, Event.HANDOVER)
    unopened = book.state(Event.UNOPENED, made, THERE, "mailbox_key_gone")
    (again,), batch = book.agencies[LA].submissions([made], [book.agencies[KH]])
    anew = book.admit(made, again, batch, THERE, kind=LeafType.CONSIGNED)
    said(book, made, Event.HANDOVER, Event.ACCEPTED)
    assert Maker(book, made, LA).verify().outcome is Outcome.VALID
    verdict = Maker(book, made, LA, hidden=frozenset({unopened, anew})).verify()
    assert gap_codes(verdict) == {"steps_missing"}


def test_a_second_recipient_is_left_out() -> None:
    book = bridge(VN)
    la = book.agencies[LA]
    made = la.bulletin([KH, VN], book.time)
    (item,), batch = la.submissions([made], [book.agencies[KH], book.agencies[VN]])
    book.admit(made, item, batch, THERE)
    other = book.admit(made, item, batch, (LA, VN))
    assert Maker(book, made, LA).verify().outcome is Outcome.VALID
    hidden = frozenset({other})
    assert gap_codes(Maker(book, made, LA, hidden=hidden).verify()) == {"recipient_missing"}
    of_one = Maker(book, made, KH, hidden=hidden).verify()
    assert gap_codes(of_one) == set()
    assert "recipients_unshown" in lines(of_one)


def test_a_second_recipient_was_logged_apart() -> None:
    book = bridge(VN)
    la = book.agencies[LA]
    made = la.bulletin([KH, VN], book.time)
    (item,), batch = la.submissions([made], [book.agencies[KH], book.agencies[VN]])
    book.admit(made, item, batch, THERE)
    book.anchor()
    book.admit(made, item, batch, (LA, VN))
    assert refusal(Maker(book, made, LA).verify()) == ("V12", "recipient_missing")


def test_a_receipts_signature_is_left_out() -> None:
    """That it was logged is all that is left; the delivery does not count as handed over."""
    book = bridge()
    made = sent(book)
    said(book, made, Event.HANDOVER)
    entry, _ = book.shown[-1]
    book.shown[-1] = (entry, None)
    verdict = Maker(book, made, LA).verify()
    assert gap_codes(verdict) == {"signature_missing"}
    assert verdict.deliveries[0].state == "submitted"
    assert verdict.events[-1].proof == "unsigned"


def test_an_unsigned_receipt_is_dated_after_its_entry() -> None:
    book = bridge()
    made = sent(book)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    late = book.time + HOUR_MS
    (item,), _ = book.agencies[KH].statements(Event.HANDOVER, about, THERE, late, None)
    book.log_statement(item, None)  # type: ignore[arg-type]
    assert refusal(Maker(book, made, LA).verify()) == ("V13", "stated_in_future")


# --- heads and witnesses ------------------------------------------------------------------------


def test_no_other_agency_has_cosigned() -> None:
    book = bridge()
    made = sent(book)
    book.sign()
    for log in (book.directory, book.evidence):
        cosign(log, [book.agencies[KH]], book.time)
    own = Maker(book, made, KH).verify(sign=False)
    assert gap_codes(own) == {"unwitnessed", "directory_unwitnessed"}
    assert not own.deliveries[0].witnessed
    assert Maker(book, made, LA).verify(sign=False).outcome is Outcome.VALID


def test_the_agreement_asks_for_more_witnesses() -> None:
    book = bridge(witnesses=WitnessPolicy(3, True))
    assert gap_codes(Maker(book, sent(book), LA).verify()) == {
        "unwitnessed",
        "directory_unwitnessed",
    }


def test_an_agreement_that_asks_for_no_witness_makes_nothing_witnessed() -> None:
    book = bridge(witnesses=WitnessPolicy(0, False))
    maker = Maker(book, sent(book), LA)
    book.sign()
    verdict = maker.verify(sign=False)
    assert gap_codes(verdict) == set()
    assert not verdict.deliveries[0].witnessed


@pytest.mark.parametrize(("shown", "gaps"), [(True, set()), (False, {"heads_unlinked"})])
def test_two_heads_that_are_not_shown_to_be_of_one_history(shown: bool, gaps: set[str]) -> None:
    book = bridge()
    made = sent(book)
    maker = Maker(book, made, LA)
    maker.sign()
    old, first = book.evidence.note(), len(book.evidence.kept)
    said(book, made, Event.HANDOVER)
    maker.sign()
    leaves = [leaf_hash(leaf) for leaf in book.evidence.kept]
    path = consistency_path(
        first, len(leaves), lambda level, n: root_of(leaves[n << level : (n + 1) << level])
    )
    items: list[Any] = maker.items()
    items[2:3] = [
        BundleNote("evidence", old),
        BundleNote("evidence", book.evidence.note(), path if shown else ()),
    ]
    assert gap_codes(verify_bundle(recounted(items), TYPES)) == gaps
    items[3] = BundleNote("evidence", book.evidence.note(), (bytes(32), *path[1:]))
    assert refusal(verify_bundle(recounted(items), TYPES)) == ("V4", "proof_consistency")


def test_a_witness_who_cannot_have_seen_it_yet() -> None:
    """The broker dates an entry two hours after a witness has signed the head over it."""
    book = bridge()
    made = sent(book)
    book.time += 2 * HOUR_MS
    said(book, made, Event.HANDOVER)
    book.sign()
    cosign(book.directory, [book.agencies[KH]], book.time)
    cosign(book.evidence, [book.agencies[KH]], book.time - 2 * HOUR_MS)
    verdict = Maker(book, made, LA).verify(sign=False)
    assert gap_codes(verdict) == {"unwitnessed"}
    assert [event.bound is None for event in verdict.events] == [False, True]


def test_a_head_that_the_sender_had_seen_is_another_one() -> None:
    """With the broker's help a sender could else make its own signed bulletin worthless."""
    book = bridge()
    maker = Maker(book, sent(book), LA)
    maker.sign()
    la, size = book.agencies[LA], len(book.evidence.kept)
    old = book.evidence.note()
    made = la.bulletin([KH], book.time)
    seen = HeadRef(PINS.evidence.origin, size, bytes(32))
    (item,), batch = la.submissions([made], [book.agencies[KH]], seen)
    book.admit(made, item, batch, THERE)
    other = Maker(book, made, LA)
    other.sign()
    items: list[Any] = other.items()
    items.insert(2, BundleNote("evidence", old))
    verdict = verify_bundle(recounted(items), TYPES)
    assert gap_codes(verdict) == {"heads_unlinked", "seen_differs"}
    assert verdict.events[0].proof == "signed"
