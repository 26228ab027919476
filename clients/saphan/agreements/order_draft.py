"""An order that roots sign, on its way from holder to holder.

The draft is a JSON file like that of an agreement: {"saphan": "order-draft/1", agreement, order,
roots, threshold, signatures}. It holds the agreement's text, so each holder sees what it is about.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.agreement_order import ORDER_TYPE
from saphan_protocol.batch import sign_one
from saphan_protocol.identity import identity
from saphan_protocol.keys import SigningKey, VerifyingKey, check_public_key, key_id
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Agreement, AgreementOrder, SignedOrder
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role, Signature
from saphan_schemas.strict_json import parse_json
from saphan_schemas.text import check_text

from saphan.agency_file import AgencyFile
from saphan.base64_text import bytes_of, text_of
from saphan.draft_signature import check_signature

DRAFT_FORMAT: Final = "order-draft/1"
DRAFT_BYTES: Final = 512 * 1024
"""64 KiB of agreement, 16 roots and 16 signatures of 3.5 KiB, in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """An order that roots sign, with the signatures that hold so far.

    Args:
        text: of the agreement, exact bytes; agreement: what they say.
        body: the order's exact bytes, which are signed.
        roots: key id to public key of the agency's roots; `threshold` of them sign.
    """

    text: bytes
    agreement: Agreement
    body: bytes
    order: AgreementOrder
    roots: dict[bytes, bytes]
    threshold: int
    signatures: tuple[Signature, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether enough roots have signed."""
        return len(self.signatures) >= self.threshold

    @property
    def identity(self) -> bytes:
        """What the holders compare as words, 32 bytes."""
        return identity(ORDER_TYPE, self.body)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    agreement: str
    order: str
    roots: tuple[str, ...]
    threshold: Annotated[int, Meta(ge=1, le=LIMITS.roots)]
    signatures: tuple[str, ...]


def draft_order(order: AgreementOrder, text: bytes, agency: AgencyFile) -> OrderDraft:
    """A draft that no root has signed yet; `text` is the agreement's."""
    return OrderDraft(
        text=text,
        agreement=parse_agreement(text),
        body=encode(order),
        order=order,
        roots=dict(zip(agency.root_ids, agency.roots, strict=True)),
        threshold=agency.threshold,
    )


def format_order_draft(draft: OrderDraft) -> bytes:
    """The draft as a file."""
    value = {
        "saphan": DRAFT_FORMAT,
        "agreement": text_of(draft.text),
        "order": text_of(draft.body),
        "roots": [text_of(public) for public in draft.roots.values()],
        "threshold": draft.threshold,
        "signatures": [text_of(encode(signature)) for signature in draft.signatures],
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_order_draft(data: bytes) -> OrderDraft:
    """Read a draft and check every signature on it; one that does not hold refuses the whole.

    Raises:
        InvalidInput: `too_large`, `order_draft_malformed`, `agreement_malformed`,
            `signature_invalid`, `text_forbidden`, codec and key codes.
    """
    if len(data) > DRAFT_BYTES:
        raise InvalidInput("too_large", f"the draft has {len(data)} bytes", field="draft")
    try:
        file = parse_json(_File, data)
        text, body = (bytes_of(part) for part in (file.agreement, file.order))
        publics = [bytes_of(root) for root in file.roots]
        signed = [bytes_of(item) for item in file.signatures]
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if file.saphan != DRAFT_FORMAT:
        raise _malformed(f"its format is not {DRAFT_FORMAT}")
    order = decode(AgreementOrder, body, LIMITS.statement_bytes, "draft.order")
    agreement = parse_agreement(text)
    if order.agreement != identity(AGREEMENT_TYPE, text):
        raise _malformed("its order is about another agreement than the one it shows")
    if order.reason is not None:
        check_text(order.reason, "order.reason")
    draft = OrderDraft(
        text=text,
        agreement=agreement,
        body=body,
        order=order,
        roots=_roots(publics),
        threshold=file.threshold,
    )
    for item in signed:
        draft = _with(draft, decode(Signature, item, 8_192, "draft.signatures"))
    return draft


def check_order_signer(draft: OrderDraft, root: bytes) -> None:
    """Refuse a root that cannot sign this order.

    Raises:
        Refused: `root_foreign`.
    """
    if root not in draft.roots:
        raise Refused(
            "root_foreign",
            f"{root.hex()[:16]} is no root of {draft.order.agency}",
            field="key",
            hint="name the key file of one of the agency's root holders with --key",
        )


def sign_order_draft(draft: OrderDraft, root: SigningKey) -> OrderDraft:
    """Add a root's signature; signing twice changes nothing.

    Raises:
        Refused: `root_foreign`.
    """
    check_order_signer(draft, root.key_id)
    if any(signature.item.key == root.key_id for signature in draft.signatures):
        return draft
    return _with(draft, sign_one(root, ORDER_TYPE, draft.body, os.urandom(32)))


def merge_orders(first: OrderDraft, *others: OrderDraft) -> OrderDraft:
    """One draft with the signatures of several copies that went different ways.

    Raises:
        Refused: `draft_differs`: the copies are not of one order.
    """
    for other in others:
        if (other.body, other.roots) != (first.body, first.roots):
            raise Refused(
                "draft_differs",
                f"the drafts are of different orders on {first.agreement.reference}",
                field="draft",
                hint="merge copies of one draft only: the words of the order are the same",
            )
        known = {signature.item.key for signature in first.signatures}
        for signature in other.signatures:
            if signature.item.key not in known:
                first = _with(first, signature)
    return first


def finish_order(draft: OrderDraft) -> bytes:
    """The SignedOrder of a draft that enough roots have signed.

    Raises:
        Refused: `agreement_threshold`.
    """
    if not draft.complete:
        raise Refused(
            "agreement_threshold",
            f"{len(draft.signatures)} of the {draft.threshold} needed roots of "
            f"{draft.order.agency} have signed the order",
            field="draft.signatures",
            hint="every holder signs it: saphan agreement sign FILE --key FILE",
        )
    return encode(SignedOrder(draft.body, draft.signatures, os.urandom(32)))


def _with(draft: OrderDraft, signature: Signature) -> OrderDraft:
    name = signature.item.key
    public = draft.roots.get(name)
    if public is None or any(name == known.item.key for known in draft.signatures):
        raise _malformed("a signature is by none of its roots, or stands twice")
    check_signature(signature, VerifyingKey(Role.ROOT, public), ORDER_TYPE, draft.body, "order")
    return replace(draft, signatures=(*draft.signatures, signature))


def _roots(publics: list[bytes]) -> dict[bytes, bytes]:
    for public in publics:
        check_public_key(Role.ROOT, public)
    roots = {key_id(Role.ROOT, public): public for public in publics}
    if not 1 <= len(roots) == len(publics) <= LIMITS.roots:
        raise _malformed("a root stands twice, or there is none")
    return roots


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "order_draft_malformed",
        f"this is not the draft of an order: {why}",
        field="draft",
        hint="ask for the file that `saphan agreement suspend` or `terminate` wrote",
    )
