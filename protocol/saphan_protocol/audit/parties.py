"""Whose each submission is: an agency holds what it sent or received, and nothing else (A11).

What grows here: 24 bytes for each submission that was opened.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

from saphan_schemas.errors import Refused
from saphan_schemas.records import Entry, Targeted

from saphan_protocol.identity import sha256

_HALF: Final = 8
_WHOLE: Final = 2 * _HALF


class Parties:
    """Sender and recipient of every opened `submitted` leaf, as short hashes."""

    def __init__(self) -> None:
        self._leaves = array("Q")
        self._names = bytearray()

    def submitted(self, index: int, bulletin: bytes, entry: Entry) -> None:
        """A submission was opened; asked in order."""
        self._leaves.append(index)
        self._names += _name(bulletin, entry.sender) + _name(bulletin, entry.recipient)

    def check(self, said: Targeted) -> None:
        """Who holds a delivery or releases it is party to it, and names its bulletin.

        Raises:
            Refused: `target_differs`; what was not opened is not judged.
        """
        place = bisect_left(self._leaves, said.target)
        if place == len(self._leaves) or self._leaves[place] != said.target:
            return
        both = self._names[place * _WHOLE : (place + 1) * _WHOLE]
        name = _name(said.bulletin, said.issuer)
        if name not in (both[:_HALF], both[_HALF:]):
            raise Refused(
                "target_differs",
                f"leaf {said.target} is no delivery of this bulletin to or from {said.issuer}",
                field="statement.target",
            )

    def keep(self) -> tuple[bytes, bytes]:
        """What `again` takes."""
        return self._leaves.tobytes(), bytes(self._names)

    def again(self, kept: tuple[bytes, bytes]) -> None:
        """Go on where an earlier run was."""
        self._leaves.frombytes(kept[0])
        self._names += kept[1]


def _name(bulletin: bytes, agency: str) -> bytes:
    return sha256(bulletin + agency.encode())[:_HALF]
