"""What tests of the audit share: who is who, and how a finding is compared."""

from __future__ import annotations

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from saphan_protocol.audit.report import AuditStep, Report
from saphan_schemas.records import BatchSignature

from support.agency import Agency, seed
from support.log_keys import SignerPair
from support.logbook import Logbook

LA, KH = "la.ospp", "kh.gpo"
THERE, BACK = (LA, KH), (KH, LA)
Place = tuple[str, int | None, AuditStep, str]
"""(log, leaf, step, code)."""


def found(report: Report) -> Place:
    """Where and what; a report without a finding fails the test."""
    assert report.finding is not None, "nothing was found"
    finding = report.finding
    return finding.log, finding.index, finding.step, finding.code


def at(index: int | None, step: AuditStep, code: str) -> Place:
    """A finding in the evidence log."""
    return "evidence", index, step, code


def halves(agency: Agency) -> SignerPair:
    """Private halves of an agency's witness key."""
    secret = seed(f"{agency.name} witness", 64)
    return (
        Ed25519PrivateKey.from_private_bytes(secret[:32]),
        MLDSA44PrivateKey.from_seed_bytes(secret[32:]),
    )


def three(batch: BatchSignature) -> tuple[bytes, int, bytes]:
    """A batch signature's key, size and root."""
    return batch.key, batch.size, batch.root


def replace_shown(book: Logbook, index: int, **fields: object) -> None:
    """What a pack shows of a leaf, with fields replaced."""
    place = next(i for i, (entry, _) in enumerate(book.shown) if entry.index == index)
    entry, batch = book.shown[place]
    book.shown[place] = (msgspec.structs.replace(entry, **fields), batch)
