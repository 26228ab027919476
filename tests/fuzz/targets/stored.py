"""What a Redis server, its sentinels and a store of objects answer: all are other machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import hiredis
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.archive import formats
from saphan_broker.store.redis.archive.envelope import HEAD_BYTES, seal, unseal
from saphan_broker.store.redis.line import UNREADABLE
from saphan_broker.store.redis.sentinels import parse_answers
from saphan_broker.store.rows import HoldRow
from saphan_protocol.identity import sha256
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import KIB, MIB
from support.store_commits import digest

from fuzz.target import Form, Target, text

ID: Final = bytes(32)
NAME: Final = "store/kind/7"
ROW_BYTES: Final = 64 * KIB
"""Of a bomb: rows have no bound but the server's, which holds what this broker wrote."""
OBJECT_BYTES: Final = MIB
"""Of a bomb; objects have at most eight times as much."""


@cache
def facts() -> bytes:
    ref = formats.BodyRef(digest("pack"), HEAD_BYTES, 10, digest("section"))
    row = formats.Finished(ID, "la.ospp", ID[:16], {b"f": b"facts", b"h": b"header"}, ref)
    return formats.facts_body(30_000, [row])[0]


@cache
def block() -> bytes:
    rows = {b"%d" % at: digest("leaf", at) for at in range(256)}
    tile = b"".join(digest("hash", at) for at in range(256))
    return formats.block_body(rows, {digest("key"): bytes(3373)}, tile)


def _sealed(read: Callable[[str, bytes], object]) -> Callable[[bytes], object]:
    """A body under a right envelope: what a broker has written, or who writes as one."""

    def parse(data: bytes) -> object:
        return read(NAME, seal(NAME, data))

    return parse


def _section(data: bytes) -> object:
    """A section whose digest is right."""
    return formats.open_section(NAME, formats.BodyRef(b"", 0, len(data), sha256(data)), data)


def _told(data: bytes) -> object:
    """What stands on a line of a sentinel's, as far as three answers were heard."""
    reader = hiredis.Reader(notEnoughData=None)
    reader.feed(data)
    try:
        replies = [reader.gets() for _ in range(3)]
    except UNREADABLE:
        return None  # the line is ended
    return parse_answers(replies, "bridge")


def _resp(value: object) -> bytes:
    """As a server writes it: texts and arrays."""
    if isinstance(value, tuple):
        return b"*%d\r\n%s" % (len(value), b"".join(map(_resp, value)))
    text = str(value).encode()
    return b"$%d\r\n%s\r\n" % (len(text), text)


def _sentinel() -> list[bytes]:
    facts = (
        "name",
        "bridge",
        "flags",
        "master",
        "quorum",
        2,
        "config-epoch",
        7,
        "num-other-sentinels",
        2,
    )
    replicas = (("name", "10.0.0.6:6379", "flags", "slave"), ("flags", "s_down,slave"))
    return [_resp(("10.0.0.5", 6379)) + _resp(facts) + _resp(replicas)]


def _bulletin(data: bytes) -> object:
    return packing.read_bulletin(ID, data, b"header", b"ciphertext")


def _address(given: str) -> None:
    RedisAddress(url=given, name="bridge.example").check()


ROWS: Final[tuple[tuple[str, Callable[[bytes], object], object], ...]] = (
    (
        "row-facts",
        lambda data: packing.read_facts(ID, data),
        ("la.ospp", bytes(16), ID, 4096, ID, 1, 2, 3, [(4096, ID)]),
    ),
    ("row-bulletin", _bulletin, ("la.ospp", bytes(16), ID, 4096, ID, 1, 2, 3, [])),
    (
        "row-delivery",
        lambda data: packing.read_delivery(ID, "kh.gpo", data),
        ("la.ospp", "open", 1, 2, 3, None, 0, None, None),
    ),
    ("row-sender", packing.read_sender, ("la.ospp", "open", 1)),
    ("row-stanza", lambda data: packing.read_stanza(ID, "kh.gpo", data), (5, bytes(1168))),
    (
        "row-hold",
        lambda data: packing.read_hold((1, ID), data),
        ("kh.gpo",) * (len(HoldRow.__struct_fields__) - 2),
    ),
    ("row-leaf", packing.read_leaf, (b"leaf",)),
    ("row-entry", lambda data: packing.read_entry(7, data), (b"leaf",)),
    ("row-anchor", packing.read_anchor, (1, 2, ID)),
    ("row-cosignature", lambda data: packing.read_cosignature(b"la.ospp", data), (1, 2, b"lines")),
    ("row-end", packing.read_end, (1, 2)),
)


def _row(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], list[bytes]],
    form: Form = "msgpack",
    longest: int = OBJECT_BYTES,
    *,
    seeds_refused: bool = False,
) -> Target:
    return Target(
        name=name,
        parse=parse,
        seeds=seeds,
        form=form,
        errors=(OperatorError,),
        longest=longest,
        seeds_refused=seeds_refused,
    )


def _packed(value: object) -> Callable[[], list[bytes]]:
    return lambda: [packing.encode(value)]


TARGETS: Final = (
    *(_row(name, parse, _packed(value), longest=ROW_BYTES) for name, parse, value in ROWS),
    _row("row-due", packing.read_due_member, lambda: [bytes(8) + ID + b"kh.gpo"], "bytes"),
    _row("row-hold-field", packing.read_hold_field, lambda: [bytes(8) + ID], "bytes"),
    _row("archive-object", lambda data: unseal(NAME, data), lambda: [seal(NAME, facts())], "bytes"),
    _row("archive-block", _sealed(formats.open_block), lambda: [block()]),
    _row("archive-box", _sealed(formats.open_box), lambda: [formats.box_body([3, 4, 900, 2**40])]),
    _row("archive-section", _section, lambda: [packing.encode(({b"f": b"facts"},))]),
    Target(
        name="sentinel-answers",
        parse=_told,
        seeds=_sentinel,
        form="bytes",
        errors=(OperatorError, Unavailable),
    ),
    _row("archive-facts", _sealed(formats.open_facts), lambda: [facts()]),
    _row(
        "redis-address",
        text(_address),
        lambda: [
            b"redis://localhost:6379/0",
            b"unix:///run/redis.sock",
            b"redis+sentinel://a:1,b:2/main/0",
        ],
        "text",
    ),
)
