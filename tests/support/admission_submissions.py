"""One defect for each step of a submission (schemas/spec/admission.md) that needs no store.

Each is good in all steps before its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace
from saphan_protocol.admission import BULLETIN_TYPE
from saphan_protocol.batch import sign_batch
from saphan_protocol.content import ATTACHMENT_SEALED_BYTES
from saphan_protocol.directory import operation_leaf
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity, sha256
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Types
from saphan_schemas.frames import Submission
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import BatchSignature, Blob, Bulletin, Consignment, Marking, Role

from support.admission_place import Place, Provoke, Row
from support.agency import NOTICE, Agency
from support.ceremony import NOW


def header(**changes: Any) -> Provoke:
    """A header with these fields exchanged, consigned and signed as it is."""
    place = Place()
    return lambda: place.judge(*place.consigned(**changes))


def part(**changes: Any) -> Provoke:
    """A good submission of which a part is exchanged after it was signed."""
    place = Place()
    submission, batch = place.consigned()
    return lambda: place.judge(replace(submission, **changes), batch)


def untrimmed(data: bytes) -> bytes:
    """The same record with its first element, a small number, in two bytes instead of one."""
    return data[:1] + b"\xcc" + data[1:]


def not_canonical() -> object:
    place = Place()
    submission, batch = place.consigned()
    return place.judge(replace(submission, header=untrimmed(submission.header)), batch)


def consigned_to(**changes: Any) -> Provoke:
    """The stanza's reference is exchanged and signed so."""
    place = Place()
    submission, _batch = place.consigned()
    consignment = decode(Consignment, submission.consignment, 1 << 14, "consignment")
    (ref,) = consignment.recipients
    return lambda: place.judge(
        *signed(place, submission, replace(consignment, recipients=(replace(ref, **changes),)))
    )


def signed(
    place: Place, submission: Submission, consignment: Consignment, key: Agency | None = None
) -> tuple[Submission, BatchSignature]:
    """The submission with another consignment, signed by LA's node key or another agency's."""
    body = encode(consignment)
    node = (key or place.la).node
    batch, (item,) = sign_batch(node, [(CONSIGNMENT_TYPE, body, place.la.random())])
    return replace(submission, consignment=body, item=item), batch


def by_key(key_id: Callable[[Place], bytes], key: Callable[[Place], Agency]) -> Provoke:
    """The consignment names a node key; another agency's may sign it."""
    place = Place()
    submission, _batch = place.consigned()
    consignment = decode(Consignment, submission.consignment, 1 << 14, "consignment")
    changed = replace(consignment, node_key=key_id(place))
    return lambda: place.judge(*signed(place, submission, changed, key(place)))


def after_revocation(role: Role) -> Provoke:
    """LA's node key or KH's mailbox key is revoked before it is judged."""
    place = Place()
    agency = place.la if role is Role.NODE else place.kh
    key_id = agency.node.key_id if role is Role.NODE else agency.mailbox.key_id
    submission, batch = place.consigned()
    place.revoke(agency, role, key_id)
    return lambda: place.judge(submission, batch)


def with_batch(
    change: Callable[[BatchSignature, BatchSignature], BatchSignature | None],
) -> Provoke:
    """Another signature comes with the item than the one that was made for it."""
    place = Place()
    submission, batch = place.consigned()
    _other, foreign = place.consigned()
    return lambda: place.judge(submission, change(batch, foreign))


def later(days: int, **changes: Any) -> Provoke:
    """Made and judged so many days later, when mailbox keys may have ended."""
    place = Place()
    place.now = NOW + days * DAY_MS
    submission, batch = place.consigned(created=place.now, retain_until=23_500, **changes)
    return lambda: place.judge(submission, batch)


def under(**terms: Any) -> Provoke:
    """Under an agreement with other terms."""
    place = Place(**terms)
    return lambda: place.judge(*place.consigned())


def ordered(action: str) -> Provoke:
    """KH has given an order on the agreement."""
    place = Place()
    submission, batch = place.consigned()
    place.order(place.kh, action)
    return lambda: place.judge(submission, batch)


def no_agreement() -> object:
    place = Place()
    place.directory.apply(operation_leaf(Agency("th.oncb", NOW).enrolment()))
    made = place.la.bulletin(["th.oncb"], NOW)
    return place.judge(*place.consigned(made, [Agency("th.oncb", NOW)]))


def no_schema() -> object:
    known = tuple(one for one in known_types() if one.name != NOTICE)
    place = Place(types=Types(known))
    return place.judge(*place.consigned())


def declaring(*lengths: int) -> Provoke:
    """Attachments of these sealed lengths, all of them covered by the bulletin id."""
    place = Place()
    made = place.la.bulletin(["kh.gpo"], NOW)
    blobs = tuple(Blob(length, bytes((at,)) * 32) for at, length in enumerate(lengths))
    ciphertext = Blob(len(made.ciphertext), made.ciphertext_digest)
    made.bulletin_id = identity(BULLETIN_TYPE, encode(Bulletin(made.header_id, ciphertext, blobs)))
    submission, batch = place.consigned(made)
    return lambda: place.judge(replace(submission, attachments=blobs), batch)


