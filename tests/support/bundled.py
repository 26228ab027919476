"""Evidence bundles about one bulletin of a logbook, honest ones unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from saphan_protocol.batch import index_batches, sign_one
from saphan_protocol.bundle.reading import ORDER, end_counts
from saphan_protocol.bundle.report import Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.checkpoint import cosign_lines, format_checkpoint
from saphan_protocol.disclosure import DISCLOSURE_TYPE, disclosure_commitment
from saphan_protocol.evidence import MAX_ENTRY_BYTES, parse_leaf
from saphan_protocol.identity import sha256
from saphan_protocol.merkle import inclusion_path, leaf_hash, root_of
from saphan_protocol.pins import Pins
from saphan_schemas.bundles import (
    BUNDLE_FORMAT,
    SPECIFICATION,
    BundleAnchor,
    BundleBody,
    BundleDisclosure,
    BundleEnd,
    BundleEntry,
    BundleHead,
    BundleItem,
    BundleLeaves,
    BundleNote,
    BundlePackage,
    BundleSignature,
    Disclosure,
)
from saphan_schemas.codec import decode, encode
from saphan_schemas.packs import PackEntry
from saphan_schemas.records import (
    BatchSignature,
    Consignment,
    Entry,
    Event,
    LeafType,
    statement_record,
)

from support.agency import Agency, Made
from support.audits import KH, LA, THERE, halves
from support.ceremony import NOW
from support.logbook import PINS, TYPES, Log, Logbook

PIECE = 3_000
"""Shorter than any ciphertext: sealed bytes come in several pieces."""


def begun(**terms: Any) -> tuple[Logbook, Made]:
    """Two agencies, and a bulletin that was submitted."""
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)], **terms)
    made = book.agencies[LA].bulletin([KH], book.time, attachments=[b"%PDF-1.7 report"])
    book.submit(LA, KH, made)
    return book, made


def said(book: Logbook, made: Made, *events: Event, **changes: Any) -> None:
    """The recipient says these, a second apart."""
    for event in events:
        book.time += 1000
        book.state(event, made, THERE, **changes)


def cosign(log: Log, agencies: Sequence[Agency], time: int) -> None:
    """These agencies' witness lines on the log's head, at `time` (ms)."""
    text = format_checkpoint(log.origin, len(log.kept), log.root())
    log.lines = [cosign_lines(*halves(one), one.name, text, time // 1000) for one in agencies]


@dataclass
class Maker:
    """Makes a bundle about `made`, as the node of `maker` would with everything it holds."""

    book: Logbook
    made: Made
    maker: str
    head: dict[str, Any] = field(default_factory=dict)
    disclosure: BundleDisclosure | None = None
    bodies: bool = True
    hidden: frozenset[int] = frozenset()
    """Entries and anchors that are left out, by leaf."""
    packages: Sequence[bytes] | None = None
    """What is opened of the directory; None: all."""

    def entries(self) -> list[tuple[PackEntry, BatchSignature | None]]:
        """What is about the bulletin."""
        return [
            one
            for one in self.book.shown
            if subject(one[0]) == self.made.bulletin_id and one[0].index not in self.hidden
        ]

    def items(self) -> list[BundleItem]:
        """All items, under the heads that the logbook has signed last."""
        book, shown = self.book, self.entries()
        leaves = [leaf_hash(leaf) for leaf in book.evidence.kept]
        size = len(leaves)

        def path(index: int) -> tuple[bytes, ...]:
            return inclusion_path(
                index, size, lambda level, n: root_of(leaves[n << level : (n + 1) << level])
            )

        batches = index_batches(batch for _, batch in shown if batch is not None)
        body: list[BundleItem] = [
            BundleNote("directory", book.directory.note()),
            BundleNote("evidence", book.evidence.note()),
            *directory_parts(book.directory.kept),
            *(BundlePackage(package) for package in self._packages()),
            *(
                BundleAnchor(index, leaf.size or 0, leaf.root or b"", size, path(index))
                for index, leaf in needed_anchors(
                    book, [one.index for one, _ in shown], self.hidden
                )
            ),
            *(BundleSignature(batch) for batch in batches.values()),
            *(BundleEntry(entry, size, path(entry.index)) for entry, _ in shown),
            *([] if self.disclosure is None else [self.disclosure]),
            *(self._bodies() if self.bodies else ()),
        ]
        return closed(self._head(), body)

    def verify(self, pins: Pins | None = None, sign: bool = True) -> Verdict:
        """Sign both heads, with every agency's witness, and check the bundle."""
        if sign:
            self.sign()
        return verify_bundle(self.items(), TYPES, pins)

    def sign(self) -> None:
        """Sign both heads over what is there; every agency cosigns."""
        self.book.directory.lines, self.book.evidence.lines = [], []
        self.book.sign()
        for log in (self.book.directory, self.book.evidence):
            cosign(log, list(self.book.agencies.values()), self.book.time)

    def disclose(self, by: Agency, to: str = "Court of Vientiane", logged: bool = True) -> None:
        """Give the content key away: the record, and its statement in the log."""
        record = Disclosure(
            self.made.bulletin_id,
            self.made.ciphertext_digest,
            by.name,
            sha256(self.made.content_key),
            to,
            "case 17/2025",
            None,
            self.book.time,
        )
        body, salt = encode(record), by.random()
        signature = sign_one(by.node, DISCLOSURE_TYPE, body, by.random())
        self.disclosure = BundleDisclosure(self.made.content_key, body, signature, salt)
        if logged:
            about = [(self.made.bulletin_id, self.made.ciphertext_digest)]
            (said,), batch = by.statements(
                Event.EXPORTED,
                about,
                (by.name, by.name),
                self.book.time,
                "disclosed",
                disclosure_commitment(salt, body),
            )
            self.book.log_statement(said, batch)

    def _packages(self) -> Sequence[bytes]:
        return (self.book.package, *self.book.orders) if self.packages is None else self.packages

    def _head(self) -> BundleHead:
        given: dict[str, Any] = {
            "format": BUNDLE_FORMAT,
            "specification": SPECIFICATION,
            "maker": self.maker,
            "made": self.book.time,
            "bulletin": self.made.bulletin_id,
            "directory": PINS.directory,
            "evidence": PINS.evidence,
        }
        return BundleHead(**(given | self.head))

    def _bodies(self) -> Iterator[BundleBody]:
        for place, data in enumerate((self.made.ciphertext, *self.made.attachments)):
            for start in range(0, len(data), PIECE):
                yield BundleBody(place, data[start : start + PIECE])


