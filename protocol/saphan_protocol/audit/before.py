"""The log before this one, under audit: what a successor names of it (steps E4 and L1 to L4).

A log that was lost is followed by one under the same keys and the next number. Its leaf 0 names the
largest head that anybody reported of the lost one. Alone it is believed to be a claim; with what is
in hand of the lost log it is compared, and what lies between the two is a number: the gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.packs import PackItem
from saphan_schemas.records import LeafType

from saphan_protocol.audit.directory import Replayed, active_witnesses, head_seen
from saphan_protocol.audit.log import CheckedLeaves, LogSource, pinned_head, pinned_keys
from saphan_protocol.audit.packs import PackSource
from saphan_protocol.audit.report import AuditStep, Coverage, Progress, SuccessorSeen, Trail
from saphan_protocol.checkpoint import parse_checkpoint, verify_head
from saphan_protocol.evidence import Leaf
from saphan_protocol.identity import sha256
from saphan_protocol.notes import parse_note
from saphan_protocol.pack import PackReader
from saphan_protocol.pins import Pins, numbered, origin_number


@dataclass(frozen=True, slots=True)
class OldLogs:
    """What is in hand of the log that a successor names.

    Args:
        evidence: as much of it as there is; None: nothing but packs.
        directory: as it stood beside it; None: not compared.
        packs: record packs about it: of these the signed heads are read, and no entry.
    """

    evidence: LogSource | None = None
    directory: LogSource | None = None
    packs: Iterable[PackSource] = ()


class SuccessorKept(msgspec.Struct, array_like=True, frozen=True):
    """What leaf 0 names, and how many consignments doubt it."""

    size: int
    root: bytes
    doubted: int


class Before:
    """The log before: none for the first log of its name.

    Raises:
        InvalidInput: `log_first`, logs are given as those before the first one.
    """

    def __init__(self, pins: Pins, old: OldLogs | None, coverage: Coverage, trail: Trail) -> None:
        lasting, number = origin_number(pins.evidence.origin)
        if old is not None and number == 1:
            raise InvalidInput(
                "log_first",
                f"{pins.evidence.origin} is the first log of its name: none came before it",
                field="old",
            )
        self._pins = pins
        self._old = old
        self._coverage = coverage
        self._trail = trail
        self._origin = None if number == 1 else f"{lasting}/{number - 1}"
        self._heads: list[tuple[int, bytes, str | None]] = []

    @property
    def leaves(self) -> int:
        """How many come before the first anchor: the successor leaf, if there must be one."""
        return int(self._origin is not None)

    # --- what is in hand --------------------------------------------------------------------------

    def read(self, replayed: Replayed, progress: Progress) -> None:
        """Steps L1, L2 and L4, before the successor's own leaves are read.

        Raises:
            InvalidInput, Refused: where the trail stands.
        """
        old = self._old
        if old is None or self._origin is None:
            return
        trail, pin = self._trail, numbered(self._pins.evidence, origin_number(self._origin)[1])
        trail.log = "before"
        if old.evidence is not None:
            trail.at(AuditStep.OLD_HEAD)
            head = pinned_head(old.evidence, pin)
            self._seen().head = head_seen(head, active_witnesses(replayed.directory))
            for _ in CheckedLeaves(old.evidence, head, trail, AuditStep.OLD_ROOT, progress):
                pass
            self._heads.append((head.size, head.root, None))
        for name, items in old.packs:
            self._show(name, items, pin)
        self._seen().heads = len(self._heads)
        if old.directory is not None:
            trail.at(AuditStep.OLD_DIRECTORY)
            self._check_directory(old.directory, replayed)

    def _show(self, name: str, items: Iterable[PackItem], pin: LogPin) -> None:
        """The heads that a pack of the lost log shows."""
        self._trail.at(AuditStep.OLD_HEAD, pack=name)
        reader, keys = PackReader(name, items), pinned_keys(pin)
        if reader.head.evidence != pin.origin:
            raise InvalidInput(
                "pack_origin",
                f"the pack is about {reader.head.evidence}, and the log before is {pin.origin}",
                field="pack.origin",
            )
        for note in reader.notes():
            head = verify_head(note, keys)
            self._heads.append((head.size, head.root, name))

    def _check_directory(self, source: LogSource, replayed: Replayed) -> None:
        """Step L4: whatever the number of its origin, nothing of the directory is lost."""
        _, number = origin_number(parse_checkpoint(parse_note(source.note()).text).origin)
        head = pinned_head(source, numbered(self._pins.directory, number))
        if head.size >= len(replayed.roots) or replayed.roots[head.size] != head.root:
            raise Refused(
                "successor_directory",
                f"the directory of {head.size} leaves that stood beside the lost log is not "
                "the beginning of this one",
                hint="operations were lost or changed: keep both copies, and compare them",
            )

    # --- what the successor says ------------------------------------------------------------------

    def take(self, index: int, leaf: Leaf) -> None:
        """Steps E4 and L3 for the log's first leaf.

        Raises:
            InvalidInput: `leaf_malformed`; Refused: `successor_*`.
        """
        if index:
            if leaf.type is LeafType.SUCCESSOR:
                raise InvalidInput("leaf_malformed", "a successor leaf stands first or nowhere")
        elif leaf.type is LeafType.SUCCESSOR:
            if self._origin is None or leaf.old_origin != sha256(self._origin.encode()):
                raise Refused(
                    "successor_origin",
                    f"its first leaf does not name {self._origin or 'a log before it'}, "
                    "but another log",
                    field="leaf",
                )
            self._named(SuccessorKept(leaf.size or 0, leaf.root or b"", 0))
        elif self._origin is not None:
            raise Refused(
                "successor_missing",
                f"the log follows {self._origin}, and does not say where that one ended",
                field="leaf",
            )

    def again(self, kept: SuccessorKept | None) -> None:
        """Leaf 0 was judged by an earlier run; what is in hand of the log before may be new."""
        if kept is not None:
            self._trail.at(AuditStep.SUCCESSOR, 0)
            self._named(kept)

    def keep(self) -> SuccessorKept | None:
        """What `again` takes."""
        seen = self._coverage.successor
        return None if seen is None else SuccessorKept(seen.size, seen.root, seen.doubted)

    def _named(self, kept: SuccessorKept) -> None:
        seen = self._seen()
        seen.size, seen.root, seen.doubted = kept.size, kept.root, kept.doubted
        for size, root, pack in self._heads:
            self._trail.at(AuditStep.SUCCESSOR, 0, pack)
            if size > kept.size:
                raise Refused(
                    "successor_behind",
                    f"it names {kept.size} leaves of {seen.origin}, of which {size} were signed",
                    field="leaf",
                    hint="what was proven is denied: keep both logs and the pack, they are proof",
                )
            if size == kept.size and root != kept.root:
                raise Refused(
                    "successor_differs",
                    f"it names another head of {size} leaves of {seen.origin} than was signed",
                    field="leaf",
                    hint="two histories were shown: keep both logs and the pack, they are proof",
                )
            seen.signed = seen.signed or size == kept.size

    def _seen(self) -> SuccessorSeen:
        if self._coverage.successor is None:
            self._coverage.successor = SuccessorSeen(self._origin or "")
        return self._coverage.successor
