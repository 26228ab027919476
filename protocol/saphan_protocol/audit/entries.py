"""One opened entry under audit: steps O1 to O9, with the checks that broker and nodes run."""

from __future__ import annotations

from collections.abc import Sequence

from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Entry, Event, LeafType, Statement, Targeted

from saphan_protocol.admission import Admitted, Facts, admit, admit_statement
from saphan_protocol.audit.corridors import Corridors, Course
from saphan_protocol.audit.deliveries import Deliveries
from saphan_protocol.audit.destruction import Destructions
from saphan_protocol.audit.heads import Heads
from saphan_protocol.audit.holding import Holding
from saphan_protocol.audit.log import root_at
from saphan_protocol.audit.packs import Shown, choose
from saphan_protocol.audit.recipients import Recipients
from saphan_protocol.audit.report import LEAF_NAMES, AuditStep, Coverage, Trail
from saphan_protocol.audit.statistics import Statistics
from saphan_protocol.batch import VerifiedRoots
from saphan_protocol.checkpoint import Head
from saphan_protocol.delivery import BROKER_EVENTS
from saphan_protocol.directory import Directory
from saphan_protocol.evidence import CONSIGNMENT_TYPE, Leaf, open_parsed, target_of
from saphan_protocol.identity import identity
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.vouched import check_vouched


