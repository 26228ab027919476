"""What a holder tells the originator when it has erased: exports that it knows, and its desks.

An `ErasureDetail` as JSON text inside a sealed detail: the broker and everybody else learn nothing
of it. It is what the holder knew when it signed, and an attestation like the erasure itself.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from saphan_schemas.records import SealedDetail

from saphan.node.exports.copies import DeskCopies
from saphan.node.judging import seal_reason
from saphan.node.logs import Logs


def tells(
    agency: str, logs: Logs, copies: DeskCopies, clock: Callable[[], int]
) -> Callable[[bytes, str], SealedDetail | None]:
    """What `Erasing` asks: of a bulletin (its id), for its originator. None: it has no mailbox key
    now, and the code must do."""

    def told(bulletin: bytes, sender: str) -> SealedDetail | None:
        text = msgspec.json.encode(copies.known(bulletin)).decode()
        return seal_reason(logs, agency, bulletin, sender, text, clock())

    return told
