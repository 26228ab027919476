"""An agreement on its way round the parties: proposed, shown, signed by each, finished.

The draft is a JSON file that travels by hand or mail: {"saphan": "agreement-draft/1", agreement,
roots, signatures}, all base64. The finished file is the canonical SignedAgreement with its salt;
that is what a node hands to the broker.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from saphan_protocol.agreement import AGREEMENT_TYPE, check_agreement, parse_agreement
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey, VerifyingKey, check_public_key, key_id
from saphan_protocol.pins import Pins
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Agreement, Party, SignedAgreement
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import Role, Signature
from saphan_schemas.strict_json import parse_json

from saphan.agency_file import AgencyFile
from saphan.agreements.terms import Terms, make_agreement
from saphan.base64_text import bytes_of, text_of
from saphan.draft_signature import check_signature

DRAFT_FORMAT: Final = "agreement-draft/1"
DRAFT_BYTES: Final = 8 * 1024 * 1024
"""64 KiB of text, 512 roots and 512 signatures of 3.5 KiB, in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A proposed agreement with the signatures that hold so far.

    Args:
        text: exact bytes that are signed.
        agreement: what they say.
        roots: key id to public key of every party's roots.
        signatures: checked, at most one for each root.
    """

    text: bytes
    agreement: Agreement
    roots: dict[bytes, bytes]
    signatures: tuple[Signature, ...] = ()

    def signers(self, party: Party) -> int:
        """How many of a party's roots have signed."""
        return sum(signature.item.key in party.roots for signature in self.signatures)

    @property
    def missing(self) -> tuple[str, ...]:
        """Agencies whose threshold is not reached yet."""
        return tuple(p.agency for p in self.agreement.parties if self.signers(p) < p.threshold)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    agreement: str
    roots: tuple[str, ...]
    signatures: tuple[str, ...]


def propose(
    terms: Terms, parties: Sequence[AgencyFile], pins: Pins, replaces: bytes | None = None
) -> Draft:
    """A draft that nobody has signed yet.

    Args:
        replaces: identity of the agreement that this one renews.

    Raises:
        InvalidInput: what `make_agreement` raises.
    """
    text = make_agreement(terms, parties, pins, replaces)
    roots = {
        name: public for p in parties for name, public in zip(p.root_ids, p.roots, strict=True)
    }
    return Draft(text=text, agreement=parse_agreement(text), roots=roots)


def check_to_come(draft: Draft, now: int) -> None:
    """Refuse a draft whose last day is over already: it would never be in force.

    Args:
        now: ms UTC.

    Raises:
        InvalidInput: `agreement_dates`.
    """
    if draft.agreement.valid_until <= now:
        raise InvalidInput(
            "agreement_dates",
            "the agreement would end before it begins: its last day is over",
            field="terms.valid_until",
            hint="let valid_until be a day to come",
        )