class Entries:
    """Judges opened entries in log order.

    Args:
        directory: replayed whole, agreements opened.
        head: the evidence log's.
        tree: its tiles, to compare heads that consignments name; None without tiles.
        heads: those that packs show, which bound times.
        ends: what the leaves say of destruction.
        verified: signatures known to hold.
    """

    def __init__(
        self,
        directory: Directory,
        head: Head,
        tree: TileTree | None,
        heads: Heads,
        ends: Destructions,
        verified: VerifiedRoots,
        coverage: Coverage,
        trail: Trail,
    ) -> None:
        self._directory = directory
        self._head = head
        self._tree = tree
        self._coverage = coverage
        self._trail = trail
        self._heads = heads
        self._verified = verified
        self._seen: tuple[int, bytes | None] = (-1, None)
        self.time = 0
        self.corridors = Corridors(coverage)
        self.deliveries = Deliveries(ends)
        self.holding = Holding(directory, coverage)
        self.recipients = Recipients()
        self.statistics = Statistics()

    def take(self, index: int, leaf: Leaf, shown: Sequence[Shown], at: int) -> None:
        """Judge the entry at `index`.

        Args:
            leaf: its leaf.
            shown: what the packs show of it, at least one.
            at: directory size of the last anchor before it.

        Raises:
            InvalidInput, Refused: where the trail stands.
        """
        trail, entry = self._trail, None
        for one in shown:
            trail.at(AuditStep.OPENING, index, one.pack)
            entry = open_parsed(leaf, one.entry.entry, one.entry.salt)
            trail.at(AuditStep.STATEMENT, index, one.pack)
            _check_statement(entry, one)
        best = choose(shown)
        if entry is None:
            raise RuntimeError("no pack shows this entry")
        trail.at(AuditStep.CORRIDOR, index, best.pack)
        course = self.corridors.follow(index, entry)
        trail.at(AuditStep.TIME, index, best.pack)
        self._check_time(index, entry)
        self._judge(index, leaf, entry, best, course, at)
        self._coverage.opened[LEAF_NAMES[leaf.type]] += 1

    def _check_time(self, index: int, entry: Entry) -> None:
        if entry.time < self.time:
            raise Refused(
                "time_falls",
                f"the entry is dated {self.time - entry.time} ms before one that precedes it",
                field="entry.time",
            )
        if entry.time > self._head.time * 1000 + LIMITS.skew_ms:
            raise Refused(
                "time_beyond_head",
                "the entry is dated after the head that covers it",
                field="entry.time",
            )
        self._heads.check(index, entry)
        self.time = entry.time

    def _judge(
        self, index: int, leaf: Leaf, entry: Entry, shown: Shown, course: Course, at: int
    ) -> None:
        facts = Facts(self._directory, entry.time, at, self._verified)
        if entry.type == CONSIGNMENT_TYPE:
            self._trail.at(AuditStep.SUBMISSION, index, shown.pack)
            admitted = self._submission(index, leaf, entry, shown, facts)
            self._trail.at(AuditStep.DELIVERY, index, shown.pack)
            self.deliveries.consign(leaf.type, index, entry, admitted, course)
            self.statistics.take(leaf.type, entry, admitted.bulletin_id, admitted.header)
            return
        event = Event[leaf.type.name]
        if event in BROKER_EVENTS:
            self._trail.at(AuditStep.BROKER, index, shown.pack)
            statement = check_vouched(event, shown.entry.statement, shown.entry.item, entry)
        else:
            self._trail.at(AuditStep.SIGNED, index, shown.pack)
            statement = self._signed(event, entry, shown, facts)
        self._check_said(index, leaf, event, entry, statement, shown, course, facts)
        self.statistics.take(leaf.type, entry, statement.bulletin, None)

    def _check_said(
        self,
        index: int,
        leaf: Leaf,
        event: Event,
        entry: Entry,
        statement: Statement,
        shown: Shown,
        course: Course,
        facts: Facts,
    ) -> None:
        """Steps O8 and O9."""
        if event is Event.REFUSED:
            return
        self._trail.at(AuditStep.RETENTION, index, shown.pack)
        if target_of(event, statement) != leaf.target:
            raise Refused(
                "target_differs",
                f"the leaf is about leaf {leaf.target}, and the statement about another",
                field="statement.target",
            )
        if event in (Event.HELD, Event.RELEASED) and isinstance(statement, Targeted):
            self.holding.take(event, statement, facts.at, course.whole)
        self._trail.at(AuditStep.DELIVERY, index, shown.pack)
        if entry.sender == entry.recipient:
            self.deliveries.take_own(event, entry, statement, course)
        else:
            self.deliveries.take(event, entry, statement, course, facts)

    def _submission(
        self, index: int, leaf: Leaf, entry: Entry, shown: Shown, facts: Facts
    ) -> Admitted:
        """Step O5: admission.md at the entry's time, corridor, due-day, recipients, bytes, head."""
        given = shown.entry
        if given.item is None or given.header is None or given.ciphertext is None:
            raise InvalidInput(
                "entry_incomplete",
                "a submission is shown without its header, its ciphertext's digest or signature",
                field="pack.header",
            )
        admitted = admit(
            given.header,
            given.statement,
            given.item,
            shown.batches,
            given.ciphertext,
            facts,
            peer=None,
            stanzas=None,
            attachments=given.attachments,
        )
        self._coverage.signatures += 1
        consigned = {ref.agency for ref in admitted.consignment.recipients}
        if admitted.header.sender != entry.sender or entry.recipient not in consigned:
            raise _wrong_corridor(entry)
        if leaf.type is LeafType.SUBMITTED and leaf.due_day != admitted.due_day:
            raise Refused(
                "due_day_differs",
                f"the leaf shows day {leaf.due_day}, and the header gives day {admitted.due_day}",
                field="leaf.due_day",
            )
        self.recipients.take(index, entry, admitted.consignment)
        self.deliveries.check_nonce(admitted.header, admitted.bulletin_id)
        self._check_seen(index, admitted.consignment)
        return admitted

    def _check_seen(self, index: int, consignment: Consignment) -> None:
        """The head that the sender had seen is one of this very log: nobody was shown another."""
        seen, before = consignment.seen, self._coverage.successor
        if seen is None:
            return
        if before is not None and seen.origin == before.origin:
            before.doubted += not before.covers(seen.size, seen.root)
        if seen.origin != self._head.origin:
            return
        if self._tree is None and seen.size <= index:
            self._coverage.unseen += 1
            return
        if seen.size > index or self._root(seen.size) not in (None, seen.root):
            raise Refused(
                "seen_differs",
                f"the sender had seen a head of {seen.size} leaves that this log never had",
                field="consignment.seen",
                hint="two histories were shown: compare heads with the sender",
            )

    def _root(self, size: int) -> bytes | None:
        """Root at a size that many consignments in a row name; None without tiles."""
        if self._tree is not None and self._seen[0] != size:
            self._seen = (size, root_at(self._tree, size))
        return self._seen[1]

    def _signed(self, event: Event, entry: Entry, shown: Shown, facts: Facts) -> Statement:
        """Step O6: a statement that an agency's node has signed."""
        given, corridor = shown.entry, (entry.sender, entry.recipient)
        if given.item is None:
            raise InvalidInput("signature_missing", f"{event} is shown without its signature")
        admitted = admit_statement(
            event, given.statement, given.item, shown.batches, corridor, facts, peer=None
        )
        self._coverage.signatures += 1
        return admitted.statement


def _check_statement(entry: Entry, shown: Shown) -> None:
    if identity(entry.type, shown.entry.statement) != entry.statement:
        raise InvalidInput(
            "statement_differs",
            "the statement is not the one that the entry names",
            field="entry.statement",
        )


def _wrong_corridor(entry: Entry) -> Refused:
    return Refused(
        "corridor_wrong",
        f"this does not belong into the corridor {entry.sender} to {entry.recipient}",
        field="entry.recipient",
    )
