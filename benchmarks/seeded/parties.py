"""Invented agencies of a seeded log: keys from their names, operations, an agreement, batches."""

from __future__ import annotations

from hashlib import shake_256
from random import Random
from typing import Final

from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.batch import sign_batch, sign_one
from saphan_protocol.identity import identity
from saphan_protocol.keys import SigningKey
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.operation import OPERATION_TYPE, sign_operation
from saphan_protocol.witness import WitnessKey
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import (
    Agreement,
    Change,
    CorridorRule,
    LogPin,
    Operation,
    SignedAgreement,
    WitnessPolicy,
)
from saphan_schemas.directory_records import Party as Signatory
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import BatchSignature, Role, SignatureItem

NAMES: Final = ("kh.ciu", "kh.gpo", "la.lcid", "la.ospp", "th.oncb", "vn.c04")
YEARS_MS: Final = 4_000 * DAY_MS


class Party:
    """One agency: it enrols, rotates its node key, signs batches, cosigns heads."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self.root = SigningKey(Role.ROOT, _seed(name, "root"))
        self.node = SigningKey(Role.NODE, _seed(name, "node 1"))
        self.mailbox = MailboxKey(_seed(name, "mailbox", 32))
        self.witness = WitnessKey(_seed(name, "witness"))
        self._random = random
        self._version = 0
        self._last: bytes | None = None

    def enrol(self, now: int) -> bytes:
        """SignedOperation, version 1."""
        until = now + YEARS_MS
        changes = (
            Change("add", Role.ROOT, self.root.public, None, None, None),
            Change("add", Role.NODE, self.node.public, None, None, None),
            Change("add", Role.MAILBOX, self.mailbox.public, None, until, until),
            Change("add", Role.WITNESS, self.witness.public, None, None, None),
        )
        return self._operate(changes, [self.root, self.node], [self.witness], now)

    def rotate(self, now: int) -> bytes:
        """SignedOperation that adds the node key which signs from now on; the old one stays."""
        self.node = SigningKey(Role.NODE, _seed(self.name, f"node {self._version + 1}"))
        changes = (Change("add", Role.NODE, self.node.public, None, None, None),)
        return self._operate(changes, [self.node], [], now)

    def sign(
        self, bodies: list[tuple[str, bytes]]
    ) -> tuple[BatchSignature, tuple[SignatureItem, ...]]:
        """One batch over (PAE type, bytes), as a node makes it of what waits."""
        salted = [(kind, body, self._random.randbytes(32)) for kind, body in bodies]
        return sign_batch(self.node, salted)

    def _operate(
        self,
        changes: tuple[Change, ...],
        new: list[SigningKey],
        witnesses: list[WitnessKey],
        now: int,
    ) -> bytes:
        self._version += 1
        record = Operation(self.name, self._version, self._last, 1, now, changes)
        self._last = identity(OPERATION_TYPE, encode(record))
        salts = [self._random.randbytes(32) for _ in range(1 + len(new))]
        return sign_operation(record, [self.root], new, witnesses, salts)


def agree(
    parties: list[Party],
    schemas: tuple[str, ...],
    pins: tuple[LogPin, LogPin],
    now: int,
    random: Random,
) -> SignedAgreement:
    """Everyone may send everything to everyone; signed by all roots."""
    names = [party.name for party in parties]
    text = Agreement(
        reference="measurement-1",
        title="Agreement of a measurement",
        instrument="EXERCISE",
        parties=tuple(Signatory(p.name, (p.root.key_id,), 1) for p in parties),
        rules=tuple(
            CorridorRule(a, b, schemas, "amber", 4_000) for a in names for b in names if a != b
        ),
        handling=("H0",),
        default_handling=("H0",),
        onward="none",
        languages=("en",),
        in_flight="deliver",
        valid_from=now - DAY_MS,
        valid_until=now + YEARS_MS,
        directory=pins[0],
        evidence=pins[1],
        witnesses=WitnessPolicy(1, False),
        replaces=None,
    )
    body = encode(text)
    signatures = tuple(
        sign_one(party.root, AGREEMENT_TYPE, body, random.randbytes(32)) for party in parties
    )
    return SignedAgreement(body, signatures, random.randbytes(32))


def _seed(name: str, label: str, length: int = 64) -> bytes:
    return shake_256(f"measurement {name} {label}".encode()).digest(length)
