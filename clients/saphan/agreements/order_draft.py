"""An order that roots sign, on its way from holder to holder.

The draft is a JSON file like that of an agreement: {"saphan": "order-draft/1", agreement, order,
roots, threshold, signatures}. It holds the agreement's text, so each holder sees what it is about.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.agreement_order import ORDER_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Agreement, AgreementOrder, SignedOrder
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.strict_json import parse_json
from saphan_schemas.text import check_text

from saphan.agency_file import AgencyFile
from saphan.base64_text import bytes_of, text_of
from saphan.root_draft import RootDraft

DRAFT_FORMAT: Final = "order-draft/1"
DRAFT_BYTES: Final = 512 * 1024
"""64 KiB of agreement, 16 roots and 16 signatures of 3.5 KiB, in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft(RootDraft):
    """An order that roots sign, with the signatures that hold so far.

    Args:
        text: of the agreement, exact bytes; agreement: what they say.
    """

    kind = ORDER_TYPE
    article = "an"
    noun = "order"
    code = "order_draft_malformed"
    source = "`saphan agreement suspend` or `terminate`"

    text: bytes
    agreement: Agreement
    order: AgreementOrder

    @property
    def agency(self) -> str:
        """Who orders."""
        return self.order.agency


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
        raise OrderDraft.malformed(f"it does not parse: {error}") from None
    if file.saphan != DRAFT_FORMAT:
        raise OrderDraft.malformed(f"its format is not {DRAFT_FORMAT}")
    order = decode(AgreementOrder, body, LIMITS.statement_bytes, "draft.order")
    agreement = parse_agreement(text)
    if order.agreement != identity(AGREEMENT_TYPE, text):
        raise OrderDraft.malformed("its order is about another agreement than the one it shows")
    if order.reason is not None:
        check_text(order.reason, "order.reason")
    draft = OrderDraft(
        text=text,
        agreement=agreement,
        body=body,
        order=order,
        roots=OrderDraft.read_roots(publics),
        threshold=file.threshold,
    )
    return draft.with_all(signed)


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
