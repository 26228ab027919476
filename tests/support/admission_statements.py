"""One defect for each step of a statement and of a release that needs no store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace
from saphan_protocol.admission import check_subject
from saphan_protocol.delivery import State, Step, step
from saphan_protocol.release import check_release
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature, Event, Role

from support.admission_place import Place, Provoke, Row
from support.ceremony import NOW

RANDOM: Final = b"\x55" * 32


def say(event: Event = Event.HANDOVER, **changes: Any) -> Provoke:
    """A statement of these, signed as it is."""
    place = Place()
    return lambda: place.hear(*place.said(event, **changes))


def statement(change: Callable[[bytes], bytes]) -> Provoke:
    """A good statement whose bytes are exchanged after it was signed."""
    place = Place()
    item, batch = place.said()
    return lambda: place.hear(replace(item, statement=change(item.statement)), batch)


def statement_key(key_id: Callable[[Place], bytes]) -> Provoke:
    place = Place()
    item, batch = place.said()
    changed = replace(item.item, key=key_id(place))
    return lambda: place.hear(replace(item, item=changed), batch)


def statement_revoked() -> object:
    place = Place()
    place.revoke(place.kh, Role.NODE, place.kh.node.key_id)
    return place.hear(*place.said())


def statement_batch(
    change: Callable[[BatchSignature, BatchSignature], BatchSignature | None],
) -> Provoke:
    place = Place()
    item, batch = place.said()
    _other, foreign = place.said()
    return lambda: place.hear(item, change(batch, foreign))


def subject() -> None:
    place = Place()
    item, batch = place.said()
    admitted: Any = place.hear(item, batch)
    check_subject(admitted.statement, b"\x01" * 32, RANDOM)


STATEMENTS: Final = (
    Row("S1.1", "too_large", "5 KiB", statement(lambda data: data + bytes(5 * 1024))),
    Row("S1.2", "malformed", "text", statement(lambda data: b"\xa5hello")),
    Row(
        "S1.3",
        "not_canonical",
        "a digest's length in three bytes",
        statement(lambda data: data[:1] + b"\xc5\x00" + data[2:]),
    ),
    Row("S2.1", "code_unknown", "a code of no event", say(Event.REJECTED, code="tired")),
    Row("S2.2", "detail_malformed", "a detail of a handover", say(detail=RANDOM)),
    Row(
        "S2.3",
        "corridor_wrong",
        "an export in the corridor of a delivery",
        say(Event.EXPORTED, code="disclosed", detail=RANDOM),
    ),
    Row("S3.1", "issuer_wrong", "the recipient recalls", say(Event.RECALLED, code="error")),
    Row(
        "S3.2",
        "sender_not_peer",
        "the sender's session",
        lambda: (lambda p: p.hear(*p.said(), peer="la.ospp"))(Place()),
    ),
    Row("S4", "stated_in_future", "61 s ahead", say(now=NOW + LIMITS.skew_ms + 1)),
    Row("S5.1", "key_unknown", "nobody's key", statement_key(lambda p: RANDOM)),
    Row("S5.2", "key_role", "an officer's", statement_key(lambda p: p.kh.officer.key_id)),
    Row("S5.3", "key_revoked", "a revoked one", statement_revoked),
    Row("S5.4", "key_foreign", "the sender's", statement_key(lambda p: p.la.node.key_id)),
    Row("S6.1", "signature_missing", "none came", statement_batch(lambda own, other: None)),
    Row(
        "S6.2",
        "batch_path",
        "signed as another event",
        lambda: (lambda p: p.hear(*p.said(), event=Event.ACCEPTED))(Place()),
    ),
    Row(
        "S6.3",
        "key_mismatch",
        "by another key",
        statement_batch(lambda own, other: replace(own, key=RANDOM)),
    ),
    Row(
        "S6.4",
        "signature_invalid",
        "of other bytes",
        statement_batch(lambda own, other: replace(own, signature=other.signature)),
    ),
    Row("S7.2", "statement_subject", "of other bytes", subject),
    Row(
        "S8.1",
        "already_decided",
        "a handover after the expiry",
        lambda: step(State.EXPIRED, Step.HANDOVER),
    ),
    Row(
        "S8.2",
        "order_illegal",
        "accepted before it was handed over",
        lambda: step(State.SUBMITTED, Step.ACCEPTED),
    ),
)

# --- a release -----------------------------------------------------------------------------------


def release(then: Callable[[Place], None], **terms: Any) -> Provoke:
    """A handover is judged after something has happened."""
    place = Place(**terms)
    made = place.la.bulletin(["kh.gpo"], NOW)
    then(place)
    keys = (place.la.node.key_id, place.kh.mailbox.key_id)
    return lambda: check_release(made.header, "kh.gpo", *keys, place.facts)


RELEASES: Final = (
    Row(
        "R1",
        "consignment_revoked",
        "the sender's node key is revoked",
        release(lambda p: p.revoke(p.la, Role.NODE, p.la.node.key_id)),
    ),
    Row(
        "R2",
        "mailbox_revoked",
        "the recipient's mailbox key is revoked",
        release(lambda p: p.revoke(p.kh, Role.MAILBOX, p.kh.mailbox.key_id)),
    ),
    Row(
        "R3",
        "agreement_stopped",
        "suspended, and it stops what is in flight",
        release(lambda p: p.order(p.la, "suspend"), in_flight="stop"),
    ),
)
