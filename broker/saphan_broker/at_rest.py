"""What lies sealed in the store: records, headers and stanzas, each under the key of its due-day.

The context binds a sealed thing to its place, so two rows of a damaged store cannot be exchanged.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from saphan_protocol.identity import pae_array
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Salt, SignatureItem

from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import BulletinRow, EntryRow, StanzaRow

_RECORD_BYTES = LIMITS.consignment_bytes + 8 * 1024


class KeptRecord(Record, frozen=True):
    """An entry with everything that proves it: what a record pack hands over."""

    entry: Annotated[bytes, Meta(max_length=1024)]
    statement: Annotated[bytes, Meta(max_length=LIMITS.consignment_bytes)]
    item: SignatureItem | None
    salt: Salt


def _record_context(index: int) -> bytes:
    return pae_array("saphan/at_rest_record/1", [index])


def _header_context(bulletin: bytes) -> bytes:
    return pae_array("saphan/at_rest_header/1", [bulletin])


def _stanza_context(bulletin: bytes, recipient: str) -> bytes:
    return pae_array("saphan/at_rest_stanza/1", [bulletin, recipient])


def seal_record(keys: DayKeys, index: int, record_day: int, record: KeptRecord) -> bytes:
    """`EntryRow.record` of the entry at log index `index`."""
    return keys.wrap(record_day, encode(record), _record_context(index))


def open_record(keys: DayKeys, row: EntryRow) -> KeptRecord:
    """The record of a stored entry.

    Raises:
        OperatorError: `day_key_destroyed`, `unwrap_failed`.
    """
    plain = keys.unwrap(row.record_day, row.record, _record_context(row.index))
    return decode(KeptRecord, plain, _RECORD_BYTES, "record")


def seal_header(keys: DayKeys, bulletin: bytes, record_day: int, header: bytes) -> bytes:
    """`BulletinRow.header`: a header is due with the records that prove it."""
    return keys.wrap(record_day, header, _header_context(bulletin))


def open_header(keys: DayKeys, row: BulletinRow) -> bytes:
    """Exact header bytes of a stored bulletin; raises as `open_record`."""
    return keys.unwrap(row.record_day, row.header, _header_context(row.id))


def seal_stanza_row(
    keys: DayKeys, bulletin: bytes, recipient: str, due_day: int, stanza: bytes
) -> StanzaRow:
    """The stored row of a stanza: due with its bulletin, whatever the records' term is."""
    sealed = keys.wrap(due_day, stanza, _stanza_context(bulletin, recipient))
    return StanzaRow(bulletin=bulletin, recipient=recipient, due_day=due_day, sealed=sealed)


def open_stanza_row(keys: DayKeys, row: StanzaRow) -> bytes:
    """The 1168 bytes of a stored stanza; raises as `open_record`."""
    return keys.unwrap(row.due_day, row.sealed, _stanza_context(row.bulletin, row.recipient))
