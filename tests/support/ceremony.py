"""An agency's chain of directory operations, and a replayed directory, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from saphan_protocol.directory import Directory, agreement_leaf, operation_leaf, types_leaf
from saphan_protocol.identity import identity
from saphan_protocol.keys import SigningKey
from saphan_protocol.operation import (
    OPERATION_TYPE,
    parse_agreement_package,
    sign_operation,
)
from saphan_schemas.bodies import known_types
from saphan_schemas.codec import decode
from saphan_schemas.directory_records import Change, LogPin, Operation, SignedOperation, Types
from saphan_schemas.records import Role

from support.agency import Agency, agreement

NOW = 1_752_624_000_000
"""16 July 2025, 00:00 UTC, in milliseconds."""
PINS = (
    LogPin("bridge.test/directory/1", ("d-ed25519", "d-mldsa44")),
    LogPin("bridge.test/evidence/1", ("e-ed25519", "e-mldsa44")),
)


class Ceremony:
    """Makes the operations of one agency in their order."""

    def __init__(self, agency: Agency) -> None:
        self.agency = agency
        self.version = 0
        self.last: bytes | None = None

    def enrol(self) -> bytes:
        return self._chained(self.agency.enrolment())

    def operate(
        self,
        changes: Sequence[Change],
        new: Sequence[SigningKey] = (),
        roots: Sequence[SigningKey] | None = None,
        threshold: int = 1,
    ) -> bytes:
        """The next SignedOperation, signed by `roots` (the agency's own unless told)."""
        signers = [self.agency.root] if roots is None else list(roots)
        record = Operation(
            self.agency.name,
            self.version + 1,
            self.last,
            threshold,
            self.agency.now,
            tuple(changes),
        )
        salts = [self.agency.random() for _ in range(len(signers) + len(new))]
        return self._chained(sign_operation(record, signers, list(new), [], salts))

    def _chained(self, signed: bytes) -> bytes:
        body = decode(SignedOperation, signed, 65_535, "operation").operation
        self.version += 1
        self.last = identity(OPERATION_TYPE, body)
        return signed


def add(role: Role, public: bytes, handle: str | None = None) -> Change:
    """An addition of a key without end times."""
    return Change("add", role, public, handle, None, None)


def revoke(role: Role, key_id: bytes) -> Change:
    return Change("revoke", role, key_id, None, None, None)


def build_directory(agencies: Sequence[Agency]) -> tuple[Directory, list[bytes], bytes]:
    """A directory of types, all agencies and one agreement; its leaves; the agreement's package."""
    package = agreement(agencies, *PINS, NOW)
    signed = parse_agreement_package(package)
    leaves = [
        types_leaf(Types(known_types())),
        *(operation_leaf(agency.enrolment()) for agency in agencies),
        agreement_leaf(signed.salt, signed.agreement),
    ]
    return replay(leaves, package), leaves, package


def replay(leaves: Sequence[bytes], *packages: bytes) -> Directory:
    directory = Directory()
    for leaf in leaves:
        directory.apply(leaf)
    for package in packages:
        directory.add_package(package)
    return directory
