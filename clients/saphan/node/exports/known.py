"""What a holder tells the originator when it has erased: exports that it knows, and its desks.

Sealed to the originator: the broker and everybody else learn nothing of it. It is what the holder
knew when it signed, and an attestation like the erasure itself.
"""

from __future__ import annotations

from collections.abc import Callable

from saphan_protocol.detail import seal_erasure
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import SealedDetail

from saphan.node.exports.copies import DeskCopies
from saphan.node.logs import Logs


def tells(
    agency: str, logs: Logs, copies: DeskCopies, clock: Callable[[], int]
) -> Callable[[bytes, str], SealedDetail | None]:
    """What `Erasing` asks: of a bulletin (its id), for its originator. None: it has no mailbox key
    now, and the code must do."""

    def told(bulletin: bytes, sender: str) -> SealedDetail | None:
        try:
            with logs.lock:
                box = logs.directory.mailbox(sender, clock())
            return seal_erasure(copies.known(bulletin), bulletin, agency, box.key_id, box.public)
        except (InvalidInput, Refused):
            return None

    return told
