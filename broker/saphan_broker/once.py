"""What is said once of a delivery: where the index of statements has it beside its identity.

A bulletin's id is no statement's identity, and neither is a hash of another type: a marker stands
where a statement would, (bulletin, marker, recipient), and a copy of a store brings it as it is.
"""

from __future__ import annotations

from typing import Final

from saphan_protocol.identity import pae_array, sha256
from saphan_schemas.records import Event

ONCE_TYPE: Final = "saphan/once/1"
ONCE: Final = frozenset({Event.READ, Event.RECALLED, Event.OBEYED, Event.DECLINED, Event.ERASED})
"""Events with a marker. What the sender says in its own corridor stands under its own name."""

UNASKED: Final = frozenset({Event.DESTROYED.value})
"""Not in the index at all: nobody says it a second time, for its delivery says that it was said. A
row of a random place for each would be most of what a destruction writes."""


def marker(event: Event, bulletin: bytes) -> bytes:
    """32 bytes; of a reading the bulletin's id itself, as rows of earlier releases have it."""
    if event is Event.READ:
        return bulletin
    return sha256(pae_array(ONCE_TYPE, [event.value, bulletin]))
