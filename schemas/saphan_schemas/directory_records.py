"""What the directory log registers: operations of agencies, agreements, orders on them, schemas.

MessagePack arrays in declared order, as in `records`; times are milliseconds UTC.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    AgencyId,
    Digest,
    Handle,
    HandlingCode,
    KeyId,
    Millis,
    Origin,
    Role,
    Salt,
    SchemaName,
    Signature,
    Tlp,
)


class Change(Record, frozen=True):
    """One change of an agency's keys. `key` is the public key to add, or the key id to revoke."""

    action: Literal["add", "revoke"]
    role: Role
    key: Annotated[bytes, Meta(min_length=32, max_length=2048)]
    handle: Handle | None
    seal_until: Millis | None
    open_until: Millis | None


class Operation(Record, frozen=True):
    """A directory operation of one agency: versioned, chained, signed by `threshold` roots."""

    agency: AgencyId
    version: Annotated[int, Meta(ge=1, le=2**31)]
    previous: Digest | None
    threshold: Annotated[int, Meta(ge=1, le=LIMITS.roots)]
    time: Millis
    changes: Annotated[tuple[Change, ...], Meta(min_length=1, max_length=LIMITS.operation_changes)]


class WitnessProof(Record, frozen=True):
    """Possession of a new witness key: Ed25519 (64) || ML-DSA-44 (2420) over PAE(operation)."""

    key: KeyId
    signature: Annotated[bytes, Meta(min_length=2484, max_length=2484)]


class SignedOperation(Record, frozen=True):
    """What the directory leaf holds: exact operation bytes, roots' and new keys' signatures."""

    operation: Annotated[bytes, Meta(max_length=LIMITS.operation_bytes)]
    roots: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=2 * LIMITS.roots)]
    keys: Annotated[tuple[Signature, ...], Meta(max_length=24)]
    witnesses: Annotated[tuple[WitnessProof, ...], Meta(max_length=24)]


class Party(Record, frozen=True):
    agency: AgencyId
    roots: Annotated[tuple[KeyId, ...], Meta(min_length=1, max_length=LIMITS.roots)]
    threshold: Annotated[int, Meta(ge=1, le=LIMITS.roots)]


class CorridorRule(Record, frozen=True):
    """What one party may send to another."""

    sender: AgencyId
    recipient: AgencyId
    schemas: Annotated[tuple[SchemaName, ...], Meta(min_length=1, max_length=256)]
    tlp_ceiling: Tlp
    retain_days: Annotated[int, Meta(ge=1, le=36_525)]


class LogPin(Record, frozen=True):
    """A log's origin and verifier keys, in C2SP vkey form."""

    origin: Origin
    vkeys: Annotated[
        tuple[Annotated[str, Meta(max_length=2048)], ...], Meta(min_length=2, max_length=2)
    ]


class WitnessPolicy(Record, frozen=True):
    """How many witnesses make a proof *witnessed*, and whether the shower's own agency counts."""

    quorum: Annotated[int, Meta(ge=0, le=32)]
    own_counts: bool


class Agreement(Record, frozen=True):
    """The memorandum in machine form; signed by the threshold of every party's root."""

    reference: Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9.-]{0,62}\Z")]
    title: Annotated[str, Meta(min_length=1, max_length=400)]
    instrument: Annotated[str, Meta(pattern=r"\A[A-Z][A-Z0-9_]{1,62}\Z")]
    parties: Annotated[tuple[Party, ...], Meta(min_length=2, max_length=32)]
    rules: Annotated[tuple[CorridorRule, ...], Meta(min_length=1, max_length=1024)]
    handling: Annotated[tuple[HandlingCode, ...], Meta(min_length=1, max_length=4)]
    default_handling: Annotated[tuple[HandlingCode, ...], Meta(min_length=1, max_length=4)]
    onward: Literal["none", "named", "same_country", "ask"]
    languages: Annotated[
        tuple[Annotated[str, Meta(pattern=r"\A[a-z]{2,3}\Z")], ...],
        Meta(min_length=1, max_length=16),
    ]
    in_flight: Literal["deliver", "stop"]
    valid_from: Millis
    valid_until: Millis
    directory: LogPin
    evidence: LogPin
    witnesses: WitnessPolicy
    replaces: Digest | None


class SignedAgreement(Record, frozen=True):
    """A finished agreement as a file and on the wire: text, all signatures, salt."""

    agreement: Annotated[bytes, Meta(max_length=LIMITS.agreement_bytes)]
    signatures: Annotated[tuple[Signature, ...], Meta(max_length=512)]
    salt: Salt


class AgreementOrder(Record, frozen=True):
    """One party stops an agreement, lets it go on, or ends it; `agreement` is its text's identity.

    `number` counts this party's orders on this agreement from 1: an old one cannot be said again.
    """

    agreement: Digest
    agency: AgencyId
    action: Literal["suspend", "resume", "terminate"]
    number: Annotated[int, Meta(ge=1, le=2**31)]
    time: Millis
    reason: Annotated[str, Meta(min_length=1, max_length=400)] | None


class SignedOrder(Record, frozen=True):
    """An order as a file and on the wire: text, one order key's signature or roots', salt."""

    order: Annotated[bytes, Meta(max_length=LIMITS.statement_bytes)]
    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=LIMITS.roots)]
    salt: Salt


class TypeName(Record, frozen=True):
    name: SchemaName
    digest: Digest


class Types(Record, frozen=True):
    """Saphan's own schemas, entered unsigned by the broker's program at `init` and upgrades."""

    types: Annotated[tuple[TypeName, ...], Meta(min_length=1, max_length=256)]


REGISTRATION_TYPE: Final = "saphan/schema_registration/1"
"""PAE type of a `SchemaRegistration`: with underscores, as every other record's."""


class SchemaRegistration(Record, frozen=True):
    """An agency's own schema: `name` lies in its namespace (`<agency>/<type>/<version>`).

    `digest` is SHA-256(PAE("saphan/schema/1", bundle bytes)), as of Saphan's own.
    """

    agency: AgencyId
    name: SchemaName
    digest: Digest
    time: Millis


class SignedRegistration(Record, frozen=True):
    """What the directory leaf holds: exact registration bytes and the agency's roots' signatures.

    Sixteen signatures of 3.5 KB are the most that a leaf of 65,535 bytes takes.
    """

    registration: Annotated[bytes, Meta(max_length=LIMITS.statement_bytes)]
    roots: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=LIMITS.roots)]


class SchemaPackage(Record, frozen=True):
    """A registered schema as a file and on the wire: what the leaf will hold, and the bundle."""

    registration: Annotated[bytes, Meta(max_length=LIMITS.leaf_bytes - 1)]
    bundle: Annotated[bytes, Meta(max_length=LIMITS.schema_bytes)]
