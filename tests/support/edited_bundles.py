"""Bundles that somebody has edited: every field of every record, and what may come of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from saphan_protocol.bundle.reading import parse_bundle_item
from saphan_protocol.bundle.report import Outcome, Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_schemas.bundles import BundleItem, Disclosure
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Agreement, Operation, SignedAgreement, SignedOperation
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Consignment, Entry, Header, Statement

from support.logbook import TYPES

INSIDE = (SignedOperation, Operation, SignedAgreement, Agreement, Entry, Header, Consignment)
LONGEST = 2
"""Of longer tuples only so many members are edited: hashes of a path are alike."""


def edits(value: Any) -> Iterator[Any]:
    """The value with one thing in it changed, at every depth, once for each thing."""
    match value:
        case msgspec.Struct():
            for name in value.__struct_fields__:
                for other in edits(getattr(value, name)):
                    yield msgspec.structs.replace(value, **{name: other})
        case tuple():
            yield from ((*value[:at], other, *value[at + 1 :]) for at, other in _members(value))
            if value:
                yield value[:-1]
        case bool():
            yield not value
        case int():
            yield value + 1
        case str():
            yield value[:-1] + ("a" if value[-1:] != "a" else "b")
        case bytes():
            yield from _edited_bytes(value)
        case _:
            return  # nil


def _members(value: tuple[Any, ...]) -> Iterator[tuple[int, Any]]:
    for at, member in enumerate(value[:LONGEST]):
        yield from ((at, other) for other in edits(member))


def _edited_bytes(data: bytes) -> Iterator[bytes]:
    for at in {0, len(data) - 1}:
        if data:
            yield bytes((*data[:at], data[at] ^ 1, *data[at + 1 :]))
    yield data + b"\x00"
    for prefix in (b"", data[:1]):  # a directory leaf begins with its type
        for record in _inside(data[len(prefix) :]):
            yield from (prefix + encode(other) for other in edits(record))


def _inside(data: bytes) -> Iterator[Any]:
    """The record that these bytes are; none for most."""
    for kind in (*INSIDE, Statement, Disclosure):
        try:
            yield decode(kind, data, len(data), "edited")
        except InvalidInput:
            continue
        return


def judged(items: Sequence[BundleItem | bytes]) -> Verdict | None:
    """The verdict on items of which some are bytes as they stand in a file; None if it is none."""
    try:
        return verify_bundle(_read(items), TYPES)
    except InvalidInput as error:
        if error.code != "evidence_foreign":
            raise
        return None


def _read(items: Sequence[BundleItem | bytes]) -> Iterator[BundleItem]:
    for item in items:
        yield parse_bundle_item(item) if isinstance(item, bytes) else item


def harmless(before: Verdict, after: Verdict | None) -> bool:
    """Whether an edit was refused, is named as a gap, or changed nothing that is proven."""
    if after is None or after.outcome is Outcome.INVALID:
        return True
    if after.outcome is Outcome.GAPS:
        return _said(after) == _said(before) and not _stronger(before, after)
    return _proven(after) == _proven(before)


def _said(verdict: Verdict) -> object:
    """What was logged: by nothing that is left out does it become another story."""
    events = [(e.index, e.event, e.time, e.stated, e.issuer, e.code) for e in verdict.events]
    return events, verdict.bulletin and verdict.bulletin.header, _told(verdict)


def _told(verdict: Verdict) -> object:
    """A disclosure; its place in the log may be lost."""
    one = verdict.disclosure
    return one and (one.agency, one.to, one.reason, one.handle, one.time, one.key)


def _stronger(before: Verdict, after: Verdict) -> bool:
    """Whether something is proven that was not before."""
    gaps = {gap.code for gap in before.gaps} - {gap.code for gap in after.gaps}
    signed = {event.index for event in before.events if event.proof == "signed"}
    more = any(event.proof == "signed" and event.index not in signed for event in after.events)
    return bool(gaps) or more or (after.content is not None and after.content != before.content)


def _proven(verdict: Verdict) -> object:
    """Everything but claims."""
    facts = (verdict.heads, verdict.agreements, verdict.bulletin, verdict.deliveries)
    return (*facts, verdict.events, verdict.disclosure, verdict.content, verdict.unproven)
