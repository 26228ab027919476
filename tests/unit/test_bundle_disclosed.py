"""A disclosed bulletin: whose key it is, who gave it away, and whether its authors signed it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from saphan_protocol.admission import BULLETIN_TYPE
from saphan_protocol.bundle.report import Outcome
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.identity import identity, sha256
from saphan_protocol.keys import SigningKey
from saphan_schemas.bundles import BundleDisclosure
from saphan_schemas.codec import encode
from saphan_schemas.records import Blob, Bulletin, Event, Role
from saphan_schemas.samples import sample
from support.agency import Agency, Made, seal_attachment
from support.audits import KH, LA, THERE
from support.bundled import Maker, gap_codes, recounted, refusal, replaced
from support.ceremony import NOW, Ceremony, revoke
from support.logbook import PINS, TYPES, Logbook

VN = "vn.vks"


def sent(*more: str, **given: Any) -> tuple[Logbook, Made]:
    book = Logbook([Agency(name, NOW) for name in (LA, KH, *more)])
    made = book.agencies[LA].bulletin([KH], book.time, **given)
    book.submit(LA, KH, made)
    return book, made


def disclosed(book: Logbook, made: Made, by: str = LA, **given: Any) -> Maker:
    maker = Maker(book, made, by)
    maker.disclose(book.agencies[by], **given)
    return maker


@pytest.mark.parametrize("by", [LA, KH])
def test_sender_or_recipient_discloses(by: str) -> None:
    verdict = disclosed(*sent(), by).verify(PINS)
    assert verdict.outcome is Outcome.VALID, (verdict.finding, verdict.gaps)
    assert verdict.disclosure is not None
    assert (verdict.disclosure.agency, verdict.disclosure.to) == (by, "Court of Vientiane")
    assert verdict.content is not None
    assert verdict.content.content == sample("training_notice")


def test_a_disclosure_that_is_not_in_the_log_is_a_gap() -> None:
    verdict = disclosed(*sent(), logged=False).verify()
    assert gap_codes(verdict) == {"disclosure_unlogged"}


def test_another_disclosure_than_the_logged_one_is_a_gap() -> None:
    """The log commits to whom it was given: the same key, told as if it were for another."""
    book, made = sent()
    maker = disclosed(book, made)
    maker.disclose(book.agencies[LA], to="a newspaper", logged=False)
    assert gap_codes(maker.verify()) == {"disclosure_unlogged"}


def test_a_stranger_discloses() -> None:
    book, made = sent(VN)
    maker = Maker(book, made, LA)
    maker.disclose(book.agencies[VN], logged=False)
    assert refusal(maker.verify()) == ("V15", "disclosure_differs")


def test_an_export_by_a_stranger_is_in_the_log() -> None:
    book, made = sent(VN)
    disclosed(book, made, VN)
    assert refusal(Maker(book, made, LA).verify()) == ("V13", "corridor_wrong")


def test_the_disclosure_of_another_bulletin_is_shown() -> None:
    book, made = sent()
    other = disclosed(*sent(), logged=False)
    maker = Maker(book, made, LA, disclosure=other.disclosure)
    assert refusal(maker.verify()) == ("V15", "disclosure_differs")


def test_one_party_signs_the_others_disclosure() -> None:
    book, made = sent()
    maker = disclosed(book, made, logged=False)
    book.agencies[LA].node = book.agencies[KH].node
    forged = disclosed(book, made, logged=False)
    maker.disclosure = forged.disclosure
    assert refusal(maker.verify()) == ("V15", "key_foreign")


def test_a_key_that_was_revoked_before_the_export_signs_no_disclosure() -> None:
    book, made = sent()
    ceremony = Ceremony(book.agencies[KH])
    ceremony.enrol()
    book.register(ceremony.operate([revoke(Role.NODE, book.agencies[KH].node.key_id)]))
    assert refusal(disclosed(book, made, KH).verify()) == ("V13", "key_revoked")
    book.shown.pop()
    assert refusal(disclosed(book, made, KH, logged=False).verify()) == ("V15", "key_revoked")


def test_the_key_of_another_bulletin_is_disclosed() -> None:
    """Signed, logged, and wrong: it does not open what was sent."""
    book, made = sent()
    object.__setattr__(made, "content_key", bytes(32))
    assert refusal(disclosed(book, made).verify()) == ("V17", "ciphertext_invalid")


def test_the_sealed_bytes_are_not_there() -> None:
    maker = disclosed(*sent())
    maker.bodies = False
    verdict = maker.verify()
    assert gap_codes(verdict) == {"content_unopened"}
    assert verdict.content is None


def test_attachments_are_not_there() -> None:
    book, made = sent(attachments=[b"%PDF-1.7 report"])
    maker = disclosed(book, made)
    maker.sign()
    items = [item for item in maker.items() if getattr(item, "place", 0) == 0]
    verdict = verify_bundle(recounted(items), TYPES)
    assert gap_codes(verdict) == set()
    assert verdict.content is not None
    assert not verdict.content.attachments[0].opened
    assert "attachments_absent" in {line.code for line in verdict.unproven}


def broken() -> tuple[Logbook, Made]:
    """A bulletin whose content breaks its schema."""
    return sent(content=sample("training_notice") | {"body": {}})


def test_content_that_breaks_its_schema() -> None:
    assert refusal(disclosed(*broken()).verify()) == ("V17", "schema_invalid")


@pytest.mark.parametrize(
    ("code", "gaps"), [("schema_invalid", {"content_faulty"}), ("rule_broken", None)]
)
def test_content_that_was_rejected_for_just_that(code: str, gaps: set[str] | None) -> None:
    """The recipient was right: the bundle shows it, and shows no content as if it were good."""
    book, made = broken()
    book.state(Event.HANDOVER, made, THERE)
    book.state(Event.REJECTED, made, THERE, code)
    verdict = disclosed(book, made, KH).verify()
    if gaps is None:
        assert refusal(verdict) == ("V17", "schema_invalid")
    else:
        assert gap_codes(verdict) == gaps
        assert verdict.content is None


def test_an_author_who_was_no_officer_of_the_sender() -> None:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    la = book.agencies[LA]
    la.officer = SigningKey(Role.OFFICER, bytes(64))
    made, _ = book.submit(LA, KH)
    assert refusal(disclosed(book, made).verify()) == ("V17", "author_unknown")


def test_an_author_who_was_revoked_between_the_anchors_shown() -> None:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    ceremony = Ceremony(book.agencies[LA])
    ceremony.enrol()
    book.register(ceremony.operate([revoke(Role.OFFICER, book.agencies[LA].officer.key_id)]))
    made, _ = book.submit(LA, KH)
    maker = disclosed(book, made)
    assert refusal(maker.verify()) == ("V17", "author_revoked")
    maker.hidden = frozenset({1})
    assert gap_codes(maker.verify()) == {"revoked_between"}


def test_a_schema_that_this_program_does_not_have() -> None:
    maker = disclosed(*sent())
    maker.sign()
    verdict = verify_bundle(maker.items(), {})
    assert gap_codes(verdict) == {"schema_unknown"}
    assert verdict.content is not None
    assert not verdict.content.schema_checked


def test_what_is_shown_of_a_disclosure_is_plain_text() -> None:
    maker = disclosed(*sent(), to="\u202eCourt", logged=False)
    assert refusal(maker.verify()) == ("V15", "text_forbidden")


def test_two_disclosures_are_one_too_many() -> None:
    maker = disclosed(*sent())
    maker.sign()
    items = maker.items()
    place = next(i for i, item in enumerate(items) if isinstance(item, BundleDisclosure))
    items.insert(place, replaced(items[place]))
    assert refusal(verify_bundle(recounted(items), TYPES)) == ("V1", "evidence_large")


@pytest.mark.parametrize(("code", "gaps"), [("attachment_mismatch", True), (None, False)])
def test_an_attachment_that_is_not_the_signed_one(code: str | None, gaps: bool) -> None:
    """Its sealed bytes are those that the id covers, and hold something else."""
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    made = swapped_attachment(book.agencies[LA], book.time)
    book.submit(LA, KH, made)
    book.state(Event.HANDOVER, made, THERE)
    if code is not None:
        book.state(Event.REJECTED, made, THERE, code)
    verdict = disclosed(book, made, KH).verify()
    if not gaps:
        assert refusal(verdict) == ("V17", "attachment_mismatch")
        return
    assert gap_codes(verdict) == {"content_faulty"}
    assert verdict.content is not None
    assert [one.opened for one in verdict.content.attachments] == [False]


def swapped_attachment(sender: Agency, now: int) -> Made:
    """The officer has signed one file, and the node has sealed another one as long."""
    made = sender.bulletin([KH], now, attachments=[b"%PDF-1.7 signed"])
    other = seal_attachment(made.content_key, made.header_id, 0, b"%PDF-1.7 sealed")
    blob = Blob(len(other), sha256(other))
    record = Bulletin(made.header_id, Blob(len(made.ciphertext), made.ciphertext_digest), (blob,))
    return dataclasses.replace(
        made, attachments=(other,), bulletin_id=identity(BULLETIN_TYPE, encode(record))
    )
