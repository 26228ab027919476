"""What a bundle cannot prove, or this one does not: said with every verdict (evidence.md, 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saphan_schemas.records import Event

from saphan_protocol.bundle.facts import BulletinSeen, ContentSeen, DeliverySeen
from saphan_protocol.bundle.report import Remark
from saphan_protocol.bundle.subject import Judged
from saphan_protocol.delivery import State

_TAKEN = frozenset({State.HANDED_OVER, State.UNANSWERED})


def unproven(
    bulletin: BulletinSeen,
    deliveries: Iterable[DeliverySeen],
    entries: list[Judged],
    content: ContentSeen | None,
    *,
    maker: str,
    pinned: bool,
) -> Iterator[Remark]:
    """Every line that belongs to this bundle.

    Args:
        pinned: the reader's own pins are those of the bundle.
    """
    shown = list(deliveries)
    if not pinned:
        yield Remark("pins")
    yield Remark("roots")
    yield Remark("maker", {"agency": maker})
    yield Remark("nothing_else")
    yield Remark("second_history")
    yield Remark("times")
    if any(delivery.state in _TAKEN for delivery in shown):
        yield Remark("stanza")
    yield from _events(entries)
    closed = max((delivery.closed for delivery in shown), default=0)
    if closed:
        yield Remark("other_agreements", {"count": closed})
    others = sorted(set(bulletin.header.recipients) - {one.recipient for one in shown})
    if others:
        yield Remark("recipients_unshown", {"names": ", ".join(others)})
    yield from _bodies(bulletin, content)


def _events(entries: list[Judged]) -> Iterator[Remark]:
    events = {one.event for one in entries}
    if Event.READ in events:
        yield Remark("reader")
    if Event.REJECTED in events:
        yield Remark("reasons")
    if Event.REFUSED in events:
        yield Remark("refusals")
    if events & {Event.DESTROYED, Event.ERASED, Event.OBEYED}:
        yield Remark("copies")


def _bodies(bulletin: BulletinSeen, content: ContentSeen | None) -> Iterator[Remark]:
    if content is None:
        yield Remark("content")
    if 0 not in bulletin.shown:
        yield Remark("body_absent")
    absent = len(bulletin.attachments) - sum(place > 0 for place in bulletin.shown)
    if absent:
        yield Remark("attachments_absent", {"count": absent})