def subject(entry: PackEntry) -> bytes:
    """The bulletin that an entry is about."""
    if entry.header is not None:
        return decode(Consignment, entry.statement, 1 << 16, "consignment").bulletin
    kind = decode(Entry, entry.entry, MAX_ENTRY_BYTES, "entry").type
    event = Event(kind.split("/")[1])
    return decode(statement_record(event), entry.statement, 1 << 16, "statement").bulletin


def directory_parts(leaves: Sequence[bytes], each: int = 3) -> Iterator[BundleLeaves]:
    """The directory's leaves, a few in each item."""
    for start in range(0, len(leaves), each):
        yield BundleLeaves(start, tuple(leaves[start : start + each]))


def needed_anchors(
    book: Logbook, indices: Sequence[int], hidden: frozenset[int]
) -> list[tuple[int, Any]]:
    """For each entry the last anchor before it and the first one after it, of those not hidden."""
    anchors = [
        (index, parsed)
        for index, leaf in enumerate(book.evidence.kept)
        if (parsed := parse_leaf(leaf)).type is LeafType.ANCHOR and index not in hidden
    ]
    wanted: set[int] = set()
    for index in indices:
        before = [place for place, _ in anchors if place < index]
        after = [place for place, _ in anchors if place > index]
        wanted.update(before[-1:] + after[:1])
    return [(index, parsed) for index, parsed in anchors if index in wanted]


def closed(head: BundleHead, body: Sequence[BundleItem]) -> list[BundleItem]:
    """A bundle of these items, with the end that counts them."""
    counts = tuple(sum(isinstance(item, kind) for item in body) for kind in ORDER)
    return [head, *body, BundleEnd(end_counts(counts))]


def recounted(items: Sequence[BundleItem]) -> list[BundleItem]:
    """The same items, with an end that counts them anew: what an editor of a file would do."""
    head = items[0]
    assert isinstance(head, BundleHead)
    return closed(head, [item for item in items[1:] if not isinstance(item, BundleEnd)])


def replaced(item: Any, **fields: Any) -> Any:
    """A record with fields replaced."""
    return msgspec.structs.replace(item, **fields)


def gap_codes(verdict: Verdict) -> set[str]:
    """Codes of the gaps of a verdict in which nothing is wrong."""
    assert verdict.finding is None, verdict.finding
    return {gap.code for gap in verdict.gaps}


def refusal(verdict: Verdict) -> tuple[str, str]:
    """(step, code) of what makes a bundle invalid; it fails if nothing does."""
    assert verdict.finding is not None, "nothing was found"
    return verdict.finding.step.value, verdict.finding.code