def unpadded() -> object:
    """A ciphertext of a length that sealing never gives, covered by the bulletin id."""
    place = Place()
    made = place.la.bulletin(["kh.gpo"], NOW)
    made.ciphertext += b"\x00"
    blob = Blob(len(made.ciphertext), sha256(made.ciphertext))
    made.bulletin_id = identity(BULLETIN_TYPE, encode(Bulletin(made.header_id, blob, ())))
    return place.judge(*place.consigned(made))


def _stanzas() -> tuple[bytes, ...]:
    return Place().consigned(nonce=b"\x07" * 16)[0].stanzas


RANDOM: Final = b"\x55" * 32
SUBMISSIONS: Final = (
    Row("1", "too_large", "a header of 9 KiB", part(header=bytes(9 * 1024))),
    Row("2.1", "malformed", "a consignment that is text", part(consignment=b"\xa5hello")),
    Row("2.2", "not_canonical", "a number in two bytes", not_canonical),
    Row("3", "suite_unknown", "suite 2", header(suite=2)),
    Row("4.1", "recipients_malformed", "the sender is addressed", header(recipients=("la.ospp",))),
    Row(
        "4.2",
        "marking_malformed",
        "handling codes out of order",
        header(marking=Marking("amber", ("H1", "H0"))),
    ),
    Row("4.3", "times_malformed", "a deadline before it was made", header(expires=NOW - 1)),
    Row(
        "5",
        "sender_not_peer",
        "another agency's session",
        lambda: (lambda p: p.judge(*p.consigned(), peer="kh.gpo"))(Place()),
    ),
    Row("6.1", "key_unknown", "nobody's key", by_key(lambda p: RANDOM, lambda p: p.la)),
    Row("6.2", "key_role", "an officer's", by_key(lambda p: p.la.officer.key_id, lambda p: p.la)),
    Row("6.3", "key_revoked", "a revoked one", after_revocation(Role.NODE)),
    Row("6.4", "key_foreign", "KH's", by_key(lambda p: p.kh.node.key_id, lambda p: p.kh)),
    Row("7.1", "signature_missing", "none came", with_batch(lambda own, other: None)),
    Row("7.2", "batch_path", "another batch's", with_batch(lambda own, other: other)),
    Row(
        "7.3",
        "key_mismatch",
        "by another key",
        with_batch(lambda own, other: replace(own, key=RANDOM)),
    ),
    Row(
        "7.4",
        "signature_invalid",
        "of other bytes",
        with_batch(lambda own, other: replace(own, signature=other.signature)),
    ),
    Row("8", "bulletin_id", "another ciphertext", part(ciphertext=bytes(4136))),
    Row(
        "9.1",
        "created_in_future",
        "a minute and a bit ahead",
        header(created=NOW + LIMITS.skew_ms + 1),
    ),
    Row("9.2", "expired", "its time is over", header(created=NOW - DAY_MS, expires=NOW)),
    Row("9.3", "retention_over", "due today", header(retain_until=NOW // DAY_MS)),
    Row(
        "9.4",
        "expires_too_late",
        "401 days to deliver",
        header(expires=NOW + LIMITS.max_expiry_ms + 1),
    ),
    Row("10.1", "agreement_missing", "to an agency without one", no_agreement),
    Row("10.2", "agreement_dates", "it begins tomorrow", under(valid_from=NOW + DAY_MS)),
    Row("10.3", "agreement_schema", "of no rule", header(schema="saphan/subject_notice/1")),
    Row(
        "10.4",
        "agreement_marking",
        "a code that was not agreed",
        header(marking=Marking("amber", ("H0", "H3")), retain_until=NOW // DAY_MS + 4001),
    ),
    Row(
        "10.5",
        "agreement_retention",
        "a day more than agreed",
        header(retain_until=NOW // DAY_MS + 4001),
    ),
    Row("10.6", "agreement_ended", "terminated", ordered("terminate")),
    Row("10.7", "agreement_suspended", "suspended", ordered("suspend")),
    Row("11.1", "schema_unregistered", "the directory lacks it", no_schema),
    Row("11.2", "schema_digest", "another text of it", header(schema_digest=RANDOM)),
    Row("12.1", "key_unknown", "nobody's mailbox", consigned_to(mailbox_key=RANDOM)),
    Row(
        "12.2",
        "key_role",
        "KH's node key",
        consigned_to(mailbox_key=Agency("kh.gpo", NOW).node.key_id),
    ),
    Row("12.3", "key_revoked", "a revoked mailbox", after_revocation(Role.MAILBOX)),
    Row(
        "12.4",
        "key_foreign",
        "LA's own mailbox",
        consigned_to(mailbox_key=Agency("la.ospp", NOW).mailbox.key_id),
    ),
    Row("12.5", "mailbox_ended", "801 days on", later(801, expires=NOW + 802 * DAY_MS)),
    Row(
        "12.6",
        "mailbox_ends_first",
        "expires a day after it",
        later(700, expires=NOW + 801 * DAY_MS),
    ),
    Row("13.1", "ciphertext_length", "a byte too many", unpadded),
    Row("13.2", "stanza_count", "none", part(stanzas=())),
    Row("13.3", "stanza_digest", "another bulletin's", part(stanzas=_stanzas())),
    Row("13.4", "attachment_length", "a length of no bucket", declaring(4097)),
    Row(
        "13.5",
        "attachments_too_large",
        "three of the longest",
        declaring(*3 * [ATTACHMENT_SEALED_BYTES]),
    ),
)
