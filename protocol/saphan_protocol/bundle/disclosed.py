"""The disclosure of a bundle: the content key, and the record of who gave it away (V15)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saphan_schemas.bundles import DISCLOSURE_BYTES, BundleDisclosure, Disclosure
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import Event, Role
from saphan_schemas.text import check_text

from saphan_protocol.admission import Facts
from saphan_protocol.batch import verify_one
from saphan_protocol.bundle.facts import DisclosureSeen, Proof
from saphan_protocol.bundle.judging import Judge
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.seen import key_seen
from saphan_protocol.bundle.subject import About, Judged
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.delivery import DISCLOSED
from saphan_protocol.disclosure import DISCLOSURE_TYPE, disclosure_commitment
from saphan_protocol.identity import sha256


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A disclosure that holds, and the 32-byte key that it is about."""

    seen: DisclosureSeen
    content_key: bytes


def check_disclosure(
    item: BundleDisclosure,
    about: About,
    own: Iterable[Judged],
    logs: Logs,
    judge: Judge,
    trail: Trail,
) -> Disclosed:
    """Step V15.

    Args:
        own: refusals and exports that the bundle shows.

    Raises:
        InvalidInput: codec codes, `disclosure_differs`, `disclosure_key`, `signature_invalid`,
            `text_forbidden`. Refused: `key_*`.
    """
    trail.at(BundleStep.DISCLOSURE)
    record = decode(Disclosure, item.disclosure, DISCLOSURE_BYTES, "disclosure")
    _check_record(record, about)
    if sha256(item.content_key) != record.key_digest:
        raise InvalidInput(
            "disclosure_key",
            "the content key is not the one that the disclosure names",
            field="bundle.content_key",
        )
    exported = _logged(item, record, own)
    _check_signature(item, record, exported, logs, judge)
    if exported is None:
        trail.gap("disclosure_unlogged", agency=record.agency)
    seen = DisclosureSeen(
        agency=record.agency,
        to=record.to,
        reason=record.reason,
        handle=record.handle,
        time=record.time,
        key=key_seen(logs.directory, item.signature.item.key),
        index=None if exported is None else exported.logged.index,
    )
    return Disclosed(seen, item.content_key)


def _check_record(record: Disclosure, about: About) -> None:
    blob, header = about.first.shown.ciphertext, about.header
    same = blob is not None and record.ciphertext == blob.digest
    if record.bulletin != about.bulletin or not same:
        raise _differs("it is about another bulletin")
    if record.agency not in (header.sender, *header.recipients):
        raise _differs(f"{record.agency} is no party to the bulletin")
    check_text(record.to, "disclosure.to")
    check_text(record.reason, "disclosure.reason")


def _logged(item: BundleDisclosure, record: Disclosure, own: Iterable[Judged]) -> Judged | None:
    """The first `exported` statement of that agency that commits to this very record."""
    detail = disclosure_commitment(item.salt, item.disclosure)
    for one in own:
        said = one.statement
        if one.event is not Event.EXPORTED or said is None or one.proof is not Proof.SIGNED:
            continue
        if said.code != DISCLOSED:
            continue  # another export
        if said.issuer == record.agency and said.detail == detail:
            return one
    return None


def _check_signature(
    item: BundleDisclosure,
    record: Disclosure,
    exported: Judged | None,
    logs: Logs,
    judge: Judge,
) -> None:
    key_id = item.signature.item.key

    def check(facts: Facts) -> None:
        key = facts.directory.key(key_id, Role.NODE, facts.at)
        if key.agency != record.agency:
            raise Refused(
                "key_foreign",
                f"the key is {key.agency}'s, not {record.agency}'s",
                field="disclosure.signature",
            )
        verifying = facts.directory.verifying(key_id)
        verify_one(item.signature, verifying, DISCLOSURE_TYPE, item.disclosure, judge.verified)

    if exported is not None:
        judge.at_each(exported.logged, exported.bracket, check)
    else:  # nothing says when: the key must not have been revoked at all
        check(Facts(logs.directory, record.time, logs.directory.size))


def _differs(why: str) -> InvalidInput:
    return InvalidInput(
        "disclosure_differs",
        f"the disclosure does not belong to this bundle: {why}",
        field="bundle.disclosure",
    )