def format_draft(draft: Draft) -> bytes:
    """The draft as a file."""
    value = {
        "saphan": DRAFT_FORMAT,
        "agreement": text_of(draft.text),
        "roots": [text_of(public) for public in draft.roots.values()],
        "signatures": [text_of(encode(signature)) for signature in draft.signatures],
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_draft(data: bytes) -> Draft:
    """Read a draft and check every signature on it; one that does not hold refuses the whole.

    Raises:
        InvalidInput: `too_large`, `draft_malformed`, `agreement_malformed`, `signature_invalid`.
    """
    if len(data) > DRAFT_BYTES:
        raise InvalidInput("too_large", f"the draft has {len(data)} bytes", field="draft")
    try:
        file = parse_json(_File, data)
        text = bytes_of(file.agreement)
        publics = [bytes_of(root) for root in file.roots]
        signed = [bytes_of(item) for item in file.signatures]
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if file.saphan != DRAFT_FORMAT:
        raise _malformed(f"its format is not {DRAFT_FORMAT}")
    agreement = parse_agreement(text)
    draft = Draft(text=text, agreement=agreement, roots=_roots(agreement, publics))
    for item in signed:
        draft = _with(draft, decode(Signature, item, 8_192, "draft.signatures"))
    return draft


def sign(draft: Draft, root: SigningKey, pins: Pins, salt: bytes) -> Draft:
    """Add a root's signature; signing twice changes nothing.

    Args:
        pins: the logs this agency trusts.
        salt: 32 fresh random bytes.

    Raises:
        Refused: `agreement_not_party`, `pins_differ`.
    """
    check_signable(draft, (root.key_id,), pins)
    if any(signature.item.key == root.key_id for signature in draft.signatures):
        return draft
    return _with(draft, sign_one(root, AGREEMENT_TYPE, draft.text, salt))


def merge(first: Draft, *others: Draft) -> Draft:
    """One draft with the signatures of several copies that went different ways.

    Raises:
        Refused: `draft_differs`: the copies are not of one text.
    """
    for other in others:
        if other.text != first.text:
            raise Refused(
                "draft_differs",
                f"one draft is of {first.agreement.reference}, another one of another text",
                field="draft",
                hint="merge copies of one draft only: the words of the agreement are the same",
            )
        known = {signature.item.key for signature in first.signatures}
        for signature in other.signatures:
            if signature.item.key not in known:
                first = _with(first, signature)
    return first


def finish(draft: Draft, salt: bytes) -> bytes:
    """The finished agreement: canonical SignedAgreement, judged as broker and nodes will.

    They also know how many roots each agency itself demands, which no file here can prove.

    Args:
        salt: 32 fresh random bytes; the directory log shows nothing else of the agreement.

    Raises:
        Refused: `agreement_threshold`, naming who has not signed.
    """
    package = SignedAgreement(draft.text, draft.signatures, salt)
    whose = {name: party.agency for party in draft.agreement.parties for name in party.roots}
    needed = {party.agency: party.threshold for party in draft.agreement.parties}
    check_agreement(
        package,
        lambda name: (whose[name], VerifyingKey(Role.ROOT, draft.roots[name])),
        needed.__getitem__,
    )
    return encode(package)


def check_signable(draft: Draft, roots: Collection[bytes], pins: Pins) -> None:
    """Refuse what this agency is no party to, and what pins other logs than it trusts.

    Args:
        roots: key ids of the agency's own roots.

    Raises:
        Refused: `agreement_not_party`, `pins_differ`.
    """
    if not draft.roots.keys() & roots:
        raise Refused(
            "agreement_not_party",
            f"your root {next(iter(roots)).hex()[:16]} belongs to no party of this agreement",
            field="agreement.parties",
            hint="ask for a draft that was made with your present agency.json",
        )
    if (draft.agreement.directory, draft.agreement.evidence) != pins.lasting:
        raise Refused(
            "pins_differ",
            f"agreement {draft.agreement.reference} pins other log keys than this agency trusts",
            field="agreement.evidence",
            hint="do not sign; compare the words of the pin file with the broker's operator",
        )


def _with(draft: Draft, signature: Signature) -> Draft:
    name = signature.item.key
    public = draft.roots.get(name)
    if public is None or any(name == known.item.key for known in draft.signatures):
        raise _malformed("a signature is by no party's root, or stands twice")
    key = VerifyingKey(Role.ROOT, public)
    check_signature(signature, key, AGREEMENT_TYPE, draft.text, "agreement")
    return replace(draft, signatures=(*draft.signatures, signature))


def _roots(agreement: Agreement, publics: Sequence[bytes]) -> dict[bytes, bytes]:
    """Public roots by key id: exactly those that the text pins, so that nothing else is shown."""
    for public in publics:
        check_public_key(Role.ROOT, public)
    roots = {key_id(Role.ROOT, public): public for public in publics}
    pinned = [name for party in agreement.parties for name in party.roots]
    if set(pinned) != set(roots) or len(pinned) != len(publics):
        raise _malformed("its roots are not those that the agreement pins")
    return roots


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "draft_malformed",
        f"this is not an agreement's draft: {why}",
        field="draft",
        hint="ask for the file that `saphan agreement propose` or `sign` wrote",
    )
