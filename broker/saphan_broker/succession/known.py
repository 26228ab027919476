"""What is known of both logs: the largest heads, and the directory as far as anybody has it.

Everything here is under the log's own signature, or from the signer's own file. Two roots for one
size cannot be made one: then nothing is made, and people compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.checkpoint import Head, KeyPair, verify_head
from saphan_protocol.directory import Directory
from saphan_protocol.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of
from saphan_protocol.notes import parse_vkey
from saphan_protocol.pins import Pins
from saphan_schemas.bodies import known_types
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import HeadRef, Role

SIGNER: Final = "the signer's file"
STORE: Final = "the store"


@dataclass(frozen=True, slots=True)
class Sourced:
    """A head, and who says so: the signer's file, the store, or an agency's node."""

    head: HeadRef
    source: str


class Largest:
    """The largest head of one log that anybody has shown, and one root for each size."""

    def __init__(self, origin: str) -> None:
        self.found = Sourced(HeadRef(origin, 0, EMPTY_ROOT), SIGNER)
        self._roots: dict[int, Sourced] = {}

    def take(self, head: HeadRef, source: str) -> None:
        """Hear of a head.

        Raises:
            OperatorError: `reports_contradict`.
        """
        known = self._roots.setdefault(head.size, Sourced(head, source))
        if head.root != known.head.root:
            raise contradiction(
                head.origin, f"{head.size} leaves by {known.source} and by {source}"
            )
        if head.size > self.found.head.size:
            self.found = known

    @property
    def heard(self) -> tuple[Sourced, ...]:
        """Every head so far, one of each size."""
        return tuple(self._roots.values())


class KnownDirectory:
    """The directory's leaves under a signed head; grows with the copies that nodes bring."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._frontier = Frontier()
        self._hashes: list[bytes] = []
        self._types = {known.name: known.digest for known in known_types()}
        self.leaves: list[bytes] = []
        self.packages: dict[int, bytes] = {}
        """Texts beside leaves, as the store had them."""
        self.directory = Directory()

    @property
    def size(self) -> int:
        """How many leaves are known."""
        return len(self.leaves)

    @property
    def head(self) -> HeadRef:
        """Size and root of what is known."""
        return HeadRef(self._origin, self.size, self._frontier.root())

    def check_head(self, head: HeadRef, source: str) -> None:
        """Compare a signed head with the leaves that are known.

        Raises:
            OperatorError: `reports_contradict`.
        """
        if head.size <= self.size and root_of(self._hashes[: head.size]) != head.root:
            raise contradiction(head.origin, f"the leaves that are known and {source}'s head")

    def grow(self, start: int, leaves: Sequence[bytes], head: HeadRef) -> None:
        """Take the leaves from `start` on that make a signed head; what is known is skipped.

        Raises:
            InvalidInput: `report_differs`: they do not make that root.
            Refused, InvalidInput: a leaf that this program does not take. Those before it are
                known: they are under the same signed root.
        """
        if start > self.size or head.size <= self.size:
            return
        fresh = [bytes(leaf) for leaf in leaves[self.size - start :]]
        trial, hashes = self._frontier.copy(), [leaf_hash(leaf) for leaf in fresh]
        trial.extend(hashes)
        if (trial.size, trial.root()) != (head.size, head.root):
            raise InvalidInput(
                "report_differs",
                f"the directory leaves do not make the signed root of {head.size} leaves",
                field="leaves",
                hint="the node's store is damaged, or the line has changed a byte",
            )
        for leaf, digest in zip(fresh, hashes, strict=True):
            self.directory.apply(leaf, self._types)
            self._frontier.append(digest)
            self._hashes.append(digest)
            self.leaves.append(leaf)

    def agencies(self) -> list[str]:
        """Agencies with an active node key: they may know what nobody else does."""
        directory = self.directory
        return [name for name in directory.agencies() if directory.keys(name, Role.NODE)]


def key_pair(pin: LogPin) -> KeyPair:
    """A log's public keys."""
    first, second = (parse_vkey(text) for text in pin.vkeys)
    return first, second


def heads_of(pins: Pins, directory: bytes, evidence: bytes) -> tuple[Head | None, Head | None]:
    """The heads of two notes, each under the log's own keys; an empty note is none.

    Raises:
        InvalidInput: what `verify_head` raises.
    """
    return (
        verify_head(directory, key_pair(pins.directory)) if directory else None,
        verify_head(evidence, key_pair(pins.evidence)) if evidence else None,
    )


def contradiction(origin: str, what: str) -> OperatorError:
    """Two roots for one size, both signed."""
    return OperatorError(
        "reports_contradict",
        f"{origin} has two histories: {what}",
        field="keys",
        hint="make nothing: keep data, keys and the nodes as they are, and compare their heads",
    )
