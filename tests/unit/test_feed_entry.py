"""Feed entries at the recipient's node: what changed on the line is not believed."""

from __future__ import annotations

import pytest
from saphan.node.feed_entry import SUBMITTED, parse_entry
from saphan_protocol.admission import measure
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity, record_identity
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import FeedEntry
from saphan_schemas.records import Bulletin, Consignment, Entry, Header, Marking, StanzaRef

HEADER = encode(
    Header(
        suite=1,
        nonce=bytes(16),
        sender="la.ospp",
        recipients=("kh.gpo",),
        schema="saphan/case_statistics/1",
        schema_digest=bytes(32),
        marking=Marking("amber", ("H1",)),
        urgency="routine",
        exercise=True,
        created=0,
        expires=1,
        answer_by=None,
        retain_until=1,
    )
)
CIPHERTEXT = bytes(range(256)) * 16


def entry(header: bytes | None = HEADER, ciphertext: bytes | None = CIPHERTEXT) -> FeedEntry:
    """The entry of one bulletin, with these bytes beside it."""
    bulletin = Bulletin(record_identity(Header, HEADER), measure(CIPHERTEXT), ())
    statement = encode(
        Consignment(
            record_identity(Bulletin, encode(bulletin)),
            bytes(32),
            None,
            (StanzaRef("kh.gpo", bytes(32), bytes(32)),),
        )
    )
    statement_id = identity(CONSIGNMENT_TYPE, statement)
    record = Entry("la.ospp", "kh.gpo", 1, None, 0, CONSIGNMENT_TYPE, statement_id)
    return FeedEntry(1, encode(record), bytes(32), (), statement, None, header, ciphertext, None)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_bulletin_as_it_was_consigned_is_believed() -> None:
    assert parse_entry(entry()).event == SUBMITTED


def test_consignment_without_its_bulletin_is_parsed() -> None:
    """The sender's own node is shown the entry without the bytes that it has itself."""
    assert parse_entry(entry(None, None)).event == SUBMITTED


@pytest.mark.parametrize(
    "changed",
    [
        entry(ciphertext=flipped(CIPHERTEXT, 0)),
        entry(ciphertext=flipped(CIPHERTEXT, 4_095)),
        entry(ciphertext=CIPHERTEXT[:-1]),
        entry(header=flipped(HEADER, 4)),
    ],
    ids=["first byte", "last byte", "cut", "header"],
)
def test_bit_flipped_on_the_line_is_refused_before_the_log_is_followed(changed: FeedEntry) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_entry(changed)
    assert refusal.value.code == "bulletin_id"
