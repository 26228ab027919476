"""What a file about two histories proves: steps T1 to T7 of `schemas/spec/log.md`.

One rule decides. A signed head vouches for the root of its own size and, by a path that ends in its
root, for the root of every smaller size. Two roots for one size of one log, both vouched for by its
own keys, are a proof: an honest log has one history, and nobody else can sign its heads. Whatever
is not vouched for by the log's keys (what a peer says it saw, a path that ends nowhere) proves
nothing here, however many have signed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, HeadRef, Role, Signature

from saphan_protocol.batch import verify_one
from saphan_protocol.checkpoint import Head, KeyPair, parse_checkpoint, verify_head
from saphan_protocol.evidence import CONSIGNMENT_TYPE, anchor_leaf, successor_leaf
from saphan_protocol.keys import VerifyingKey
from saphan_protocol.merkle import leaf_hash, roots_of_history, verify_inclusion
from saphan_protocol.notes import parse_note, parse_vkey
from saphan_protocol.pins import Pins, origin_number
from saphan_protocol.split_file import (
    Claim,
    History,
    ShownAnchor,
    ShownSuccessor,
    SplitFile,
)

SIGNATURE_BYTES: Final = 8 * 1024


class Proven(Enum):
    """The verdict: only `YES` says that this broker has shown two histories."""

    YES = "proven"
    BY_UNKNOWN_KEYS = "keys_unknown"
    """Two histories are signed by the keys that the file itself names: anybody can make such a
    file. It is a proof for whoever knows that these are the broker's keys."""
    NO = "not_proven"


@dataclass(frozen=True, slots=True)
class Vouched:
    """A root of a log at a size, and the signed head that vouches for it.

    Args:
        how: `note`, `path`, `anchor` or `successor`: what leads from the head to the root.
        head: an evidence head for an anchor, one of the log that follows for a successor, else one
            of the same log.
    """

    origin: str
    size: int
    root: bytes
    how: str
    head: Head


@dataclass(frozen=True, slots=True)
class Remark:
    """A part of the file that counts for nothing, or not for a proof, and why."""

    part: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SplitVerdict:
    """What the file proves.

    Args:
        sides: the two roots of the smallest size at which they differ; none if nothing is proven.
        claims: heads that peers have signed as seen, and that no head here agrees with.
        pins: whose keys have judged: those given, else those of the file.
    """

    proven: Proven
    sides: tuple[Vouched, Vouched] | None
    claims: tuple[tuple[str, HeadRef], ...]
    remarks: tuple[Remark, ...]
    heads: tuple[Head, ...]
    pins: Pins


def judge_split(found: SplitFile, pins: Pins | None = None) -> SplitVerdict:
    """Judge a file about two histories; never raises for what stands in it.

    Args:
        pins: the broker's logs as whoever judges knows them. None: the keys of the file are tried,
            which proves nothing about anybody whose keys these may not be.
    """
    judging = _Judging(found, found.pins if pins is None else pins)
    judging.read()
    sides = judging.sides()
    by_their_keys = Proven.BY_UNKNOWN_KEYS if pins is None else Proven.YES
    return SplitVerdict(
        Proven.NO if sides is None else by_their_keys,
        sides,
        tuple(judging.claims()),
        tuple(judging.remarks),
        tuple(judging.heads.values()),
        judging.pins,
    )


