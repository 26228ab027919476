"""What the processes of one broker tell each other, sealed: a server that carries it cannot read
it, invent it, or bring it to another process than the one it was meant for.

    day || AES-256-GCM(key, message), the key derived from the day key of `AHEAD_DAYS` later
    message = [sender, number, sent, body]

`number` rises with every message of a sender, so nothing counts twice; what is older than clocks
may differ is dropped, so an old recording starts nothing.
"""

from __future__ import annotations

import os
from typing import Annotated, Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta
from saphan_protocol.identity import pae_array
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.errors import (
    FAMILIES,
    InvalidInput,
    OperatorError,
    SaphanError,
    Unavailable,
)
from saphan_schemas.frames import StatementItem, Submission
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import Note
from saphan_schemas.records import AgencyId, BatchSignature, Day, Digest, HeadRef, Index, Millis

from saphan_broker.clock import day_of
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import Log

PROCESS_TYPE: Final = "saphan/process/1"
ID_BYTES: Final = 16
AHEAD_DAYS: Final = 2
"""The key of the day itself is destroyed while that day's messages are still under way."""
_DAY_BYTES: Final = 4
_NONCE_BYTES: Final = 12

ProcessId = Annotated[bytes, Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
Number = Annotated[int, Meta(ge=0)]
Agencies = tuple[AgencyId, ...]


class WireError(Record, frozen=True):
    """A `SaphanError`, whole; `family` is its place in `errors.FAMILIES`."""

    family: Annotated[int, Meta(ge=0, lt=len(FAMILIES))]
    code: str
    message: str
    field: str | None
    hint: str | None
    retry_after_ms: Number


class ForSubmission(Record, frozen=True, tag=1):
    """`work.Submitted`; its batch signature is among the message's."""

    number: Number
    peer: AgencyId
    submission: Submission
    missing: WireError | None


class ForStatement(Record, frozen=True, tag=2):
    """`work.Stated`."""

    number: Number
    peer: AgencyId
    item: StatementItem


class ForOperation(Record, frozen=True, tag=3):
    """`work.Operation`."""

    number: Number
    signed: bytes
    peer: AgencyId | None


class ForPackage(Record, frozen=True, tag=4):
    """`work.Package`."""

    number: Number
    package: bytes
    peer: AgencyId


class ForOrder(Record, frozen=True, tag=6):
    """`work.Order`."""

    number: Number
    package: bytes
    peer: AgencyId


class ForSchema(Record, frozen=True, tag=7):
    """`work.OwnSchema`."""

    number: Number
    package: bytes
    peer: AgencyId


class ForHold(Record, frozen=True, tag=8):
    """`work.Hold`."""

    number: Number
    package: bytes
    peer: AgencyId


class ForHead(Record, frozen=True, tag=5):
    """`work.NewHead`."""

    number: Number


ForwardedItem: TypeAlias = (
    ForSubmission
    | ForStatement
    | ForOperation
    | ForPackage
    | ForOrder
    | ForSchema
    | ForHold
    | ForHead
)


class Forwarded(Record, frozen=True, tag=1):
    """Follower to holder: items in the order of their sessions.

    `verified` names the places of the signatures that the follower has checked already.
    """

    items: tuple[ForwardedItem, ...]
    signatures: tuple[BatchSignature, ...]
    verified: tuple[Number, ...]


class Outcome(Record, frozen=True):
    """What became of the item with this number."""

    number: Number
    indices: tuple[Index, ...]
    error: WireError | None


class Answers(Record, frozen=True, tag=2):
    """Holder to follower; the logs' signed sizes, so that who is answered also sees the entries."""

    directory: Index
    evidence: Index
    outcomes: tuple[Outcome, ...]


class NewestHead(Record, frozen=True):
    """A signed evidence head; `hashes` are those of the leaves start <= index < stop, 32 bytes."""

    root: Digest
    time: Index
    note: Note
    hashes: bytes


class News(Record, frozen=True, tag=3):
    """Holder to all: a head is signed, durable and published; the store says the same.

    Entries start <= index < stop are of `agencies`' corridors (None: anyone's). `asked` tells that
    witnesses of `witnesses` (None: all) are asked for heads signed since then (ms). `directory` is
    the size of the directory's signed head, `anchored` the one that the newest anchor names.
    """

    start: Index
    stop: Index
    agencies: Agencies | None
    asked: Millis | None
    witnesses: Agencies | None
    directory: Index
    anchored: Index
    head: NewestHead | None


class Cosigned(Record, frozen=True, tag=4):
    """To all: checked lines of an agency's witness, the log's own note that they are on, and the
    time (ms) that witnesses vouch for."""

    log: Log
    agency: AgencyId
    size: Index
    time: Number
    lines: Annotated[bytes, Meta(max_length=16_384)]
    note: Note | None
    witnessed: Millis


class OpenSession(Record, frozen=True):
    """A session's token, as a digest, and whose it is."""

    token: Digest
    agency: AgencyId


class Come(Record, frozen=True):
    """How far retention has come at a process: `seed` is the first day whose key it still has,
    `acted` the time up to which it knows that all is done, `armed` the rule that may act."""

    seed: Day
    acted: Millis
    armed: Digest | None


class Beat(Record, frozen=True, tag=5):
    """To all, every second and when something changes: what this process knows.

    Args:
        holding: whether it holds the lease and works.
        line: how often its line to the server was opened; between two of them messages were lost.
        heard: newest heads that nodes have logged in with at this process.
        held: a node has shown that the store lacks something.
        stopped: (code, message) of what keeps it from logging anything.
        clocks: (agency, ms ahead of ours) of its sessions.
        progress: of its retention; the others follow.
    """

    holding: bool
    line: Number
    witnessed: Millis
    held: bool
    heard: tuple[HeadRef, ...] | None
    stopped: tuple[tuple[str, str], ...]
    sessions: Annotated[tuple[OpenSession, ...], Meta(max_length=LIMITS.sessions)]
    clocks: Annotated[tuple[tuple[AgencyId, int], ...], Meta(max_length=LIMITS.sessions)]
    progress: Come


class Gone(Record, frozen=True, tag=6):
    """To all: this process ends; whoever waits for the lease tries at once."""


class Who(Record, frozen=True, tag=7):
    """To all: a process has come; everyone beats."""


class Override(Record, frozen=True, tag=8):
    """To all: the operator lets the signers sign although no node was heard."""

    reason: Annotated[str, Meta(max_length=200)]


Body: TypeAlias = Forwarded | Answers | News | Cosigned | Beat | Gone | Who | Override


class Message(Record, frozen=True):
    """One message; `sent` is the sender's clock."""

    sender: ProcessId
    number: Number
    sent: Millis
    body: Body


def wire_error(error: SaphanError) -> WireError:
    """An error as it travels; a subclass travels as its family."""
    family = next(n for n, kind in enumerate(FAMILIES) if isinstance(error, kind))
    retry = error.retry_after_ms if isinstance(error, Unavailable) else 0
    return WireError(family, error.code, error.message, error.field, error.hint, retry)


def from_wire(error: WireError) -> SaphanError:
    """The error again."""
    made = FAMILIES[error.family](error.code, error.message, field=error.field, hint=error.hint)
    if isinstance(made, Unavailable):
        made.retry_after_ms = error.retry_after_ms
    return made


class Envelope:
    """Seals and opens messages under keys that every process of this broker derives.

    Args:
        keys: the day keys: who has the seed is a process of this broker.
        origin: origin of the evidence log.
    """

    def __init__(self, keys: DayKeys, origin: str) -> None:
        self._keys = keys
        self._origin = origin
        self._cipher: tuple[int, AESGCM] | None = None

    def seal(self, message: Message, to: bytes | None) -> bytes:
        """Bytes for one process, or for all (None).

        Raises:
            OperatorError: `day_key_destroyed`, `day_out_of_range`.
        """
        day, nonce = day_of(message.sent), os.urandom(_NONCE_BYTES)
        sealed = self._of(day).encrypt(nonce, encode(message), self._context(to))
        return day.to_bytes(_DAY_BYTES, "big") + nonce + sealed

    def open(self, data: bytes, to: bytes | None, now: int) -> Message | None:
        """The message; None for what is not ours, is damaged, or is of another time."""
        day = int.from_bytes(data[:_DAY_BYTES], "big")
        nonce, sealed = data[_DAY_BYTES:][:_NONCE_BYTES], data[_DAY_BYTES + _NONCE_BYTES :]
        if abs(day - day_of(now)) > 1:
            return None
        try:
            plain = self._of(day).decrypt(nonce, sealed, self._context(to))
            message = decode(Message, plain, len(plain), "message")
        except (InvalidTag, ValueError, InvalidInput, OperatorError):
            return None
        return message if abs(message.sent - now) <= LIMITS.skew_ms else None

    def _context(self, to: bytes | None) -> bytes:
        return pae_array(PROCESS_TYPE, [self._origin, to])

    def _of(self, day: int) -> AESGCM:
        """One day's at a time: a second one is asked for around midnight only."""
        if self._cipher is None or self._cipher[0] != day:
            self._cipher = day, AESGCM(self._keys.derived(day + AHEAD_DAYS, PROCESS_TYPE))
        return self._cipher[1]
