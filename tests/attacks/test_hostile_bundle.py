"""A bundle that two verifiers would read differently, or that fills a verifier's memory."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE
from saphan_protocol.bundle.report import Outcome
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.checkpoint import format_checkpoint
from saphan_protocol.directory import agreement_leaf
from saphan_protocol.identity import identity
from saphan_protocol.merkle import consistency_path, leaf_hash, root_of
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.bundles import BundleEntry, BundleItem, BundleNote, BundleSignature
from saphan_schemas.codec import decode, encode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob, Bulletin, Consignment, Event
from support.agency import Agency, Made, agreement
from support.audits import KH, LA, THERE
from support.bundled import Maker, begun, gap_codes, recounted, refusal, replaced, said
from support.ceremony import NOW
from support.log_keys import log_note
from support.logbook import PINS, TYPES, Logbook

VN = "vn.vks"


@pytest.fixture(scope="module")
def items() -> list[BundleItem]:
    book, made = begun()
    said(book, made, Event.HANDOVER)
    maker = Maker(book, made, LA)
    maker.sign()
    return maker.items()


def place(items: list[Any], kind: type) -> int:
    return next(at for at, item in enumerate(items) if isinstance(item, kind))


def test_a_renewal_without_a_party_stands_before_what_it_renews() -> None:
    """Judged alone it would be good; in the order of the log it is not."""
    book = Logbook([Agency(name, NOW) for name in (LA, KH, VN)])
    two = [book.agencies[LA], book.agencies[KH]]
    renewal = agreement(two, *PINS.lasting, NOW, replaces=book.name)
    signed = parse_agreement_package(renewal)
    book.directory.kept.append(agreement_leaf(signed.salt, signed.agreement))
    book.anchor()
    made, _ = book.submit(LA, KH)
    honest = Maker(book, made, LA, packages=[book.package, renewal])
    assert refusal(honest.verify()) == ("V7", "agreement_replaces")
    turned = Maker(book, made, LA, packages=[renewal, book.package])
    assert refusal(turned.verify()) == ("V1", "evidence_order")


def test_an_agreement_is_shown_twice() -> None:
    book, made = begun()
    maker = Maker(book, made, LA, packages=[book.package] * 2)
    assert refusal(maker.verify()) == ("V1", "evidence_order")


@pytest.mark.parametrize("first", [True, False])
def test_two_signatures_over_one_root_and_only_one_holds(items: list[Any], first: bool) -> None:
    at = place(items, BundleSignature)
    good = items[at]
    bad = replaced(good, batch=replaced(good.batch, signature=bytes(3373)))
    edited = [*items[:at], *((good, bad) if first else (bad, good)), *items[at + 1 :]]
    assert refusal(verify_bundle(recounted(edited), TYPES)) == ("V1", "evidence_order")


def test_the_directory_s_head_has_a_path_that_nobody_checks(items: list[Any]) -> None:
    at = place(items, BundleNote)
    edited = [*items[:at], replaced(items[at], consistency=(bytes(32),)), *items[at + 1 :]]
    assert refusal(verify_bundle(edited, TYPES)) == ("V1", "evidence_order")


def test_a_directory_without_end(items: list[Any]) -> None:
    """Commitments cost their maker nothing: no leaf is read of more than a verifier can keep."""
    at, origin = place(items, BundleNote), PINS.directory.origin
    text = format_checkpoint(origin, LIMITS.bundle_leaves + 1, bytes(32))
    note = replaced(items[at], note=log_note(origin, text, NOW // 1000))
    edited = [*items[:at], note, *items[at + 1 :]]
    assert refusal(verify_bundle(edited, TYPES)) == ("V1", "evidence_large")


def huge(made: Made) -> dict[str, Any]:
    return {"ciphertext": Blob(10**9 + 1, made.ciphertext_digest)}


def many(made: Made) -> dict[str, Any]:
    return {"attachments": (Blob(10**10, bytes(32)),)}


@pytest.mark.parametrize(
    ("shown", "code"), [(huge, "ciphertext_length"), (many, "attachment_length")]
)
def test_an_unsigned_consignment_names_sizes_that_no_broker_takes(shown: Any, code: str) -> None:
    """Its bulletin id covers them: without a signature only the sizes themselves can be judged."""
    book, made = begun()
    blobs = {"ciphertext": Blob(len(made.ciphertext), made.ciphertext_digest)}
    told = blobs | {"attachments": made.blobs} | shown(made)
    record = Bulletin(identity(HEADER_TYPE, made.header_bytes), **told)
    made.bulletin_id = identity(BULLETIN_TYPE, encode(record))
    (item,), _ = book.agencies[LA].submissions([made], [book.agencies[KH]])
    assert decode(Consignment, item.consignment, 1 << 16, "it").bulletin == made.bulletin_id
    book.time += 1
    entry = book.admit(made, item, None, THERE, **told)  # type: ignore[arg-type]
    maker = Maker(book, made, LA, bodies=False)
    assert [one.index for one, _ in maker.entries()] == [entry]
    assert refusal(maker.verify()) == ("V12", code)


def test_a_gap_is_noted_once_however_often_it_is_met() -> None:
    trail = Trail()
    for _ in range(3):
        trail.gap("steps_missing", agency=KH, code="read")
        trail.gap("steps_missing", agency=KH, code="handover")
    assert [dict(gap.values) for gap in trail.gaps] == [
        {"agency": KH, "code": "read"},
        {"agency": KH, "code": "handover"},
    ]


def test_an_unsigned_consignment_of_honest_sizes_is_a_gap() -> None:
    book, made = begun()
    book.shown[0] = (book.shown[0][0], None)
    verdict = Maker(book, made, LA).verify()
    assert verdict.outcome is Outcome.GAPS
    assert "signature_missing" in gap_codes(verdict)


@pytest.mark.parametrize("number", [3, 9])
def test_an_entry_names_a_predecessor_where_none_can_be(number: int) -> None:
    """Leaf 2 is shown, and is of another corridor; and there is no room for seven entries."""
    book, made = begun()
    maker = Maker(book, made, LA)
    if number == 3:
        maker.disclose(book.agencies[LA])
    else:
        book.anchor()
    book.state(Event.HANDOVER, made, THERE, entry={"number": number, "previous": 2})
    assert refusal(maker.verify()) == ("V11", "corridor_fork")


def test_after_an_outcome_nothing_that_is_hidden_explains_a_handover() -> None:
    book, made = begun()
    book.state(Event.RECALLED, made, THERE, "error", by=LA)
    hidden = book.state(Event.HANDOVER, made, THERE)
    book.state(Event.UNOPENED, made, THERE, "mailbox_key_gone")
    verdict = Maker(book, made, LA, hidden=frozenset({hidden})).verify()
    assert refusal(verdict) == ("V14", "already_decided")


@pytest.mark.parametrize("linked", [True, False])
def test_a_later_head_vouches_only_where_it_is_shown_to_continue(linked: bool) -> None:
    book, made = begun()
    maker = Maker(book, made, LA)
    maker.sign()
    first, size = book.evidence.signed, len(book.evidence.kept)
    assert first is not None
    early = [item for item in maker.items() if isinstance(item, BundleEntry)]
    said(book, made, Event.HANDOVER)
    maker.sign()
    leaves = [leaf_hash(leaf) for leaf in book.evidence.kept]
    path = consistency_path(
        size, len(leaves), lambda level, n: root_of(leaves[n << level : (n + 1) << level])
    )
    items: list[Any] = maker.items()
    late = replaced(items[2], consistency=path if linked else ())
    items[2:3] = [BundleNote("evidence", first), late]
    items[place(items, BundleEntry)] = early[0]
    gaps = gap_codes(verify_bundle(recounted(items), TYPES))
    assert gaps == (set() if linked else {"heads_unlinked", "unwitnessed"})


def test_content_of_an_unknown_type_turns_the_direction_of_writing() -> None:
    book = Logbook([Agency(name, NOW) for name in (LA, KH)])
    made = book.agencies[LA].bulletin([KH], book.time, content={"body": "paid \u202e001"})
    book.submit(LA, KH, made)
    maker = Maker(book, made, LA)
    maker.disclose(book.agencies[LA])
    maker.sign()
    known = {name: digest for name, digest in TYPES.items() if name != made.header.schema}
    assert refusal(verify_bundle(maker.items(), known)) == ("V17", "text_forbidden")
