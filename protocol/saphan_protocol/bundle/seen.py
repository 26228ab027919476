"""Facts for a reader, out of what has passed its steps: keys, events, deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from saphan_schemas.directory_records import WitnessPolicy
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.records import SealedDetail

from saphan_protocol.agreement import Agreed, permits
from saphan_protocol.bundle.courses import Course, Courses
from saphan_protocol.bundle.facts import DeliverySeen, EventSeen, HeadSeen, KeySeen, Proof
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.opened import Opened
from saphan_protocol.bundle.subject import About, Judged
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.directory import Directory

UNAGREED = WitnessPolicy(1, False)
"""The default where no agreement is shown: one witness of another agency."""


def key_seen(directory: Directory, key_id: bytes) -> KeySeen:
    """A key that the directory lists."""
    info = directory.find(key_id)
    if info is None:
        raise RuntimeError("a key that was judged is in the directory")
    return KeySeen(key_id, info.agency, info.role.value, info.handle, info.added, info.revoked)


class Witnessed:
    """Which agencies have cosigned a head that covers an entry.

    A head that continues the entry's own covers it too, as far as that is shown.
    """

    def __init__(self, heads: Iterable[HeadSeen]) -> None:
        self._heads = sorted(
            (head for head in heads if head.log == "evidence"), key=lambda head: head.size
        )

    def over(self, size: int) -> list[HeadSeen]:
        """The head of this size, and those shown to continue it."""
        found: list[HeadSeen] = []
        for head in self._heads:
            if head.size == size or (found and head.linked):
                found.append(head)
            elif found:
                break
        return found

    def bound(self, one: Judged) -> int | None:
        """By when a witness had seen the entry logged, POSIX seconds."""
        since, heads = _earliest(one), self.over(one.logged.head)
        times = (w.time for head in heads for w in head.witnesses if w.time >= since)
        return min(times, default=None)

    def meets(self, one: Judged, policy: WitnessPolicy, maker: str) -> bool:
        """Whether one of them has the cosignatures that the policy asks for."""
        since = _earliest(one)
        return any(meets(head, policy, maker, since) for head in self.over(one.logged.head))


def _earliest(one: Judged) -> int:
    """Before this second nobody can have seen the entry: such a witness's clock was wrong, or the
    broker's; it does not count."""
    return (one.logged.entry.time - LIMITS.skew_ms) // SECOND_MS


def meets(head: HeadSeen, policy: WitnessPolicy, maker: str, since: int = 0) -> bool:
    """Whether a head's witnesses are enough, when `maker` shows it.

    Args:
        since: POSIX seconds; who has cosigned earlier does not count. A log can sign an old head
            anew, and an old cosignature still holds under it: its time says how old it is.
    """
    names = {witness.agency for witness in head.witnesses if witness.time >= since}
    return len(names if policy.own_counts else names - {maker}) >= policy.quorum


def event_seen(one: Judged, directory: Directory, witnessed: Witnessed) -> EventSeen:
    """An entry as people read of it."""
    entry, said = one.logged.entry, one.statement
    return EventSeen(
        index=one.logged.index,
        number=entry.number,
        sender=entry.sender,
        recipient=entry.recipient,
        event=one.logged.kind.name.lower(),
        time=entry.time,
        stated=None if said is None else said.time,
        issuer=entry.sender if said is None else said.issuer,
        proof=one.proof,
        key=None if one.key is None else key_seen(directory, one.key),
        code=None if said is None else said.code,
        detail=_detail(one),
        head=one.logged.head,
        anchor=one.bracket.first,
        bound=witnessed.bound(one),
    )


def _detail(one: Judged) -> Literal["sealed", "commitment"] | None:
    detail = None if one.statement is None else one.statement.detail
    if detail is None:
        return None
    return "sealed" if isinstance(detail, SealedDetail) else "commitment"


def delivery_seen(
    course: Course, about: About, logs: Logs, opened: Opened, maker: str, trail: Trail
) -> DeliverySeen:
    """A delivery as people read of it; what is missing of its agreement and witnesses is noted."""
    agreed = _agreed(course, about, logs)
    policy = UNAGREED if agreed is None else agreed.text.witnesses
    witnessed = Witnessed(logs.seen)
    met = all(witnessed.meets(one, policy, maker) for one in course.events)
    if not met:
        trail.gap("unwitnessed", agency=course.recipient, count=policy.quorum)
    _note_directory(course, policy, maker, logs, trail)
    return DeliverySeen(
        recipient=course.recipient,
        state=None if course.state is None else course.state.value,
        events=tuple(one.logged.index for one in course.events),
        agreement=None if agreed is None else agreed.name,
        policy=policy,
        witnessed=met and policy.quorum > 0,  # who asks for nobody has nobody
        whole=course.whole,
        closed=0 if agreed is None else _note_closed(course, agreed, opened, trail),
    )


def _agreed(course: Course, about: About, logs: Logs) -> Agreed | None:
    """The newest agreement shown that permitted the delivery's first entry shown."""
    header, first = about.header, course.events[0]
    at, now, found = first.bracket.first, first.logged.entry.time, None
    for agreed in logs.directory.agreements(header.sender, course.recipient, at):
        standing = logs.directory.standing(agreed, at)
        if permits(agreed, header, course.recipient, now, standing) is None:
            found = agreed
    return found


def _note_closed(course: Course, agreed: Agreed, opened: Opened, trail: Trail) -> int:
    """Commitments that may be orders on the agreement, or replace it, before the last event.

    The recipient's node holds every order on it: what it has signed says that it knew of none.
    """
    brackets = [one.bracket for one in course.events]
    stop = max(size for bracket in brackets for size in (bracket.first, *bracket.later))
    closed = opened.closed(agreed.index or 0, stop)
    if closed and not _answered(course):
        trail.gap("agreement_unconfirmed", agency=course.recipient, count=closed)
    return closed


def note_recipients(judged: Iterable[Judged], courses: Courses, maker: str, trail: Trail) -> None:
    """A sender holds the entries of everybody that it has consigned to."""
    for one in judged:
        if one.consignment is None or one.logged.entry.sender != maker:
            continue
        for ref in one.consignment.recipients:
            if ref.agency not in courses.all:
                trail.gap("recipient_missing", agency=ref.agency)


def _answered(course: Course) -> bool:
    """Whether the recipient has signed anything: its node holds every order on the agreement."""
    return any(
        one.proof is Proof.SIGNED
        and one.statement is not None
        and one.statement.issuer == course.recipient
        for one in course.events
    )


def _note_directory(
    course: Course, policy: WitnessPolicy, maker: str, logs: Logs, trail: Trail
) -> None:
    """Without a later anchor the directory's own head says what was not revoked by then."""
    open_ends = [one.logged.entry.time for one in course.events if not one.bracket.closed]
    if open_ends and not meets(logs.seen[0], policy, maker, max(open_ends) // SECOND_MS):
        trail.gap("directory_unwitnessed", count=policy.quorum)
