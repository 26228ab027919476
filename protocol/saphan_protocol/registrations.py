"""Agencies' own schemas, as their roots have registered them (directory.md, "Checking a schema").

A name belongs to the agency whose id it begins with, is registered once and keeps its digest: what
a bulletin of that type means must not depend on when one asks. A revoked root undoes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from saphan_schemas.bodies import digest_of
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import (
    REGISTRATION_TYPE,
    SchemaPackage,
    SchemaRegistration,
    SignedRegistration,
)
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.frames import SCHEMA_PACKAGE_BYTES
from saphan_schemas.limits import LIMITS

from saphan_protocol.batch import sign_one, verify_one
from saphan_protocol.keys import SigningKey, VerifyingKey

Roots: TypeAlias = Callable[[str, int], Mapping[bytes, VerifyingKey]]
"""Active roots of an agency at a directory size, by key id; none if it is not enrolled."""
Threshold: TypeAlias = Callable[[str, int], int]
"""How many of them must sign at that size."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A checked registration; `index` is its directory leaf."""

    record: SchemaRegistration
    body: bytes
    signed: SignedRegistration
    index: int


def sign_registration(
    record: SchemaRegistration, roots: Sequence[SigningKey], salts: Iterable[bytes]
) -> bytes:
    """Bytes of a SignedRegistration.

    Args:
        roots: at least the threshold of the agency's root keys.
        salts: a fresh 32-byte salt for each signature.
    """
    body, fresh = encode(record), iter(salts)
    signatures = tuple(sign_one(key, REGISTRATION_TYPE, body, next(fresh)) for key in roots)
    return encode(SignedRegistration(body, signatures))


def parse_registration(data: bytes) -> tuple[SchemaRegistration, SignedRegistration]:
    """Steps 1 to 3: what is wrong with it whatever the directory says.

    Raises:
        InvalidInput: codec codes, `schema_namespace`, `schema_version`, `registration_malformed`.
    """
    signed = decode(SignedRegistration, data, LIMITS.leaf_bytes - 1, "registration")
    record = decode(
        SchemaRegistration, signed.registration, LIMITS.statement_bytes, "registration.registration"
    )
    check_name(record.agency, record.name)
    signers = [signature.item.key for signature in signed.roots]
    if len(set(signers)) != len(signers):
        raise InvalidInput(
            "registration_malformed", "a root has signed twice", field="registration.roots"
        )
    return record, signed


def parse_schema_package(data: bytes) -> tuple[SchemaRegistration, SchemaPackage]:
    """A registration and the bundle it names, as they are brought to the broker.

    Raises:
        InvalidInput: as `parse_registration` and `check_bundle`.
    """
    package = decode(SchemaPackage, data, SCHEMA_PACKAGE_BYTES, "schema")
    record, _signed = parse_registration(package.registration)
    check_bundle(record, package.bundle)
    return record, package


def check_name(agency: str, name: str) -> None:
    """Step 2: the name is in the agency's namespace, its version a number from 1 on.

    Raises:
        InvalidInput: `schema_namespace`, `schema_version`.
    """
    owner, _kind, version = name.split("/")
    if owner != agency:
        raise InvalidInput(
            "schema_namespace",
            f"{name} is not in the namespace of {agency}",
            field="registration.name",
            hint=f"an agency names its own schemas {agency}/<type>/<version>",
        )
    if version.startswith("0"):
        raise InvalidInput(
            "schema_version",
            f"{name}: versions count from 1, without zeros before them",
            field="registration.name",
            hint="name the first one .../1",
        )


def check_bundle(registered: SchemaRegistration, bundle: bytes) -> None:
    """The bytes that travel beside a registration are the ones it names.

    Raises:
        InvalidInput: `too_large`, `schema_bundle_differs`.
    """
    if len(bundle) > LIMITS.schema_bytes:
        raise InvalidInput(
            "too_large",
            f"a schema has at most {LIMITS.schema_bytes} bytes, this one {len(bundle)}",
            field="bundle",
        )
    if digest_of(bundle) != registered.digest:
        raise InvalidInput(
            "schema_bundle_differs",
            f"these bytes are not the registered {registered.name}",
            field="bundle",
            hint="hand over the very bundle that the roots have signed",
        )


class Registrations:
    """Own schemas by name, in the order of the log. The directory asks, and keeps what it took."""

    def __init__(self, roots: Roots, threshold: Threshold) -> None:
        self._roots = roots
        self._threshold = threshold
        self._by_name: dict[str, Registered] = {}
        self._counts: dict[str, int] = {}

    def check(self, data: bytes, at: int) -> Registered:
        """Steps 1 to 6: judge it as the leaf at index `at`, without taking it.

        Raises:
            InvalidInput: as `parse_registration`, `signature_invalid`.
            Refused: `schema_registered`, `schema_version`, `schemas_full`, `schema_roots`,
                `schema_threshold`.
        """
        record, signed = parse_registration(data)
        self._check_place(record)
        roots = self._roots(record.agency, at)
        for signature in signed.roots:
            if signature.item.key not in roots:
                raise Refused(
                    "schema_roots",
                    f"{signature.item.key.hex()[:16]} is not an active root of {record.agency}",
                    field="registration.roots",
                    hint="only the agency's own roots register in its namespace",
                )
        need = self._threshold(record.agency, at)
        if len(signed.roots) < need:
            raise Refused(
                "schema_threshold",
                f"{len(signed.roots)} of the {need} needed roots of {record.agency} have signed",
                field="registration.roots",
                hint="collect the missing root signatures and hand the file in again",
            )
        for signature in signed.roots:
            key = roots[signature.item.key]
            verify_one(signature, key, REGISTRATION_TYPE, signed.registration)
        return Registered(record, signed.registration, signed, at)

    def _check_place(self, record: SchemaRegistration) -> None:
        """Step 4: the name is new, the version the next one, and there is room for it."""
        if record.name in self._by_name:
            raise Refused(
                "schema_registered",
                f"{record.name} is registered already; it never changes",
                field="registration.name",
                hint="give what you have changed the next version",
            )
        family, _, version = record.name.rpartition("/")
        before = f"{family}/{int(version) - 1}"
        if version != "1" and before not in self._by_name:
            raise Refused(
                "schema_version",
                f"{record.name} comes before {before} is registered",
                field="registration.name",
                hint="versions follow each other without a gap",
            )
        if self._counts.get(record.agency, 0) >= LIMITS.schemas_per_agency:
            raise Refused(
                "schemas_full",
                f"{record.agency} has registered {LIMITS.schemas_per_agency} schemas, all it may",
                field="registration.name",
            )

    def take(self, registered: Registered) -> None:
        """Keep what `check` gave."""
        record = registered.record
        self._by_name[record.name] = registered
        self._counts[record.agency] = self._counts.get(record.agency, 0) + 1

    def find(self, name: str) -> Registered | None:
        """The registration of a name, if there is one."""
        return self._by_name.get(name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Registered]:
        return iter(self._by_name.values())
