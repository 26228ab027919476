"""An evidence bundle out of a node's store, item by item (schemas/spec/evidence.md).

An entry that cannot be placed any more (its head, its header or the anchor before it is lost) is
left out, and counted: everything else stands without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from saphan_protocol.batch import RootRef
from saphan_protocol.bundle.reading import ORDER, end_counts
from saphan_protocol.pins import Pins
from saphan_schemas.bundles import (
    BUNDLE_FORMAT,
    SPECIFICATION,
    BundleAnchor,
    BundleDisclosure,
    BundleEnd,
    BundleEntry,
    BundleHead,
    BundleItem,
    BundleLeaves,
    BundleNote,
    BundlePackage,
    BundleSignature,
)
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import MIB
from saphan_schemas.records import BatchSignature

from saphan.audit.records import CONSIGNMENTS
from saphan.evidence.placing import Placed, Placing
from saphan.evidence.sealed import Sealed
from saphan.evidence.story import Story, Told, corridors

LEAVES_AT_ONCE: Final = 64
LEAVES_BYTES: Final = MIB
"""Of directory leaves in one item."""


@dataclass(slots=True)
class Gathered:
    """What a bundle holds, known when its last item has passed.

    Args:
        bytes: length of the file.
        entries, heads: how many are shown; left_out: entries that cannot be placed any more.
        incomplete: entries of which a signature or a header is lost.
        shown, absent: places of sealed bytes that are in it, and of those that are not here.
    """

    bytes: int = 0
    entries: int = 0
    heads: int = 0
    left_out: int = 0
    incomplete: int = 0
    shown: list[int] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)


def gather(
    story: Story,
    placing: Placing,
    sealed: Sealed,
    agency: str,
    pins: Pins,
    now: int,
    *,
    attachments: bool,
    disclosure: BundleDisclosure | None,
    gathered: Gathered,
) -> Iterator[BundleItem]:
    """All items of a bundle in their order.

    Args:
        story, placing, sealed: of one snapshot of the store.
        agency: the bundle's maker; now: when it is made, ms.
        attachments: whether their sealed bytes are wanted.
        gathered: is filled in on the way.

    Raises:
        OperatorError: `evidence_headless`: no head of one of the logs is kept.
    """
    counts = dict.fromkeys(ORDER, 0)
    story_items = _items(story, placing, agency, pins, now, gathered, schema=disclosure is not None)
    disclosed = () if disclosure is None else (disclosure,)
    bodies = sealed.bodies(attachments=attachments)
    for item in chain(story_items, disclosed, bodies, story.successions()):
        if not isinstance(item, BundleHead):
            counts[type(item)] += 1
        yield item
    gathered.shown, gathered.absent = sealed.shown, sealed.absent
    yield BundleEnd(end_counts(list(counts.values())))


def _items(
    story: Story,
    placing: Placing,
    agency: str,
    pins: Pins,
    now: int,
    gathered: Gathered,
    *,
    schema: bool,
) -> Iterator[BundleItem]:
    """Everything before disclosure and sealed bytes; `schema`: an own one is wanted too."""
    directory, entries = story.directory(), story.entries()
    places = placing.settle((told.place for told in entries), story.unwitnessed())
    if directory is None or not places:
        raise OperatorError(
            "evidence_headless",
            "the node's store holds no signed head under which anything could be shown",
            field="id",
            hint="start the node, wait until it has caught up with the broker, and export again",
        )
    anchors = list(_anchors(story, placing, places))
    kept = [told for told in entries if _provable(told, places, anchors)]
    if not any(told.found.entry.header for told in kept):
        raise OperatorError(
            "evidence_headless",
            "no consignment of it can be shown: the broker refused it, or the store has lost its "
            "header or the anchor before it",
            field="id",
            hint="see what became of it: saphan status ID; a recipient may have what is lost here",
        )
    notes = placing.notes(
        [place.head for place in places.values()] + [anchor.head for anchor in anchors]
    )
    gathered.left_out = len(entries) - len(kept)
    gathered.entries, gathered.heads = len(kept), len(notes)
    gathered.incomplete = sum(not told.found.whole for told in kept)
    size, note = directory
    yield BundleHead(
        BUNDLE_FORMAT, SPECIFICATION, agency, now, story.bulletin, pins.directory, pins.evidence
    )
    yield BundleNote("directory", note)
    for evidence in notes:
        yield BundleNote("evidence", evidence.note, evidence.link)
    yield from _leaves(story.leaves(size))
    for package in story.packages(corridors(kept), size, schema=schema):
        yield BundlePackage(package)
    yield from anchors
    yield from _entries(kept, places)


def _provable(told: Told, places: dict[int, Placed], anchors: Sequence[BundleAnchor]) -> bool:
    """Whether a verifier can place the entry: under a head, after an anchor, with its header."""
    index = told.place.index
    shown = told.found.entry.header is not None or told.event not in CONSIGNMENTS
    return index in places and shown and any(anchor.index < index for anchor in anchors)


def _anchors(story: Story, placing: Placing, places: dict[int, Placed]) -> Iterator[BundleAnchor]:
    heads = {place.head for place in places.values()}
    for anchor in story.anchors(places):
        place = placing.fit(anchor.place, heads)
        if place is not None:
            heads.add(place.head)
            yield BundleAnchor(place.index, anchor.size, anchor.root, place.head, place.path)


def _entries(told: Sequence[Told], places: dict[int, Placed]) -> Iterator[BundleItem]:
    """All signatures, each once, then the entries."""
    given: dict[RootRef, BatchSignature] = {}
    for one in told:
        if (batch := one.found.batch) is not None:
            given.setdefault((batch.key, batch.size, batch.root), batch)
    for batch in given.values():
        yield BundleSignature(batch)
    for one in told:
        place = places[one.place.index]
        yield BundleEntry(one.found.entry, place.head, place.path)


def _leaves(leaves: Iterable[bytes]) -> Iterator[BundleLeaves]:
    start, size = 0, 0
    held: list[bytes] = []
    for leaf in leaves:
        if held and (len(held) == LEAVES_AT_ONCE or size + len(leaf) > LEAVES_BYTES):
            yield BundleLeaves(start, tuple(held))
            start, held, size = start + len(held), [], 0
        held.append(leaf)
        size += len(leaf)
    if held:
        yield BundleLeaves(start, tuple(held))
