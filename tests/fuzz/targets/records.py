"""Records by themselves, and the messages of all lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

from saphan.desk.line import decode_answer
from saphan.node.desks.session import decode_desk_frame
from saphan.node.feed_entry import parse_entry
from saphan.node.login import decode_frame
from saphan_broker.processes.wire import Message, WireError, from_wire
from saphan_protocol.evidence import MAX_ENTRY_BYTES
from saphan_schemas import exports, officer_records, records
from saphan_schemas.codec import decode, encode
from saphan_schemas.desk_frames import FromDesk, FromNodeToDesk
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.frames import FeedEntry, FromBroker, FromNode
from saphan_schemas.limits import KIB, LIMITS, MIB
from support.agency import Agency
from support.ceremony import NOW

from fuzz.samples import samples
from fuzz.target import Target

LA, KH = "la.ospp", "kh.gpo"
FRAME_BYTES: Final = 2 * MIB
"""Of a bomb; a session takes frames of `LIMITS.frame_bytes`, twice as long."""

PLAIN: Final[tuple[tuple[type[Any], int], ...]] = (
    (records.Header, LIMITS.header_bytes),
    (records.Inner, 4 * KIB),
    (records.Sealed, LIMITS.ciphertext_bytes),
    (records.Consignment, LIMITS.consignment_bytes),
    (records.Statement, LIMITS.statement_bytes),
    (records.Targeted, LIMITS.statement_bytes),
    (records.Entry, MAX_ENTRY_BYTES),
    (records.Signature, 8 * KIB),
    (records.SealedDetail, LIMITS.statement_bytes),
    (records.ErasureDetail, LIMITS.statement_bytes),
    (records.OfficerRead, KIB),
    (officer_records.OfficerRefusal, 4 * KIB),
    (exports.Export, KIB),
    (exports.DeskErasure, 8 * KIB),
)


def _plain(kind: type[Any], most: int) -> Target:
    def parse(data: bytes) -> None:
        decode(kind, data, most, "record")

    return Target(
        name=f"record-{kind.__name__}",
        parse=parse,
        seeds=lambda: samples(kind),
        form="msgpack",
        longest=most,
    )


def _from_node(data: bytes) -> None:
    decode(cast("type[FromNode]", FromNode), data, LIMITS.frame_bytes, "message")


def _between_processes(data: bytes) -> None:
    message = decode(Message, data, len(data), "message")
    if isinstance(message.body, WireError):
        from_wire(message.body)


def _feed_entry(data: bytes) -> None:
    """As a node does with each entry of a feed: what stands in it is parsed, the leaf made."""
    seen = parse_entry(decode(FeedEntry, data, LIMITS.frame_bytes, "entry"))
    seen.leaf(True, seen.raw.header)


@cache
def frames_with_bulletins() -> tuple[bytes, ...]:
    """A submission and a statement, really signed and sealed."""
    from saphan_schemas.frames import State, Submit

    la, kh = Agency(LA, NOW), Agency(KH, NOW)
    made = la.bulletin([KH], NOW, attachments=[b"%PDF-1.7 report"])
    items, batch = la.submissions([made], [kh])
    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch_of_said = kh.statements(records.Event.HANDOVER, about, (LA, KH), NOW)
    return (
        encode(Submit(1, items, (batch,))),
        encode(State(2, said, (batch_of_said,))),
    )


@cache
def feed_entries() -> tuple[bytes, ...]:
    """Entries as the broker's feed has them, about a real bulletin."""
    from saphan_protocol.evidence import CONSIGNMENT_TYPE
    from saphan_protocol.identity import identity
    from saphan_schemas.records import Blob, Entry, Event, statement_type

    la, kh = Agency(LA, NOW), Agency(KH, NOW)
    made = la.bulletin([KH], NOW)
    (item,), _batch = la.submissions([made], [kh])
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (said,), _ = kh.statements(Event.HANDOVER, about, (LA, KH), NOW)
    digest = Blob(len(made.ciphertext), made.ciphertext_digest)
    rows = (
        (CONSIGNMENT_TYPE, item.consignment, item.item, item.header),
        (statement_type(Event.HANDOVER), said.statement, said.item, None),
    )
    made_entries = []
    for kind, body, signature, header in rows:
        entry = Entry(LA, KH, 1, None, NOW, kind, identity(kind, body))
        brought = digest if header is not None else None
        made_entries.append(
            FeedEntry(7, encode(entry), bytes(32), (), body, signature, header, brought, None)
        )
    return tuple(encode(one) for one in made_entries)


def _frames(
    name: str, parse: Callable[[bytes], object], kind: Any, more: Callable[[], tuple[bytes, ...]]
) -> Target:
    return Target(
        name=name,
        parse=parse,
        seeds=lambda: [*samples(kind), *more()],
        form="msgpack",
        errors=(InvalidInput, OperatorError),
        longest=FRAME_BYTES,
    )


def _nothing() -> tuple[bytes, ...]:
    return ()


TARGETS: Final = (
    *(_plain(kind, most) for kind, most in PLAIN),
    _frames("frames-from-node", _from_node, FromNode, frames_with_bulletins),
    _frames("frames-from-broker", decode_frame, FromBroker, _nothing),
    _frames("frames-from-desk", decode_desk_frame, FromDesk, _nothing),
    _frames("frames-from-node-to-desk", decode_answer, FromNodeToDesk, _nothing),
    _frames("frames-between-processes", _between_processes, Message, _nothing),
    Target(
        name="feed-entry",
        parse=_feed_entry,
        seeds=feed_entries,
        form="msgpack",
        errors=(InvalidInput, Refused),
        longest=FRAME_BYTES,
    ),
)
