"""Admission, step by step: one defect each, and the code that must name it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from saphan_protocol.admission import (
    Admitted,
    Facts,
    RefusedAfterSignature,
    admit,
    admit_statement,
    check_subject,
)
from saphan_protocol.directory import Directory, operation_leaf
from saphan_protocol.opening import open_bulletin
from saphan_protocol.stanza import open_stanza
from saphan_schemas.errors import SaphanError
from saphan_schemas.frames import StatementItem, Submission
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import LAST_DAY, BatchSignature, Event, Marking, Role, SealedDetail
from support.agency import Agency, Made
from support.ceremony import NOW, Ceremony, build_directory, replay, revoke

LA, KH = Agency("la.ospp", NOW), Agency("kh.gpo", NOW)
DIRECTORY, LEAVES, PACKAGE = build_directory([LA, KH])


def submit(**changes: Any) -> tuple[Made, Submission, BatchSignature]:
    made = LA.bulletin(changes.pop("to", ["kh.gpo"]), NOW, **changes)
    (submission,), batch = LA.submissions([made], [KH])
    return made, submission, batch


def judge(
    submission: Submission,
    batch: BatchSignature | None,
    directory: Directory = DIRECTORY,
    now: int = NOW,
    peer: str | None = "la.ospp",
) -> Admitted:
    s = submission
    facts = Facts(directory, now)
    return admit(
        s.header,
        s.consignment,
        s.item,
        batch,
        s.ciphertext,
        facts,
        peer=peer,
        stanzas=s.stanzas,
        attachments=s.attachments,
    )


def code_of(call: Callable[[], object], after_signature: bool | None = None) -> str:
    with pytest.raises(SaphanError) as caught:
        call()
    if after_signature is not None:
        assert isinstance(caught.value, RefusedAfterSignature) is after_signature
    return caught.value.code


def test_a_good_bulletin_is_admitted_and_opens() -> None:
    made, submission, batch = submit()
    admitted = judge(submission, batch)
    assert admitted.bulletin_id == made.bulletin_id
    key = open_stanza(submission.stanzas[0], KH.mailbox, admitted.bulletin_id, "kh.gpo")
    opened = open_bulletin(
        key, admitted.header, admitted.header_id, submission.ciphertext, DIRECTORY, None
    )
    assert opened.authors[0].handle == "officer"


def test_the_due_day_is_the_earlier_of_retention_and_grace() -> None:
    _, submission, batch = submit()
    assert judge(submission, batch).due_day == NOW // DAY_MS + 14 + 30
    _, submission, batch = submit(retain_until=NOW // DAY_MS + 20)
    assert judge(submission, batch).due_day == NOW // DAY_MS + 20


@pytest.mark.parametrize(
    ("changes", "code"),
    (
        ({"suite": 2}, "suite_unknown"),
        ({"to": ("kh.gpo", "kh.gpo")}, "recipients_malformed"),
        ({"to": ("kh.gpo", "la.ospp")}, "recipients_malformed"),
        ({"to": ("th.x",)}, "recipients_malformed"),
        ({"marking": Marking("amber", ("H1", "H0"))}, "marking_malformed"),
        ({"expires": NOW}, "times_malformed"),
        ({"answer_by": NOW - 1}, "times_malformed"),
        ({"answer_by": NOW + 365 * DAY_MS}, "times_malformed"),
        ({"answer_by": 253_402_300_800_000}, "malformed"),
        ({"retain_until": LAST_DAY + 1}, "malformed"),
        ({"retain_until": 0}, "times_malformed"),
        ({"sender": "th.x"}, "sender_not_peer"),
    ),
)
def test_before_the_signature_check_a_refusal_is_a_plain_error(
    changes: dict[str, Any], code: str
) -> None:
    _, submission, batch = submit(**changes)
    assert code_of(lambda: judge(submission, batch), after_signature=False) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    (
        ({"created": NOW + LIMITS.skew_ms + 1}, "created_in_future"),
        ({"created": NOW - 2 * DAY_MS, "expires": NOW}, "expired"),
        ({"expires": NOW + LIMITS.max_expiry_ms + 1}, "expires_too_late"),
        ({"marking": Marking("red", ("H0",))}, "agreement_marking"),
        ({"marking": Marking("amber", ("H0", "H3"))}, "agreement_marking"),
        (
            {"created": NOW - 3 * DAY_MS, "retain_until": NOW // DAY_MS - 3},
            "retention_over",
        ),
        ({"retain_until": NOW // DAY_MS}, "retention_over"),
        ({"retain_until": NOW // DAY_MS + 4001}, "agreement_retention"),
        ({"schema": "saphan/subject_notice/1"}, "agreement_schema"),
        ({"schema_digest": b"\x00" * 32}, "schema_digest"),
        ({"nonce": b"\x09" * 16}, None),
    ),
)
def test_after_the_signature_check_a_refusal_is_a_record(
    changes: dict[str, Any], code: str | None
) -> None:
    _, submission, batch = submit(**changes)
    if code is None:
        assert judge(submission, batch).header.sender == "la.ospp"
    else:
        assert code_of(lambda: judge(submission, batch), after_signature=True) == code


def test_age_alone_refuses_nothing() -> None:
    _, submission, batch = submit(created=NOW - 10 * DAY_MS, expires=NOW + DAY_MS)
    assert judge(submission, batch).header.sender == "la.ospp"


def test_an_agency_without_agreement_is_refused() -> None:
    directory = replay(LEAVES)
    _, submission, batch = submit()
    assert code_of(lambda: judge(submission, batch, directory), True) == "agreement_missing"


def test_an_agreement_outside_its_dates_permits_nothing() -> None:
    later = NOW + 3001 * DAY_MS
    _, submission, batch = submit(created=later, expires=later + DAY_MS, retain_until=60_000)
    assert code_of(lambda: judge(submission, batch, now=later), True) == "agreement_dates"


def test_an_unknown_agency_is_refused() -> None:
    stranger = Agency("th.oncb", NOW)
    made = stranger.bulletin(["kh.gpo"], NOW)
    (submission,), batch = stranger.submissions([made], [KH])
    assert code_of(lambda: judge(submission, batch, peer="th.oncb"), False) == "key_unknown"


def test_a_node_key_revoked_before_is_refused() -> None:
    ceremony = Ceremony(LA)
    leaves = [LEAVES[0], operation_leaf(ceremony.enrol()), *LEAVES[2:]]
    leaves.append(operation_leaf(ceremony.operate([revoke(Role.NODE, LA.node.key_id)])))
    _, submission, batch = submit()
    directory = replay(leaves, PACKAGE)
    assert code_of(lambda: judge(submission, batch, directory), False) == "key_revoked"


def test_a_revoked_mailbox_key_is_refused() -> None:
    ceremony = Ceremony(KH)
    leaves = [*LEAVES[:2], operation_leaf(ceremony.enrol()), *LEAVES[3:]]
    leaves.append(operation_leaf(ceremony.operate([revoke(Role.MAILBOX, KH.mailbox.key_id)])))
    _, submission, batch = submit()
    assert code_of(lambda: judge(submission, batch, replay(leaves, PACKAGE)), True) == "key_revoked"


def test_a_mailbox_key_past_its_end_is_refused() -> None:
    later = NOW + 801 * DAY_MS
    _, submission, batch = submit(created=later, expires=later + DAY_MS, retain_until=21_500)
    assert code_of(lambda: judge(submission, batch, now=later), True) == "mailbox_ended"


def test_a_bulletin_that_outlives_the_mailbox_key_is_refused() -> None:
    created = NOW + 700 * DAY_MS
    changes = {"created": created, "expires": created + 101 * DAY_MS, "retain_until": 21_500}
    _, submission, batch = submit(**changes)
    assert code_of(lambda: judge(submission, batch, now=created), True) == "mailbox_ends_first"


def test_a_stanza_for_another_agency_s_mailbox_is_refused() -> None:
    made = LA.bulletin(["kh.gpo"], NOW)
    impostor = Agency("kh.gpo", NOW)
    impostor.mailbox = LA.mailbox
    (submission,), batch = LA.submissions([made], [impostor])
    assert code_of(lambda: judge(submission, batch), True) == "key_foreign"


def test_another_agency_s_node_cannot_consign() -> None:
    made = LA.bulletin(["kh.gpo"], NOW)
    borrowed = Agency("la.ospp", NOW)
    borrowed.node = KH.node
    (submission,), batch = borrowed.submissions([made], [KH])
    assert code_of(lambda: judge(submission, batch), False) == "key_foreign"


def test_missing_and_foreign_signatures_are_refused() -> None:
    _, submission, batch = submit()
    _, _, other = submit()
    assert code_of(lambda: judge(submission, None), False) == "signature_missing"
    assert code_of(lambda: judge(submission, other), False) == "batch_path"
    forged = msgspec.structs.replace(batch, signature=other.signature)
    assert code_of(lambda: judge(submission, forged), False) == "signature_invalid"


def test_stanzas_must_be_the_consigned_ones() -> None:
    _, submission, batch = submit()
    _, other, _ = submit()
    swapped = msgspec.structs.replace(submission, stanzas=other.stanzas)
    assert code_of(lambda: judge(swapped, batch), True) == "stanza_digest"
    doubled = msgspec.structs.replace(submission, stanzas=submission.stanzas * 2)
    assert code_of(lambda: judge(doubled, batch), True) == "stanza_count"


def test_other_ciphertext_is_another_bulletin() -> None:
    _, submission, batch = submit()
    for ciphertext in (submission.ciphertext[:-1], b"", submission.ciphertext + b"\x00"):
        cut = msgspec.structs.replace(submission, ciphertext=ciphertext)
        assert code_of(lambda s=cut: judge(s, batch), True) == "bulletin_id"  # type: ignore[misc]


DETAIL = SealedDetail(b"\x01" * 32, b"\x02" * 2160)


def say(event: Event = Event.HANDOVER, **changes: Any) -> tuple[StatementItem, BatchSignature]:
    about = [(b"\x01" * 32, b"\x02" * 32)]
    arguments: dict[str, Any] = {"corridor": ("la.ospp", "kh.gpo"), "now": NOW} | changes
    (item,), batch = KH.statements(event, about, **arguments)
    return item, batch


def hear(
    item: StatementItem, batch: BatchSignature, peer: str = "kh.gpo", event: Event | None = None
) -> object:
    corridor = (item.sender, item.recipient)
    facts = Facts(DIRECTORY, NOW)
    return admit_statement(
        event or item.event, item.statement, item.item, batch, corridor, facts, peer=peer
    )


def test_a_statement_by_the_recipient_is_admitted() -> None:
    assert hear(*say())


@pytest.mark.parametrize(
    ("arguments", "code"),
    (
        ({"event": Event.RECALLED, "code": "error"}, "issuer_wrong"),
        ({"event": Event.EXPIRED, "code": "undelivered"}, "issuer_wrong"),
        ({"corridor": ("kh.gpo", "la.ospp")}, "issuer_wrong"),
        ({"now": NOW + LIMITS.skew_ms + 1}, "stated_in_future"),
        ({"event": Event.REJECTED, "code": "no_such_code"}, "code_unknown"),
        ({"event": Event.REJECTED, "code": None}, "code_unknown"),
        ({"event": Event.ACCEPTED, "code": "undelivered"}, "code_unknown"),
        ({"event": Event.HANDOVER, "detail": b"\x01" * 32}, "detail_malformed"),
        ({"event": Event.ACCEPTED, "detail": DETAIL}, "detail_malformed"),
        (
            {"event": Event.REJECTED, "code": "rule_broken", "detail": b"\x01" * 32},
            "detail_malformed",
        ),
        ({"event": Event.READ, "detail": DETAIL}, "detail_malformed"),
        ({"event": Event.READ, "code": "system", "detail": b"\x01" * 32}, "detail_malformed"),
    ),
)
def test_statements_that_may_not_be_made(arguments: dict[str, Any], code: str) -> None:
    item, batch = say(**arguments)
    assert code_of(lambda: hear(item, batch)) == code


def test_a_statement_counts_for_its_own_event_only() -> None:
    item, batch = say(Event.HANDOVER)
    assert code_of(lambda: hear(item, batch, event=Event.ACCEPTED)) == "batch_path"


def test_nobody_speaks_for_another_agency() -> None:
    item, batch = say()
    assert code_of(lambda: hear(item, batch, peer="la.ospp")) == "sender_not_peer"


def test_a_statement_names_the_exact_bytes() -> None:
    admitted = hear(*say())
    statement = admitted.statement  # type: ignore[attr-defined]
    check_subject(statement, b"\x01" * 32, b"\x02" * 32)
    assert code_of(lambda: check_subject(statement, b"\x01" * 32, b"\x03" * 32)) == (
        "statement_subject"
    )


def test_a_recipient_judges_by_its_own_agreements_only() -> None:
    """la.ospp sends to kh.gpo and vn.vks under two agreements; kh.gpo holds the first one alone."""
    vn = Agency("vn.vks", NOW)
    directory, _, _ = build_directory([LA, KH])
    directory.apply(operation_leaf(vn.enrolment()))
    made = LA.bulletin(["kh.gpo", "vn.vks"], NOW)
    (s,), batch = LA.submissions([made], [KH, vn])

    def at(party: str | None) -> Admitted:
        facts = Facts(directory, NOW, party=party)
        return admit(
            s.header, s.consignment, s.item, batch, s.ciphertext, facts, peer=None, stanzas=None
        )

    assert at("kh.gpo").bulletin_id == made.bulletin_id
    assert code_of(lambda: at("vn.vks")) == "agreement_missing"
    assert code_of(lambda: at("la.ospp")) == "agreement_missing"
    assert code_of(lambda: at(None)) == "agreement_missing"
