"""Agreements of a test's two offices, on their way round, with every hand that touches them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import msgspec
from saphan.agreements.draft import Draft, propose, sign
from saphan.agreements.terms import first_terms, parse_terms
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Agreement, SignedAgreement
from saphan_schemas.records import Signature

from support.bridge import Bridge
from support.roster import own_root


def proposed(bridge: Bridge, reference: str = "second") -> Draft:
    """One more agreement between the bridge's agencies; nobody has signed it."""
    today = datetime.fromtimestamp(bridge.clock() / 1000, UTC).date()
    terms = parse_terms(first_terms(bridge.agencies, today))
    files = [office.read_agency() for office in bridge.offices.values()]
    return propose(msgspec.structs.replace(terms, reference=reference), files, bridge.pins)


def signed_by(bridge: Bridge, draft: Draft, *agencies: str) -> Draft:
    """The draft after these offices have signed it; blocking."""
    for agency in agencies:
        draft = sign(draft, own_root(bridge, agency), bridge.pins, os.urandom(32))
    return draft


def edited(text: Agreement, **fields: Any) -> bytes:
    """The agreement's bytes with other terms."""
    return encode(msgspec.structs.replace(text, **fields))


def signature(bridge: Bridge, agency: str, text: bytes) -> Signature:
    """What the agency's root says to a text, whatever it is; blocking."""
    return sign_one(own_root(bridge, agency), AGREEMENT_TYPE, text, os.urandom(32))


def package(text: bytes, *signatures: Signature) -> bytes:
    """A finished agreement, as somebody puts it together by hand."""
    return encode(SignedAgreement(text, signatures, os.urandom(32)))
