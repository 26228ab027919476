"""Renewing an agreement: the next text, which replaces the old one from its place in the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from re import fullmatch

import msgspec
from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.identity import identity
from saphan_protocol.pins import Pins
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS

from saphan.agency_file import AgencyFile
from saphan.agreements.draft import Draft, check_to_come, propose
from saphan.agreements.terms import Terms, terms_of


def renewed_terms(old: bytes, until: date, now: int, reference: str | None = None) -> Terms:
    """The terms of an agreement with another end, beginning today.

    Args:
        old: exact text of the agreement; now: ms UTC.
        reference: of the new one; None: the old one's with the next number behind it.

    Raises:
        InvalidInput: codec codes, `agreement_malformed`.
    """
    terms = terms_of(parse_agreement(old))
    today = datetime.fromtimestamp(now // 1_000, UTC).date()
    return msgspec.structs.replace(
        terms,
        reference=reference or next_reference(terms.reference),
        valid_from=today,
        valid_until=until,
    )


def renew(old: bytes, terms: Terms, parties: Sequence[AgencyFile], pins: Pins, now: int) -> Draft:
    """A draft that replaces an agreement; nobody has signed it yet.

    Args:
        old: exact text of the agreement that it replaces.
        parties: as they are today: roots may have changed since.

    Raises:
        Refused: `agreement_replaces`: a party of the old one is left out.
        InvalidInput: `renewal_later`, and what `propose` and `check_to_come` raise.
    """
    before = parse_agreement(old)
    left_out = {p.agency for p in before.parties} - {p.agency for p in parties}
    if left_out:
        raise Refused(
            "agreement_replaces",
            f"it would replace {before.reference} without {', '.join(sorted(left_out))}",
            field="agreement.parties",
            hint="every party of the old agreement signs the new one",
        )
    draft = propose(terms, parties, pins, identity(AGREEMENT_TYPE, old))
    check_to_come(draft, now)  # or it would end the old one, and begin nothing
    if draft.agreement.valid_from >= now // DAY_MS * DAY_MS + DAY_MS:
        # It replaces the old one when it is logged: until it began, nothing at all could be sent.
        raise InvalidInput(
            "renewal_later",
            "a renewal holds from the moment it is logged, but these terms begin later",
            field="terms.valid_from",
            hint="let valid_from be today or earlier",
        )
    return draft


def next_reference(reference: str) -> str:
    """`la-kh-2025` becomes `la-kh-2025.2`, that one `la-kh-2025.3`; at most 63 characters."""
    numbered = fullmatch(r"(.+)\.([0-9]{1,4})", reference)
    base, number = (reference, 1) if numbered is None else (numbered[1], int(numbered[2]))
    end = f".{number + 1}"
    return base[: 63 - len(end)] + end
