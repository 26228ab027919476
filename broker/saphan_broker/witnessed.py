"""Cosignatures of the agencies' witnesses, and the time they vouch for (bytes.md, Time)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from saphan_protocol.checkpoint import KeyPair, format_checkpoint, verify_cosignatures
from saphan_protocol.notes import KeyType, encode_note, parse_lines, verifier_key
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.frames import Cosign
from saphan_schemas.limits import SECOND_MS
from saphan_schemas.records import Role

from saphan_broker.logs.log_book import LogBook
from saphan_broker.state import State
from saphan_broker.store.base import CosignatureRow


def witness_keys(state: State, agency: str) -> list[KeyPair]:
    """An agency's active witness keys, under whose name its lines stand."""
    return [
        (
            verifier_key(agency, KeyType.COSIGNATURE_ED25519, key.public[:32]),
            verifier_key(agency, KeyType.COSIGNATURE_MLDSA44, key.public[32:]),
        )
        for key in state.directory.keys(agency, Role.WITNESS)
    ]


class WitnessedTime:
    """Time that an enrolled node has cosigned; it never falls, and only it lets things expire."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.now = 0
        """Milliseconds UTC; 0 before any cosignature since the start."""
        self.taken = 0
        self.told: Callable[[LogBook, CosignatureRow], None] | None = None
        """Is told of every cosignature that is taken here: other processes go by it too."""

    async def take(self, agency: str, frame: Cosign) -> None:
        """Check and keep an agency's cosignature.

        Raises:
            InvalidInput: `head_unknown`, `cosignature_*`, `note_*`; Refused: `witness_unknown`.
        """
        book = self._state.head_of(frame.head)
        if book is None:
            return  # of another origin: nothing here rests on it
        signed = book.signed_time(frame.head)
        if signed is None:
            return  # too old to matter, or before this start
        pairs = witness_keys(self._state, agency)
        if not pairs:
            raise Refused("witness_unknown", f"{agency} has no witness key", field="cosign.lines")
        text = format_checkpoint(frame.head.origin, frame.head.size, frame.head.root)
        # Only this agency's own lines are looked at and kept; no one else's travel with them.
        names = {(key.name, key.key_id) for pair in pairs for key in pair}
        lines = tuple(
            line for line in parse_lines(frame.lines) if (line.name, line.key_id) in names
        )
        if not lines:
            raise Refused("witness_unknown", f"no line is {agency}'s", field="cosign.lines")
        note = encode_note(text, lines)
        found = await asyncio.get_running_loop().run_in_executor(
            self._state.verifying, lambda: verify_cosignatures(note, pairs)
        )
        if not found:
            raise InvalidInput(
                "cosignature_missing", "both lines of one witness are needed", field="cosign.lines"
            )
        kept = b"".join(line.encode() for line in lines)
        row = CosignatureRow(agency, frame.head.size, signed, kept)
        await self._state.store.put_cosignature(book.log, row)
        self.taken += 1
        if book.log == "evidence":
            self._state.lag.cosigned(agency, frame.head.size)
        book.add_cosignature(agency, frame.head.size, kept)
        self._state.listeners.published(())
        # The earlier of both clocks: of one size several heads may have been signed.
        self.now = max(self.now, min(signed, found[-1].time) * SECOND_MS)
        if self.told is not None:
            self.told(book, row)

    def heard(self, now: int) -> None:
        """Another process of this broker has it on a witness's word."""
        self.now = max(self.now, now)
