"""The directory log under audit: replayed leaf by leaf, agreements opened by packs, witnesses.

It is kept whole in memory: it is small, and every entry is judged by some size of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from saphan_schemas.codec import decode
from saphan_schemas.directory_records import SignedOperation
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import LeafType, Role

from saphan_protocol.agreement import check_pins
from saphan_protocol.audit.log import CheckedLeaves, LogSource, pinned_head
from saphan_protocol.audit.report import AuditStep, Coverage, HeadSeen, Progress, Trail
from saphan_protocol.checkpoint import Head, KeyPair, verify_cosignatures
from saphan_protocol.directory import Directory
from saphan_protocol.notes import KeyType, verifier_key
from saphan_protocol.pins import Pins


@dataclass(frozen=True, slots=True)
class Replayed:
    """The directory, its head, and its root at every size (what anchors must name)."""

    directory: Directory
    head: Head
    roots: list[bytes]


def replay_directory(
    source: LogSource,
    pins: Pins,
    known_types: Mapping[str, bytes],
    coverage: Coverage,
    trail: Trail,
    progress: Progress,
) -> Replayed:
    """Steps D1 to D3: head by the pins, root from the leaves, every leaf replayed.

    Raises:
        InvalidInput, Refused: where `trail` stands.
    """
    trail.log = "directory"
    trail.at(AuditStep.DIRECTORY_HEAD)
    head = pinned_head(source, pins.directory)
    leaves = CheckedLeaves(source, head, trail, AuditStep.DIRECTORY_ROOT, progress)
    directory, known = Directory(), dict(known_types)
    roots = [leaves.frontier.root()]
    for index, leaf in enumerate(leaves):
        trail.at(AuditStep.DIRECTORY_REPLAY, index)
        directory.apply(leaf, known)
        roots.append(leaves.frontier.root())
        _count(leaf, coverage)
    coverage.directory_leaves = head.size
    return Replayed(directory, head, roots)


def _count(leaf: bytes, coverage: Coverage) -> None:
    match leaf[0]:
        case LeafType.OPERATION:
            coverage.operations += 1
            signed = decode(SignedOperation, leaf[1:], LIMITS.operation_bytes, "operation")
            coverage.operation_signatures += sum(
                len(part) for part in (signed.roots, signed.keys, signed.witnesses)
            )
        case LeafType.AGREEMENT | LeafType.ORDER | LeafType.HOLD:
            coverage.agreements_logged += 1
        case _:
            coverage.types += 1


class Agreements:
    """Step D4: agreements that packs open; each is judged at its own place in the log."""

    def __init__(self, directory: Directory, pins: Pins, coverage: Coverage) -> None:
        self._directory = directory
        self._pins = pins
        self._coverage = coverage
        self._opened: set[bytes] = set()

    def open(self, package: bytes) -> None:
        """Make a logged agreement, an order on one, or a hold order usable.

        Raises:
            InvalidInput, Refused: what `Directory.add_package` and `check_pins` raise.
        """
        added = self._directory.add_package(
            package, lambda text: check_pins(text, *self._pins.lasting)
        )
        self._opened.add(added.commitment)
        self._coverage.agreements_opened = len(self._opened)


def see_heads(
    heads: Iterable[Head], directory: Directory, coverage: Coverage, trail: Trail
) -> None:
    """Step W1: count the agencies whose active witness keys have cosigned.

    Raises:
        InvalidInput: a line of a known witness does not hold (log.md, C1 to C3).
    """
    pairs = active_witnesses(directory)
    for head, log in zip(heads, ("directory", "evidence"), strict=True):
        trail.log = "directory" if log == "directory" else "evidence"
        trail.at(AuditStep.WITNESSES)
        coverage.heads.append(head_seen(head, pairs))


def active_witnesses(directory: Directory) -> list[KeyPair]:
    """Verifier keys of all witness keys that are active."""
    return [
        witness_pair(agency, key.public)
        for agency in directory.agencies()
        for key in directory.keys(agency, Role.WITNESS)
    ]


def head_seen(head: Head, witnesses: Iterable[KeyPair]) -> HeadSeen:
    """A verified head, and who of these has cosigned it.

    Raises:
        InvalidInput: a line of a known witness does not hold (log.md, C1 to C3).
    """
    names = sorted({line.name for line in verify_cosignatures(head.note, witnesses)})
    return HeadSeen(head.origin, head.size, head.root, head.time, tuple(names))


def witness_pair(agency: str, public: bytes) -> KeyPair:
    """Verifier keys of an enrolled witness key: types 04 and 06 under the agency's name."""
    return (
        verifier_key(agency, KeyType.COSIGNATURE_ED25519, public[:32]),
        verifier_key(agency, KeyType.COSIGNATURE_MLDSA44, public[32:]),
    )