class _Judging:
    def __init__(self, found: SplitFile, pins: Pins) -> None:
        self.pins = pins
        self._found = found
        self.remarks: list[Remark] = []
        self.heads: dict[HeadRef, Head] = {}
        self._roots: dict[tuple[str, int], dict[bytes, Vouched]] = {}

    def read(self) -> None:
        """Collect every root that a head of this broker vouches for."""
        for place, note in enumerate(self._found.notes):
            with _noting(self.remarks, f"notes[{place}]"):
                self._take_note(note)
        for place, history in enumerate(self._found.histories):
            with _noting(self.remarks, f"histories[{place}]"):
                self._take_history(history)
        for place, anchor in enumerate(self._found.anchors):
            with _noting(self.remarks, f"anchors[{place}]"):
                self._take_anchor(anchor)

        for place, successor in enumerate(self._found.successors):
            with _noting(self.remarks, f"successors[{place}]"):
                self._take_successor(successor)

    def _take_note(self, note: bytes) -> None:
        origin = parse_checkpoint(parse_note(note).text).origin
        head = verify_head(note, self._keys(origin))  # T1: both of the log's lines
        if head.ref not in self.heads:
            self.heads[head.ref] = head
            self._vouch(Vouched(origin, head.size, head.root, "note", head))  # T2

    def _keys(self, origin: str) -> KeyPair:
        """The pinned keys under the name of this origin: a successor has the same keys."""
        for pin in self.pins.lasting:
            if origin.rpartition("/")[0] == pin.origin:
                return _named(pin, origin)
        raise InvalidInput("head_origin", f"{origin} is no log of {self.pins.name}", field="origin")

    def _take_history(self, history: History) -> None:
        """T3: only a path that ends in a signed root says anything of an earlier one."""
        old_root, new_root = roots_of_history(history.old, history.new, history.path)
        head = self._head(history.origin, history.new, new_root)
        self._vouch(Vouched(history.origin, history.old, old_root, "path", head))

    def _head(self, origin: str, size: int, root: bytes) -> Head:
        head = self.heads.get(HeadRef(origin, size, root))
        if head is None:
            raise InvalidInput(
                "split_path_loose",
                f"the path ends in no signed head of {size} leaves of {origin}",
                field="path",
            )
        return head

    def _take_anchor(self, anchor: ShownAnchor) -> None:
        """T4: an anchor speaks of the directory log that is named beside its own log."""
        evidence, directory = self._found.pins.evidence.origin, self._found.pins.directory.origin
        if (self.pins.directory.origin, self.pins.evidence.origin) != (directory, evidence):
            raise InvalidInput(
                "split_other_log",
                f"the pins name other numbers than {directory} and {evidence}",
                field="pins",
            )
        if _number(evidence) != _number(directory):
            # One of them has got a successor: the anchor may speak of the directory before it.
            raise InvalidInput(
                "split_other_log", f"{evidence} and {directory} were not opened together"
            )
        leaf = leaf_hash(anchor_leaf(anchor.size, anchor.root))
        for head in self.heads.values():
            if (head.origin, head.size) == (evidence, anchor.head):
                verify_inclusion(anchor.index, head.size, leaf, anchor.path, head.root)
                self._vouch(Vouched(directory, anchor.size, anchor.root, "anchor", head))
                return
        raise InvalidInput(
            "split_path_loose", f"no signed head of {anchor.head} leaves of {evidence} is here"
        )

    def _take_successor(self, shown: ShownSuccessor) -> None:
        """T4: leaf 0 of a successor speaks of the log with the number before its own."""
        lasting, number = origin_number(shown.origin)
        old = f"{lasting}/{number - 1}"
        leaf = leaf_hash(successor_leaf(old, shown.size, shown.root))
        for head in self.heads.values():
            if (head.origin, head.size) == (shown.origin, shown.head):
                verify_inclusion(0, head.size, leaf, shown.path, head.root)
                self._vouch(Vouched(old, shown.size, shown.root, "successor", head))
                return
        raise InvalidInput(
            "split_path_loose", f"no signed head of {shown.head} leaves of {shown.origin} is here"
        )

    def _vouch(self, vouched: Vouched) -> None:
        roots = self._roots.setdefault((vouched.origin, vouched.size), {})
        roots.setdefault(vouched.root, vouched)

    def sides(self) -> tuple[Vouched, Vouched] | None:
        """T5: two roots for one size, of the smallest size."""
        for place in sorted(self._roots, key=lambda place: (place[1], place[0])):
            roots = list(self._roots[place].values())
            if len(roots) > 1:
                return roots[0], roots[1]
        return None

    def claims(self) -> list[tuple[str, HeadRef]]:
        """T6: heads that peers have signed as seen, where the heads here vouch for others."""
        found = []
        for place, claim in enumerate(self._found.claims):
            part = f"claims[{place}]"
            with _noting(self.remarks, part):
                seen = _seen(claim)
                roots = self._roots.get((seen.origin, seen.size), {})
                if roots and seen.root not in roots:
                    found.append((claim.sender, seen))
                    self.remarks.append(_only_a_claim(part, claim.sender, seen))
        return found


def _only_a_claim(part: str, sender: str, seen: HeadRef) -> Remark:
    return Remark(
        part,
        "split_claim_only",
        f"{sender} has signed that it saw another root of {seen.size} leaves of {seen.origin}; "
        "without the signed head that it saw, this is its word alone",
    )


def _seen(claim: Claim) -> HeadRef:
    consignment = decode(Consignment, claim.body, LIMITS.consignment_bytes, "body")
    signature = decode(Signature, claim.signature, SIGNATURE_BYTES, "signature")
    verify_one(signature, VerifyingKey(Role.NODE, claim.key), CONSIGNMENT_TYPE, claim.body)
    if consignment.seen is None:
        raise InvalidInput("split_nothing_seen", "the consignment names no head", field="seen")
    return consignment.seen


def _named(pin: LogPin, origin: str) -> KeyPair:
    first, second = (parse_vkey(text).named(origin) for text in pin.vkeys)
    return first, second


@contextmanager
def _noting(remarks: list[Remark], part: str) -> Iterator[None]:
    """Make a remark of what is wrong with one part, and go on with the next."""
    try:
        yield
    except InvalidInput as error:
        remarks.append(Remark(part, error.code, error.message))


def _number(origin: str) -> str:
    return origin.rpartition("/")[2]
