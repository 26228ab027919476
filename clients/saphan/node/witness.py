"""The node as witness: it cosigns the newest head it has checked, and never two histories.

Its state file is its own: written, fsynced and renamed before a signature is made, and never
restored from a backup. A copy that is put back is older than what was signed, and only the log can
then say where this witness stands; it refuses whatever is not consistent with the file. With each
head it keeps the log's own lines: whoever shows another history after a restart is proven to.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from saphan_protocol.checkpoint import Head, cosign_lines, parse_checkpoint
from saphan_protocol.notes import encode_note, parse_note
from saphan_protocol.witness import WitnessKey
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.limits import LIMITS, SECOND_MS

from saphan.durable import read_bounded, replace_file
from saphan.node.split import Known, Shown, TwoHistories

STATE_FORMAT: Final = "witness/1"
STATE_BYTES: Final = 1024 * 1024
"""Two logs of 5 KB each, and what their successors add in decades."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What is sent to the broker: the head and this witness's two lines over it."""

    head: Head
    lines: bytes


class Witness:
    """One agency's witness. Not thread-safe: one head after the other.

    Args:
        name: the agency, under which its lines stand.
        key: None at a restored node that has no new one yet.
        path: the state file; a missing one means that nothing was ever signed.
        clock: ms UTC.

    Raises:
        OperatorError: `witness_state_damaged`.
    """

    def __init__(
        self, name: str, key: WitnessKey | None, path: Path, clock: Callable[[], int]
    ) -> None:
        self._name = name
        self._key = key
        self._path = path
        self._clock = clock
        self._state = _load(path)

    @property
    def key_id(self) -> bytes | None:
        """The witness key's identity; None where there is no key, so that nothing is cosigned."""
        return None if self._key is None else self._key.key_id

    def known(self, origin: str) -> Known | None:
        """The head signed last for a log."""
        return self._state.get(origin)

    def known_of_any(self, pin: LogPin) -> Known | None:
        """The largest head signed of a log under any number: a directory's leaves stay the same."""
        lasting = pin.origin.rpartition("/")[0]
        known = [one for name, one in self._state.items() if name.rpartition("/")[0] == lasting]
        return max(known, key=lambda one: one.size, default=None)

    def cosign(self, head: Head) -> Cosigned | None:
        """Cosign a head that `logs` has verified and found consistent; None if it was signed.

        Raises:
            Refused: `head_stale` (60 s off this clock).
            TwoHistories; OperatorError: `witness_ahead`, `file_unwritable`.
        """
        if self._key is None:
            return None
        known = self._state.get(head.origin)
        if known is not None:
            if head.size < known.size:
                raise OperatorError(
                    "witness_ahead",
                    f"this witness has signed {known.size} leaves of {head.origin}; the head "
                    f"shown has {head.size}",
                    hint="nothing is signed; ask the broker's operator what was restored",
                )
            if head.size == known.size and head.root != known.root:
                shown = Shown(notes=(known.note, head.note))
                raise TwoHistories(head.origin, head.size, shown)
            if head.size == known.size and head.time <= known.time:
                return None
        now = self._clock()
        if abs(now - head.time * SECOND_MS) > LIMITS.skew_ms:
            raise Refused(
                "head_stale",
                f"the head of {head.origin} is dated {(now - head.time * SECOND_MS) // 1000} s "
                "before this clock",
                hint="set this machine's clock (NTP); the broker signs a fresh head by itself",
            )
        self._persist(head)
        lines = cosign_lines(
            self._key.ed25519, self._key.mldsa44, self._name, head.text, now // SECOND_MS
        )
        return Cosigned(head, lines)

    def _persist(self, head: Head) -> None:
        """A crash after this costs one cosignature, never a second history."""
        known = Known(head.size, head.root, head.time, own_note(head))
        state = self._state | {head.origin: known}
        logs = {origin: _plain(known) for origin, known in state.items()}
        data = json.dumps({"saphan": STATE_FORMAT, "logs": logs}, indent=2).encode() + b"\n"
        replace_file(self._path, data)
        self._state = state


def own_note(head: Head) -> bytes:
    """A head's note with the log's own lines alone."""
    note = parse_note(head.note)
    return encode_note(note.text, [line for line in note.lines if line.name == head.origin])


def _plain(known: Known) -> dict[str, object]:
    note = known.note.decode()
    return {"size": known.size, "root": known.root.hex(), "time": known.time, "note": note}


def _known(log: dict[str, Any]) -> Known:
    # An older release kept no note.
    note = str(log.get("note", "")).encode()
    known = Known(int(log["size"]), bytes.fromhex(log["root"]), int(log["time"]), note)
    if note:
        said = parse_checkpoint(parse_note(note).text)
        if (said.size, said.root) != (known.size, known.root):
            raise ValueError("the note is of another head")  # a disk's fault accuses no broker
    return known


def _load(path: Path) -> dict[str, Known]:
    if not path.exists():
        return {}
    try:
        value = json.loads(read_bounded(path, STATE_BYTES, "witness state"))
        if value["saphan"] != STATE_FORMAT:
            raise ValueError(value["saphan"])
        return {str(origin): _known(log) for origin, log in value["logs"].items()}
    except (
        InvalidInput,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,  # of Infinity, which json takes for a number
        RecursionError,
    ):
        raise OperatorError(
            "witness_state_damaged",
            f"{path} does not parse, so this node cannot know what it has cosigned",
            hint="revoke the witness key, remove the file, make a new one: saphan keys add witness",
        ) from None


def anchor_lags(head: Head, anchored: int, directory_size: int, grew_at: int) -> bool:
    """Whether an evidence head's last anchor is more than 60 s behind the directory head held.

    Args:
        anchored: directory size of the last anchor; grew_at: POSIX seconds of the directory head.
    """
    return anchored < directory_size and (head.time - grew_at) * SECOND_MS > LIMITS.skew_ms
