"""The registration of an own type that roots sign, on its way from holder to holder.

The draft is a JSON file: {"saphan": "schema-draft/1", registration, bundle, before, roots,
threshold, signatures}. It holds the whole bundle, and that of the version before, so each holder's
machine checks what is signed without a network: profile, digest, growth.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from saphan_protocol.registrations import check_bundle, check_name
from saphan_schemas.bodies import digest_of
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import (
    REGISTRATION_TYPE,
    SchemaPackage,
    SchemaRegistration,
    SignedRegistration,
)
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.growth import check_growth
from saphan_schemas.limits import LIMITS, MIB
from saphan_schemas.own_types import split_name
from saphan_schemas.profile import open_bundle
from saphan_schemas.strict_json import parse_json

from saphan.agency_file import AgencyFile
from saphan.base64_text import bytes_of, text_of
from saphan.root_draft import RootDraft

DRAFT_FORMAT: Final = "schema-draft/1"
DRAFT_BYTES: Final = 2 * MIB
"""Two bundles of 512 KiB, 16 roots and 16 signatures of 3.5 KiB, in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationDraft(RootDraft):
    """A registration that roots sign, with the signatures that hold so far.

    Args:
        bundle: canonical bytes, of which `record` names the digest.
        opened: the same, within the profile.
        before: bundle bytes of the version before this one; None for the first.
    """

    kind = REGISTRATION_TYPE
    article = "a"
    noun = "registration"
    code = "schema_draft_malformed"
    source = "`saphan schema register`"

    record: SchemaRegistration
    bundle: bytes
    opened: dict[str, Any]
    before: bytes | None

    @property
    def agency(self) -> str:
        """Who registers."""
        return self.record.agency


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    registration: str
    bundle: str
    before: str | None
    roots: tuple[str, ...]
    threshold: Annotated[int, Meta(ge=1, le=LIMITS.roots)]
    signatures: tuple[str, ...]


def draft_registration(
    name: str, bundle: bytes, before: bytes | None, agency: AgencyFile, now: int
) -> RegistrationDraft:
    """A draft that no root has signed yet.

    Args:
        name: `<agency>/<type>/<version>`, of `agency`; bundle: its canonical bytes.
        before: the bundle of the version before; now: ms UTC.

    Raises:
        InvalidInput: `schema_name`, `schema_namespace`, `schema_before`, `schema_growth`, and the
            codes of `open_bundle`.
    """
    split_name(name)
    check_name(agency.agency, name)
    record = SchemaRegistration(agency.agency, name, digest_of(bundle), now)
    roots = dict(zip(agency.root_ids, agency.roots, strict=True))
    return _open(encode(record), bundle, before, roots, agency.threshold)


def format_registration_draft(draft: RegistrationDraft) -> bytes:
    """The draft as a file."""
    value = {
        "saphan": DRAFT_FORMAT,
        "registration": text_of(draft.body),
        "bundle": text_of(draft.bundle),
        "before": None if draft.before is None else text_of(draft.before),
        "roots": [text_of(public) for public in draft.roots.values()],
        "threshold": draft.threshold,
        "signatures": [text_of(encode(signature)) for signature in draft.signatures],
    }
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_registration_draft(data: bytes) -> RegistrationDraft:
    """Read a draft and check everything in it; one signature that does not hold refuses the whole.

    Raises:
        InvalidInput: `too_large`, `schema_draft_malformed`, `signature_invalid`, codec and key
            codes, and as `draft_registration`.
    """
    if len(data) > DRAFT_BYTES:
        raise InvalidInput("too_large", f"the draft has {len(data)} bytes", field="draft")
    try:
        file = parse_json(_File, data)
        body, bundle = bytes_of(file.registration), bytes_of(file.bundle)
        before = None if file.before is None else bytes_of(file.before)
        publics = [bytes_of(root) for root in file.roots]
        signed = [bytes_of(item) for item in file.signatures]
    except ValueError as error:
        raise RegistrationDraft.malformed(f"it does not parse: {str(error)[:200]}") from None
    if file.saphan != DRAFT_FORMAT:
        raise RegistrationDraft.malformed(f"its format is not {DRAFT_FORMAT}")
    roots = RegistrationDraft.read_roots(publics)
    return _open(body, bundle, before, roots, file.threshold).with_all(signed)


def finish_registration(draft: RegistrationDraft, agency: AgencyFile) -> bytes:
    """The SchemaPackage of a draft that enough of the agency's roots have signed.

    Args:
        agency: the office's own; its roots count, not those that the carried file claims.

    Raises:
        Refused: `draft_foreign`, `draft_differs`, `schema_threshold`.
    """
    if draft.record.agency != agency.agency:
        raise Refused(
            "draft_foreign",
            f"the draft registers a type of {draft.record.agency}, this is {agency.agency}",
            field="draft",
            hint="name the agency's folder with --dir",
        )
    if set(draft.roots) != set(agency.root_ids) or draft.threshold != agency.threshold:
        raise Refused(
            "draft_differs",
            "the draft's roots, or how many of them sign, are not the agency's own of today",
            field="draft",
            hint="begin again: saphan schema register FILE",
        )
    if not draft.complete:
        raise Refused(
            "schema_threshold",
            f"{len(draft.signatures)} of the {draft.threshold} needed roots of "
            f"{draft.record.agency} have signed",
            field="draft.signatures",
            hint="every holder signs it: saphan schema sign FILE --key FILE",
        )
    return encode(
        SchemaPackage(encode(SignedRegistration(draft.body, draft.signatures)), draft.bundle)
    )


def _open(
    body: bytes, bundle: bytes, before: bytes | None, roots: dict[bytes, bytes], threshold: int
) -> RegistrationDraft:
    """Everything but the signatures is checked here, for whoever makes or reads a draft."""
    record = decode(SchemaRegistration, body, LIMITS.statement_bytes, "draft.registration")
    name = split_name(record.name)
    check_name(record.agency, record.name)
    check_bundle(record, bundle)
    opened = open_bundle(record.name, bundle)
    if (name.before is None) != (before is None):
        raise InvalidInput(
            "schema_before",
            f"{record.name} is checked against the version before it, if there is one",
            field="before",
            hint="name the package or source of the version before: --before FILE",
        )
    if before is not None and name.before is not None:
        check_growth(open_bundle(name.before, before), opened)
    if threshold > len(roots):
        raise RegistrationDraft.malformed(f"{threshold} of {len(roots)} roots cannot sign")
    return RegistrationDraft(
        body=body,
        record=record,
        bundle=bundle,
        opened=opened,
        before=before,
        roots=roots,
        threshold=threshold,
    )
