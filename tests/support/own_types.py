"""Agencies' own schemas for tests: a small type, its bundle, its registration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saphan_protocol.keys import SigningKey
from saphan_protocol.registrations import sign_registration
from saphan_schemas.bodies import digest_of
from saphan_schemas.directory_records import SchemaRegistration

from support.agency import Agency

OWN: str = "la.ospp/field_report/1"


def registration(
    agency: Agency,
    name: str = OWN,
    bundle: bytes = b"bundle",
    *,
    whose: str | None = None,
    roots: Sequence[SigningKey] | None = None,
    **changes: Any,
) -> bytes:
    """A SignedRegistration of `bundle` under `name`, by the agency's root unless told."""
    signers = [agency.root] if roots is None else list(roots)
    digest = changes.get("digest", digest_of(bundle))
    record = SchemaRegistration(whose or agency.name, name, digest, changes.get("time", agency.now))
    return sign_registration(record, signers, [agency.random() for _ in signers])
