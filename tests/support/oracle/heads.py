"""Heads that anybody has kept: one root for one size, and no log that falls short of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from saphan_protocol.audit.log import pinned_keys
from saphan_protocol.checkpoint import Checkpoint, parse_checkpoint, verify_head
from saphan_protocol.notes import parse_note
from saphan_protocol.pins import Pins
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import SaphanError

from support.oracle.findings import Fault, Finding


def pin_of(pins: Pins, origin: str) -> LogPin | None:
    """The pinned keys under an origin that differs in its number only; None for another log."""
    for pin in (pins.directory, pins.evidence):
        if origin.rpartition("/")[0] == pin.origin.rpartition("/")[0]:
            return LogPin(origin, pin.vkeys)
    return None


class Heads:
    """Verified heads, by origin and size."""

    def __init__(self, pins: Pins) -> None:
        self._pins = pins
        self.roots: dict[tuple[str, int], set[bytes]] = defaultdict(set)
        self.findings: list[Finding] = []

    def take(self, notes: Iterable[bytes], whose: str) -> None:
        """Verify heads; one that does not verify is a finding."""
        for note in notes:
            try:
                head = self._verified(note)
            except SaphanError as error:
                self.findings.append(Finding(Fault.UNPROVEN, f"a head of {whose}: {error}"))
            else:
                self.roots[head.origin, head.size].add(head.root)

    def newest(self, origin: str) -> int:
        """The largest size that was signed; -1 if no head of the log is known."""
        return max((size for known, size in self.roots if known == origin), default=-1)

    def forks(self) -> list[Finding]:
        return [
            Finding(Fault.TWO_ROOTS, f"{origin} at size {size}")
            for (origin, size), roots in sorted(self.roots.items())
            if len(roots) > 1
        ]

    def _verified(self, note: bytes) -> Checkpoint:
        said = parse_checkpoint(parse_note(note).text)
        pin = pin_of(self._pins, said.origin)
        # A head of no log of ours is judged with our keys, and refused.
        head = verify_head(note, pinned_keys(self._pins.evidence if pin is None else pin))
        return Checkpoint(head.origin, head.size, head.root)
