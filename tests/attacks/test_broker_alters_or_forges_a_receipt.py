"""The broker wants a receipt to say something else than its maker said, or to exist at all. It
holds the log and its keys; what it does not hold is kh.gpo's node key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.batch import sign_batch
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import BROKER, Event, LeafType, Role, Statement, statement_type
from support.agency import Agency, Made, seed
from support.audits import KH, LA, THERE, at, found
from support.ceremony import NOW
from support.logbook import Logbook

SIGNED = AuditStep.SIGNED


@pytest.fixture
def book() -> Logbook:
    return Logbook((Agency(LA, NOW), Agency(KH, NOW)))


def handed_over(book: Logbook) -> Made:
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    return made


def said(book: Logbook, made: Made, event: Event, code: str | None = None) -> Any:
    """A receipt of kh.gpo, as it left its node."""
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = book.agencies[KH].statements(event, about, THERE, book.time, code)
    return item, batch


ALTERED: dict[str, Callable[[Statement], Statement]] = {
    "another bulletin": lambda one: replace(one, bulletin=bytes(32)),
    "another ciphertext": lambda one: replace(one, ciphertext=bytes(32)),
    "another issuer": lambda one: replace(one, issuer=LA),
    "another time": lambda one: replace(one, time=one.time - 1),
    "another code": lambda one: replace(one, code="schema_invalid"),
    "no code": lambda one: replace(one, code=None),
    "another detail": lambda one: replace(one, detail=bytes(32)),
}


@pytest.mark.parametrize("what", ALTERED)
def test_a_field_of_a_receipt_is_altered(book: Logbook, what: str) -> None:
    """He logs what he made of it, under its own identity, so that the log fits."""
    made = handed_over(book)
    item, batch = said(book, made, Event.REJECTED, "text_forbidden")
    own = decode(Statement, item.statement, LIMITS.statement_bytes, "statement")
    other = replace(item, statement=encode(ALTERED[what](own)))
    assert other.statement != item.statement
    index = book.log_statement(other, batch)
    log, where, step, code = found(book.audit())
    assert (log, where, step) == ("evidence", index, SIGNED)
    assert code in {"signature_missing", "issuer_wrong", "code_unknown", "detail_malformed"}


@pytest.mark.parametrize("event", (Event.ACCEPTED, Event.UNOPENED, Event.READ, Event.HANDOVER))
def test_a_receipt_is_logged_as_another_event(book: Logbook, event: Event) -> None:
    """The event is what the signature is over, beside the bytes."""
    made = handed_over(book)
    item, batch = said(book, made, Event.REJECTED, "text_forbidden")
    index = book.log_statement(replace(item, event=event), batch)
    assert found(book.audit())[:3] == ("evidence", index, SIGNED)


def test_a_receipt_of_one_bulletin_stands_in_for_anothers(book: Logbook) -> None:
    """It names its bulletin: logged again, it decides nothing about the other one."""
    first, second = handed_over(book), handed_over(book)
    item, batch = said(book, first, Event.ACCEPTED)
    book.log_statement(item, batch)
    again = book.log_statement(item, batch)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "already_decided")
    assert second.bulletin_id not in item.statement


def test_a_receipt_is_put_into_another_corridor(book: Logbook) -> None:
    made = handed_over(book)
    item, batch = said(book, made, Event.ACCEPTED)
    index = book.log_statement(replace(item, sender=KH, recipient=LA), batch)
    assert found(book.audit()) == at(index, SIGNED, "issuer_wrong")


@pytest.mark.parametrize("key", ("his own", "the sender's", "kh.gpo's officer's"))
def test_a_receipt_is_forged_under_another_key(book: Logbook, key: str) -> None:
    made = handed_over(book)
    signer = {
        "his own": SigningKey(Role.NODE, seed("the broker's", 64)),
        "the sender's": book.agencies[LA].node,
        "kh.gpo's officer's": book.agencies[KH].officer,
    }[key]
    body = encode(Statement(made.bulletin_id, made.ciphertext_digest, KH, book.time, None, None))
    salt = bytes(32)
    batch, (item,) = sign_batch(signer, [(statement_type(Event.ACCEPTED), body, salt)])
    genuine, _ = said(book, made, Event.ACCEPTED)
    index = book.log_statement(replace(genuine, statement=body, item=item), batch)
    log, where, step, code = found(book.audit())
    assert (log, where, step) == ("evidence", index, SIGNED)
    assert code in {"key_unknown", "key_role", "key_foreign"}


@pytest.mark.parametrize("event", (Event.HANDOVER, Event.ACCEPTED, Event.RECALLED))
def test_he_says_himself_what_only_an_agency_can_say(book: Logbook, event: Event) -> None:
    made, _ = book.submit(LA, KH)
    body = encode(Statement(made.bulletin_id, made.ciphertext_digest, BROKER, NOW, None, None))
    index = book.enter(THERE, LeafType[event.name], statement_type(event), body)
    assert found(book.audit()) == at(index, SIGNED, "signature_missing")


def test_he_lets_expire_what_was_not_due(book: Logbook) -> None:
    """His own events need no signature; what bounds them is the header that la.ospp signed."""
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires - 2 * LIMITS.skew_ms
    index = book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    assert found(book.audit()) == at(index, AuditStep.DELIVERY, "expired_early")


def test_he_lets_expire_what_was_handed_over(book: Logbook) -> None:
    made = handed_over(book)
    book.time = made.header.expires + DAY_MS
    index = book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    assert found(book.audit()) == at(index, AuditStep.DELIVERY, "expired_code")


def test_he_takes_back_an_outcome(book: Logbook) -> None:
    made = book.deliver(LA, KH)
    book.time = made.header.expires + 40 * DAY_MS
    index = book.broker_states(Event.EXPIRED, made, THERE, "no_outcome")
    assert found(book.audit()) == at(index, AuditStep.DELIVERY, "already_decided")
