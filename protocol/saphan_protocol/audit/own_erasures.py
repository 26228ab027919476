"""What senders say that they erased, each in its own corridor: once, and not before its day.

What grows here: about 0.15 KB for each bulletin whose submission was opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from saphan_schemas.errors import Refused
from saphan_schemas.records import Entry, Header, Statement

from saphan_protocol.aftermath import check_erasure

_NAME_BYTES: Final = 16


class OwnErasures:
    """By bulletin and sender: retain_until, or its complement once the sender has erased it."""

    def __init__(self) -> None:
        self._sent: dict[bytes, int] = {}

    def submitted(self, bulletin: bytes, header: Header) -> None:
        """A consignment of it was opened."""
        self._sent.setdefault(_name(bulletin, header.sender), header.retain_until)

    def take(self, entry: Entry, statement: Statement) -> bool:
        """A sender's `erased`; False if its submission was not opened.

        Raises:
            Refused: `erased_before`, `erased_early`.
        """
        name = _name(statement.bulletin, statement.issuer)
        retain = self._sent.get(name)
        if retain is not None and retain < 0:
            raise Refused("erased_before", "that it is erased was said before", field="statement")
        check_erasure(statement.code, None, retain, entry.time)
        self._sent[name] = ~(retain or 0)
        return retain is not None

    def keep(self) -> Iterator[tuple[bytes, int]]:
        """What `again` takes."""
        return iter(self._sent.items())

    def again(self, kept: Iterable[tuple[bytes, int]]) -> None:
        """Go on where an earlier run was."""
        self._sent.update(kept)


def _name(bulletin: bytes, sender: str) -> bytes:
    return bulletin[:_NAME_BYTES] + sender.encode()
