"""A signed bulletin that comes a second time gets the first answer (design 4.1).

The desk that sent it never heard the answer. The 16 random bytes of the header find the bulletin;
only the very same header and signed inner are the same bulletin, anything else is a `replay`.
"""

from __future__ import annotations

from saphan_protocol.content import open_content
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Sealed

from saphan.node.archive import Archive
from saphan.node.prepared import Outcome, Prepared
from saphan.node.rows.db import Database


def first_answer(db: Database, archive: Archive, prepared: Prepared, outcome: Outcome) -> Outcome:
    """The id that this bulletin was kept under before, if `outcome` says that it is a replay."""
    if not isinstance(outcome, InvalidInput) or outcome.code != "replay":
        return outcome
    header = prepared.draft.header
    row = db.row(
        "SELECT id, header, header_id, wrapped, wrap_day, ciphertext"
        " FROM bulletins JOIN bodies USING (seq) WHERE sender = ? AND nonce = ?",
        (header.sender, header.nonce),
    )
    if row is None or row[1] != prepared.draft.header_bytes or row[3] is None:
        return outcome
    bulletin: bytes = row[0]
    try:
        opened = open_content(archive.unwrap(row[3], bulletin, row[4]), row[2], row[5])
        sealed = decode(Sealed, opened, LIMITS.ciphertext_bytes, "sealed")
    except SaphanError:
        return outcome  # its day was destroyed: nobody can say any more that it is the same
    return bulletin if sealed.inner == prepared.inner else outcome
