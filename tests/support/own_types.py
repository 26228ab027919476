"""Agencies' own schemas for tests: a small type, its bundle, its registration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from saphan_protocol.keys import SigningKey
from saphan_protocol.registrations import sign_registration
from saphan_schemas.bodies import digest_of, shared_types
from saphan_schemas.bundling import make_bundle
from saphan_schemas.codec import encode, encode_content
from saphan_schemas.directory_records import SchemaPackage, SchemaRegistration
from saphan_schemas.samples import sample

from support.agency import Agency

OWN: Final = "la.ospp/field_report/1"
BODY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["patrols", "remarks"],
    "additionalProperties": False,
    "properties": {
        "patrols": {"type": "integer", "minimum": 0, "maximum": 1000},
        "remarks": {"type": "string", "minLength": 1, "maxLength": 400},
    },
}


def bundle(name: str = OWN, body: dict[str, Any] = BODY) -> bytes:
    """Canonical bytes of an own type's bundle."""
    return encode_content(make_bundle(name, body, [], *shared_types()))


def content(**body: Any) -> dict[str, Any]:
    """Content of a bulletin of that type, with fields of its body replaced as told."""
    about = sample("training_notice")["about"]
    told = {"patrols": 3, "remarks": "nothing seen on the river"} | body
    return {"about": about, "attachments": [], "body": told}


def registration(
    agency: Agency,
    name: str = OWN,
    data: bytes = b"bundle",
    *,
    whose: str | None = None,
    roots: Sequence[SigningKey] | None = None,
    **changes: Any,
) -> bytes:
    """A SignedRegistration of `data` under `name`, by the agency's root unless told."""
    signers = [agency.root] if roots is None else list(roots)
    digest = changes.get("digest", digest_of(data))
    record = SchemaRegistration(whose or agency.name, name, digest, changes.get("time", agency.now))
    return sign_registration(record, signers, [agency.random() for _ in signers])


def package(
    agency: Agency, name: str = OWN, data: bytes | None = None, given: bytes | None = None
) -> bytes:
    """A SchemaPackage of `data`, in which the bundle is `given` if that is another one."""
    told = bundle(name) if data is None else data
    signed = registration(agency, name, told)
    return encode(SchemaPackage(signed, told if given is None else given))
