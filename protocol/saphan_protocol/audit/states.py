"""What an audit knows at one leaf, as a record, and whether it fits the audit at hand.

It is a plain record of the auditor's own: whoever keeps it guards it, as what it says is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from saphan_schemas.codec import encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import InvalidInput, Refused

from saphan_protocol.audit.before import SuccessorKept
from saphan_protocol.audit.corridors import CorridorsKept
from saphan_protocol.audit.delivered import DeliveriesKept
from saphan_protocol.audit.destruction import DestructionsKept
from saphan_protocol.audit.heads import PassedKept, ShownHead
from saphan_protocol.audit.holding import HoldingKept
from saphan_protocol.audit.recipients import RecipientsKept
from saphan_protocol.audit.statistics import Statistics
from saphan_protocol.identity import sha256
from saphan_protocol.pins import Pins

STATE_FORMAT: Final = "saphan/audit-state/3"
OF_STATES: Final = frozenset({"state_malformed", "state_foreign", "state_packs", "state_ahead"})
"""Errors of the auditor's own keeping: they say nothing about the log."""


class PackKept(msgspec.Struct, array_like=True, frozen=True):
    """A pack that was given: what tells it from others, and its leaves [start, stop)."""

    identity: bytes
    start: int
    stop: int


class Counted(msgspec.Struct, array_like=True):
    """What the coverage says of the evidence log so far."""

    logged: dict[str, int]
    opened: dict[str, int]
    signatures: int
    unseen: int
    bounded: int
    holds_closed: int


class State(msgspec.Struct, array_like=True):
    """Everything that judging the leaf at `index` needs to know of those before it.

    Args:
        bound: what the audit was about: pins, schemas, and whose program it was.
        root: of the evidence log's first `index` leaves.
        directory, directory_root: the directory's size and root.
        ended: the audit came to its end, and nothing was wrong.
        packages: agreements and orders that packs have opened.
        anchor: directory size of the last anchor; successor: what the first leaf names, if it is
            one.
        time: of the last opened entry, ms.
    """

    format: str
    bound: bytes
    index: int
    root: bytes
    directory: int
    directory_root: bytes
    ended: bool
    packs: list[PackKept]
    packages: list[bytes]
    heads: list[ShownHead]
    anchor: int
    successor: SuccessorKept | None
    time: int
    passed: PassedKept
    unplaced: int
    corridors: CorridorsKept
    recipients: RecipientsKept
    counted: Counted
    statistics: Statistics
    ends: DestructionsKept
    holding: HoldingKept


def bound_to(pins: Pins, known_types: Mapping[str, bytes], program: str) -> bytes:
    """What a state is about: 32 bytes."""
    types = [[name, digest] for name, digest in sorted(known_types.items())]
    origins = [pins.directory.origin, pins.evidence.origin]
    return sha256(encode([STATE_FORMAT, program, pins.digest, origins, types]))


def parse_state(data: bytes, bound: bytes) -> State:
    """A state that fits this audit.

    Raises:
        InvalidInput: `state_malformed`, `state_foreign`.
    """
    try:
        state = msgpack_decoder(State).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed() from None
    if state.format != STATE_FORMAT or state.bound != bound:
        raise InvalidInput(
            "state_foreign",
            "the state is of other pins, of another log or of another release of this program",
            field="state",
            hint="name another file: the audit then begins anew",
        )
    return state


def parse_piece(data: bytes) -> DeliveriesKept:
    try:
        return msgpack_decoder(DeliveriesKept).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed() from None


def _malformed() -> InvalidInput:
    return InvalidInput(
        "state_malformed",
        "the state of the audit does not parse",
        field="state",
        hint="remove it: the audit then begins anew",
    )


def check_packs(state: State, given: list[PackKept]) -> None:
    """The packs of this run can follow those of the earlier ones.

    Raises:
        InvalidInput: `state_packs`.
    """
    known = set(state.packs)
    for pack in given:
        if pack not in known and pack.start < state.index:
            raise _packs(f"a pack that is new opens leaf {pack.start}")
    for pack in known.difference(given):
        if not state.ended or pack.stop > state.index:
            raise _packs(f"a pack of leaves {pack.start} to {pack.stop - 1} is not given again")


def check_ahead(index: int, size: int) -> None:
    """The logs here are not older than the state.

    Raises:
        InvalidInput: `state_ahead`.
    """
    if index > size:
        raise InvalidInput(
            "state_ahead",
            f"the state covers {index} leaves, and {size} are here",
            field="state",
            hint="fetch the public logs again, or ask their keeper why they are shorter",
        )


def _packs(why: str) -> InvalidInput:
    return InvalidInput(
        "state_packs",
        f"{why}, and what was judged before is not judged again",
        field="state",
        hint="give the same packs and those of later leaves, or name another state file",
    )


def rewritten(size: int) -> Refused:
    """`history_differs`: the log's first `size` leaves are others than they were."""
    return Refused(
        "history_differs",
        f"the first {size} leaves are not those that were audited before",
        field="leaves",
        hint="the log was rewritten: keep the earlier copy and its head, both are proof",
    )
