"""What is handed to the sequencer, one item at a time, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from saphan_protocol.batch import RootRef
from saphan_schemas.errors import SaphanError
from saphan_schemas.frames import StatementItem, Submission
from saphan_schemas.records import BatchSignature

from saphan_broker.store.base import DeliveryKey, DeliveryRow

Batches: TypeAlias = dict[RootRef, BatchSignature]


@dataclass(frozen=True, slots=True)
class Logged:
    """An item is in the log at `indices`, under a durable signed head."""

    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item was refused; `indices` names the record of the refusal, if there is one."""

    error: SaphanError
    indices: tuple[int, ...] = ()


Outcome: TypeAlias = Logged | Rejected


@dataclass(frozen=True, slots=True)
class Submitted:
    """A consigned bulletin from the session of agency `peer`; not admitted yet."""

    peer: str
    submission: Submission
    batches: Batches
    missing: SaphanError | None = None
    """Why its attachments are not all here; said only if it is new."""

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.submission.ciphertext) + 2048 * len(self.submission.stanzas)


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement from the session of agency `peer`; not admitted yet."""

    peer: str
    item: StatementItem
    batches: Batches

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return 2048


@dataclass(frozen=True, slots=True)
class Expiry:
    """A deadline of this delivery has passed, on witnessed time `witnessed` (ms)."""

    bulletin: bytes
    sender: str
    recipient: str
    witnessed: int
    peer: None = None
    """Nobody: time alone."""

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return 256


@dataclass(frozen=True, slots=True)
class Destruction:
    """Deliveries that are due on or before `day`, on witnessed time: destroyed in one commit.

    Args:
        rows: as the store had them; what has changed since decides.
    """

    rows: tuple[DeliveryRow, ...]
    day: int
    peer: None = None

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return 1024 * len(self.rows)


@dataclass(frozen=True, slots=True)
class Rewrapping:
    """Deliveries that a hold keeps: their stanzas are wrapped anew under the key of `day`."""

    keys: tuple[DeliveryKey, ...]
    day: int
    peer: None = None

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return 2048 * len(self.keys)


@dataclass(frozen=True, slots=True)
class Operation:
    """A SignedOperation for the directory log; without `peer` it is the operator's own act."""

    signed: bytes
    peer: str | None

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.signed)


@dataclass(frozen=True, slots=True)
class Package:
    """A finished agreement (SignedAgreement bytes) for the directory log."""

    package: bytes
    peer: str

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.package)


@dataclass(frozen=True, slots=True)
class Order:
    """An order on an agreement (SignedOrder bytes) for the directory log."""

    package: bytes
    peer: str

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.package)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold order (SignedHoldOrder bytes) for the directory log."""

    package: bytes
    peer: str

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.package)


@dataclass(frozen=True, slots=True)
class OwnSchema:
    """An agency's own schema (SchemaPackage bytes) for the directory log."""

    package: bytes
    peer: str

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.package)


@dataclass(frozen=True, slots=True)
class NewHead:
    """Sign both logs' heads anew, with the present time, whatever their sizes."""

    weight: int = 64
    peer: None = None


ForDirectory: TypeAlias = Operation | Package | Order | Hold | OwnSchema
Item: TypeAlias = Submitted | Stated | Expiry | Destruction | Rewrapping | ForDirectory | NewHead


@dataclass(slots=True)
class Work:
    """An item in the queue with the promise of its outcome."""

    item: Item
    outcome: asyncio.Future[Outcome] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, outcome: Outcome) -> None:
        """Answer; a session that has gone away does not mind."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


Submit: TypeAlias = Callable[[Item], Work]
"""Hands an item to whoever sequences, here or in another process; Unavailable: try again later."""
