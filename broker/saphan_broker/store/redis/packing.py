"""Rows as the server holds them: MessagePack arrays without what the key or field already says.

A bulletin is one hash (`keys.bulletin`):

f               facts, without the id
h, c            header and ciphertext
o               name of the object that holds the ciphertext, instead of c
w               how many of its deliveries have a deadline
d<recipient>    delivery, without bulletin and recipient
z<recipient>    stanza: due day, sealed
s<identity><recipient>   index of the first entry about this statement
x               its ciphertext is destroyed; of c, o and each z nothing is there or an empty value
y<recipient>    day under which a hold had the stanza wrapped anew
k<target><order>         there is such a hold (`keys.holds`)

An empty z of a bulletin that was archived says that the archived one is destroyed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
from msgspec.structs import astuple
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import BatchSignature, Blob

from saphan_broker.store.base import (
    AnchorRow,
    BulletinFacts,
    BulletinRow,
    Corridor,
    CosignatureRow,
    DeliveryRow,
    EntryRow,
    HoldKey,
    HoldRow,
    SignatureKey,
    StanzaRow,
)

encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode

FACTS: Final = b"f"
HEADER: Final = b"h"
CIPHERTEXT: Final = b"c"
OBJECT: Final = b"o"
WAITING: Final = b"w"
BODILESS: Final = b"x"
GONE: Final = b""
"""Value of a stanza that is destroyed and still stands in a pack."""

P = ParamSpec("P")
T = TypeVar("T")


def damaged(what: str) -> OperatorError:
    """The server's rows are not what was written there: a person or its disk has changed them."""
    return OperatorError(
        "store_damaged",
        f"the Redis server holds a damaged store: {what}",
        field="redis",
        hint="keep it as it is; the rest is served, and a backup or a replica may have the row",
    )


def _whole(read: Callable[P, T]) -> Callable[P, T]:
    """A row that cannot be read is `store_damaged`."""

    @wraps(read)
    def reading(*args: P.args, **named: P.kwargs) -> T:
        try:
            return read(*args, **named)
        except (msgspec.MsgspecError, TypeError, ValueError, LookupError, RecursionError):
            what = read.__name__.removeprefix("read_")
            raise damaged(f"a row cannot be read ({what})") from None

    return reading


def delivery_field(recipient: str) -> bytes:
    return b"d" + recipient.encode()


def stanza_field(recipient: str) -> bytes:
    return b"z" + recipient.encode()


def wrapped_field(recipient: str) -> bytes:
    return b"y" + recipient.encode()


def hold_field(key: HoldKey) -> bytes:
    """Of a hold in `keys.holds`, and behind a `k` in its bulletin."""
    return key[0].to_bytes(8) + key[1]


@_whole
def read_hold_field(field: bytes) -> HoldKey:
    return int.from_bytes(field[:8]), field[8:]


def statement_field(identity: bytes, recipient: str) -> bytes:
    return b"s" + identity + recipient.encode()


def body_name(id_: bytes, run: str, commit: int) -> str:
    """Object that holds a long ciphertext: put for one commit of one run of a store object."""
    return f"bodies/{id_.hex()}-{run}-{commit}"


def body_commit(name: str) -> tuple[str, int]:
    """Run and commit in the name of such an object."""
    _id, run, commit = name.split("-")
    return run, int(commit)


def pack_facts(row: BulletinFacts) -> bytes:
    return encode(
        (
            row.sender,
            row.nonce,
            row.header_identity,
            row.ciphertext_length,
            row.ciphertext_digest,
            row.due_day,
            row.record_day,
            row.expires,
            [(blob.length, blob.digest) for blob in row.attachments],
        )
    )


@_whole
def read_facts(id_: bytes, data: bytes) -> BulletinFacts:
    return BulletinFacts(id_, *_facts(data))


@_whole
def read_bulletin(id_: bytes, facts: bytes, header: bytes, ciphertext: bytes) -> BulletinRow:
    values = [id_, *_facts(facts), header, ciphertext]
    return BulletinRow(*values)


def _facts(data: bytes) -> list[Any]:
    values: list[Any] = _decode(data)
    values[-1] = tuple([Blob(*blob) for blob in values[-1]])
    return values


def pack_delivery(row: DeliveryRow) -> bytes:
    return encode(astuple(row)[2:])


@_whole
def read_delivery(id_: bytes, recipient: str, data: bytes) -> DeliveryRow:
    return DeliveryRow(id_, recipient, *_decode(data))


@_whole
def read_sender(data: bytes) -> str:
    """Of a packed delivery."""
    sender: str = _decode(data)[0]
    return sender


def pack_stanza(row: StanzaRow) -> bytes:
    return encode((row.due_day, row.sealed))


@_whole
def read_stanza(id_: bytes, recipient: str, data: bytes) -> StanzaRow:
    return StanzaRow(id_, recipient, *_decode(data))


def pack_hold(row: HoldRow) -> bytes:
    return encode(astuple(row)[2:])


@_whole
def read_hold(key: HoldKey, data: bytes) -> HoldRow:
    return HoldRow(*key, *_decode(data))


def pack_leaf(leaf: bytes, entry: EntryRow | None) -> bytes:
    """A leaf with its entry; an anchor and a directory leaf have none."""
    return encode((leaf, *astuple(entry)[1:]) if entry is not None else (leaf,))


@_whole
def read_leaf(data: bytes) -> bytes:
    leaf: bytes = _decode(data)[0]
    return leaf


@_whole
def read_entry(index: int, data: bytes) -> EntryRow | None:
    values: list[Any] = _decode(data)
    return EntryRow(index, *values[1:]) if len(values) > 1 else None


def pack_anchor(row: AnchorRow) -> bytes:
    return encode(astuple(row))


@_whole
def read_anchor(data: bytes) -> AnchorRow:
    return AnchorRow(*_decode(data))


def pack_cosignature(row: CosignatureRow) -> bytes:
    return encode((row.size, row.time, row.lines))


@_whole
def read_cosignature(agency: bytes, data: bytes) -> CosignatureRow:
    return CosignatureRow(agency.decode(), *_decode(data))


def corridor_field(pair: Corridor) -> bytes:
    return b"%s\0%s" % (pair[0].encode(), pair[1].encode())


@_whole
def read_end(data: bytes) -> tuple[int, int]:
    number, index = _decode(data)
    return number, index


def signature_field(key: SignatureKey) -> bytes:
    return b"%s%s%d" % (key[0], key[2], key[1])


def signature_key(row: BatchSignature) -> SignatureKey:
    return row.key, row.size, row.root


def due_member(row: DeliveryRow) -> bytes:
    """Rows of one deadline are ordered by it: in log order."""
    return row.submitted.to_bytes(8) + row.bulletin + row.recipient.encode()


@_whole
def read_due_member(member: bytes) -> tuple[bytes, str]:
    return member[8:40], member[40:].decode()
