"""Orders on agreements: suspend, resume, terminate; made here, kept in the agency's folder.

An order key signs alone and at once (`order_by_key`); what roots sign travels as a draft
(`agreement_order_draft`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from saphan_protocol.agreement_order import Ordered, parse_order, sign_order
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import AgreementOrder
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.limits import LIMITS
from saphan_schemas.text import check_text

from saphan.durable import make_folder, read_bounded, replace_file
from saphan.office import Office

Action = Literal["suspend", "resume", "terminate"]


def make_order(
    agreement: bytes, agency: str, action: Action, number: int, now: int, reason: str | None
) -> AgreementOrder:
    """An order, before anybody signs it.

    Args:
        agreement: identity of the agreement's text; number: of this agency's orders on it, from 1.
        now: ms UTC; reason: up to 400 characters, for the other parties and the broker's operator.

    Raises:
        InvalidInput: `malformed`, `text_forbidden`.
    """
    order = AgreementOrder(agreement, agency, action, number, now, reason)
    if reason is not None:
        check_text(reason, "order.reason")
    return decode(AgreementOrder, encode(order), LIMITS.statement_bytes, "order")


def order_by_key(order: AgreementOrder, key: SigningKey) -> bytes:
    """A SignedOrder by one order key: enough to suspend and to resume."""
    return sign_order(order, [key], [os.urandom(32)], os.urandom(32))


def keep_order(office: Office, reference: str, package: bytes) -> Path:
    """Put a signed order into the folder: its salt is in few places.

    Another one of the same number goes: the log has not taken it, or the number would be spent.

    Raises:
        OperatorError: `file_unwritable`.
    """
    order = parse_order(package).order
    path = _order_file(office, reference, order.agreement, order.number)
    make_folder(path.parent)
    replace_file(path, package)
    return path


def kept_orders(office: Office, agreed: bytes, reference: str) -> Iterator[Ordered]:
    """This agency's own orders on an agreement, as far as they are kept here, oldest first.

    Raises:
        OperatorError, InvalidInput: a kept order cannot be read.
    """
    number = 1
    while (path := _order_file(office, reference, agreed, number)).exists():
        yield parse_order(read_bounded(path, ORDER_BYTES, "order"))
        number += 1


def _order_file(office: Office, reference: str, agreed: bytes, number: int) -> Path:
    """Beside the agreement's own file, and in the same part of a backup."""
    return office.agreement_file(f"{reference}.{agreed.hex()[:16]}.order-{number:04d}")
