"""The check of an evidence bundle, step by step (schemas/spec/evidence.md).

Pure: items come as an iterable, nothing is read or written here, no clock is asked. The first thing
wrong ends the check and is named; what is missing is noted as a gap, and the check goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saphan_schemas.bundles import (
    BundleAnchor,
    BundleDisclosure,
    BundleItem,
    BundlePackage,
    BundleSignature,
)
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import BatchSignature, Event

from saphan_protocol.batch import RootRef
from saphan_protocol.bundle.anchored import Anchors
from saphan_protocol.bundle.bodies import read_bodies
from saphan_protocol.bundle.content import AttachmentSink, Content
from saphan_protocol.bundle.courses import Courses
from saphan_protocol.bundle.disclosed import Disclosed, check_disclosure
from saphan_protocol.bundle.facts import BulletinSeen, Proof
from saphan_protocol.bundle.judging import Judge
from saphan_protocol.bundle.logged import read_entries
from saphan_protocol.bundle.logs import Logs, bundled_pins, read_logs, see_witnesses
from saphan_protocol.bundle.opened import Opened
from saphan_protocol.bundle.reading import BundleReader, disordered
from saphan_protocol.bundle.report import BundleStep, Finding, Outcome, Verdict
from saphan_protocol.bundle.seen import Witnessed, delivery_seen, event_seen, note_recipients
from saphan_protocol.bundle.subject import About, Judged, about
from saphan_protocol.bundle.succeeded import read_successions
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.bundle.unproven import unproven
from saphan_protocol.pins import Pins


def verify_bundle(
    items: Iterable[BundleItem],
    known_types: Mapping[str, bytes],
    pins: Pins | None = None,
    sink: AttachmentSink | None = None,
) -> Verdict:
    """Check a bundle; needs no network, account or key.

    Args:
        items: as they are read (`reading.parse_bundle_item`); errors of kind InvalidInput in
            reading them are findings at V1, others pass through.
        known_types: schemas of this program, name to digest (`bodies.known_types`).
        pins: the reader's own, if there are any: which logs, signed by which keys.
        sink: where the bytes of opened attachments go.

    Raises:
        InvalidInput: `evidence_foreign`: it does not begin as a bundle of this format.
    """
    work = _Check(BundleReader(items), known_types, pins, sink)
    try:
        return work.run()
    except (InvalidInput, Refused) as error:
        return work.verdict(work.trail.finding(error))


def _batches(reader: BundleReader) -> dict[RootRef, BatchSignature]:
    """Signatures by what they sign; one of each, or two readers might try two different ones."""
    found: dict[RootRef, BatchSignature] = {}
    for item in reader.of(BundleSignature):
        batch = item.batch
        if found.setdefault((batch.key, batch.size, batch.root), batch) is not batch:
            raise disordered("a second signature over the same root")
    return found


@dataclass(frozen=True, slots=True)
class _Story:
    """All that V2 to V14 have shown."""

    logs: Logs
    opened: Opened
    about: About
    judge: Judge
    judged: list[Judged]
    courses: Courses


class _Check:
    def __init__(
        self,
        reader: BundleReader,
        known_types: Mapping[str, bytes],
        own: Pins | None,
        sink: AttachmentSink | None,
    ) -> None:
        self._reader = reader
        self._known = known_types
        self._own = own
        self._sink = sink
        self._pins: Pins | None = None
        self.trail = Trail()
        self.trail.at(BundleStep.FORM)

    def run(self) -> Verdict:
        """Every step; what is wrong is raised.

        Raises:
            InvalidInput, Refused: where the trail stands.
        """
        reader, trail = self._reader, self.trail
        self._pins = bundled_pins(reader.head, self._own, trail)
        logs = read_logs(reader, self._pins, self._known, trail)
        opened = Opened(logs)
        opened.take(reader.of(BundlePackage), trail)
        see_witnesses(logs, trail)
        anchors = Anchors(logs, opened.leaves)
        anchors.take(reader.of(BundleAnchor), trail)
        batches = _batches(reader)
        entries = read_entries(reader, logs, trail)
        subject = about(reader.head, entries, trail)
        judge = Judge(logs, anchors, batches, subject, trail)
        courses = Courses(subject, judge, trail)
        judged = [judge.take(one) for one in entries]
        for one in judged:
            courses.take(one)
        return self._told(_Story(logs, opened, subject, judge, judged, courses))

    def _told(self, story: _Story) -> Verdict:
        """The rest of the items, and the facts of all."""
        disclosed = self._disclosed(story)
        content = self._content(disclosed, story)
        shown = read_bodies(self._reader, story.about, content, self._sink, self.trail)
        successions = read_successions(self._reader, story.logs, self.trail)
        self._reader.end()
        blob = story.about.first.shown.ciphertext
        if blob is None:
            raise RuntimeError("a consignment without its ciphertext's digest was judged")
        bulletin = BulletinSeen(
            story.about.bulletin,
            story.about.header,
            blob,
            story.about.first.shown.attachments,
            shown,
        )
        facts = self._facts(story, bulletin, disclosed, content)
        return replace(facts, successions=successions)

    def _facts(
        self,
        story: _Story,
        bulletin: BulletinSeen,
        disclosed: Disclosed | None,
        content: Content | None,
    ) -> Verdict:
        logs, maker = story.logs, self._reader.head.maker
        opened = None if content is None else content.seen()
        deliveries = tuple(
            delivery_seen(course, story.about, logs, story.opened, maker, self.trail)
            for course in sorted(story.courses.all.values(), key=lambda one: one.recipient)
        )
        note_recipients(story.judged, story.courses, maker, self.trail)
        witnessed = Witnessed(logs.seen)
        lines = unproven(
            bulletin, deliveries, story.judged, opened, maker=maker, pinned=self._own is not None
        )
        return self.verdict(
            None,
            unproven=tuple(lines),
            heads=tuple(logs.seen),
            agreements=story.opened.seen(),
            bulletin=bulletin,
            deliveries=deliveries,
            events=tuple(event_seen(one, logs.directory, witnessed) for one in story.judged),
            disclosure=None if disclosed is None else disclosed.seen,
            content=opened,
        )

    def _disclosed(self, story: _Story) -> Disclosed | None:
        found = None
        for item in self._reader.of(BundleDisclosure):
            found = check_disclosure(
                item, story.about, story.courses.own, story.logs, story.judge, self.trail
            )
        return found

    def _content(self, disclosed: Disclosed | None, story: _Story) -> Content | None:
        if disclosed is None:
            return None
        rejected = {
            one.statement.code
            for one in story.judged
            if one.event is Event.REJECTED and one.proof is Proof.SIGNED and one.statement
        }
        return Content(
            disclosed.content_key,
            story.about,
            story.judged,
            frozenset(code for code in rejected if code is not None),
            story.logs,
            story.judge,
            self._known,
            story.opened.types,
            self.trail,
        )

    def verdict(self, finding: Finding | None, **facts: Any) -> Verdict:
        """The verdict; `facts` of a bundle in which nothing is wrong."""
        head, gaps = self._reader.head, self.trail.gaps
        outcome = Outcome.GAPS if gaps else Outcome.VALID
        return Verdict(
            outcome=outcome if finding is None else Outcome.INVALID,
            finding=finding,
            gaps=gaps,
            steps=self.trail.steps(finding),
            maker=head.maker,
            made=head.made,
            specification=head.specification,
            bulletin_id=head.bulletin,
            pins=(head.directory, head.evidence),
            pins_digest=None if self._pins is None else self._pins.digest,
            pinned=self._own is not None and self._pins is not None,
            **facts,
        )
