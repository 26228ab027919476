"""A successor's log becomes this node's: judged, adopted in one transaction, carried on.

1. The broker shows every succession since the log that this node follows. Each is signed by the
   pinned keys, and names no less of the old log than this node has verified or cosigned; one that
   names less is refused, and nothing changes here until a person has looked.
2. One transaction begins anew: the cursor, the corridors, what waits to be proven. Every delivery
   without an outcome that is proven here waits to be carried once more, ours by the very bytes that
   the lost log had. A crash before its end leaves the node at the old log, and it asks again; after
   it, it is at the new one.
3. What the lost log has proven stays proven there. Its entries without witnesses stay so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from saphan_protocol.checkpoint import parse_checkpoint
from saphan_protocol.delivery import TERMINAL
from saphan_protocol.notes import parse_note
from saphan_protocol.pins import Pins
from saphan_protocol.split_file import ShownSuccessor
from saphan_protocol.succession import Named, SuccessorDiffers, check_chain, check_continues
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.records import Event
from saphan_schemas.succession_frames import Step

from saphan.node.alarms import Alarms
from saphan.node.logs import Logs
from saphan.node.proving.proofs import LOOKED, WitnessedProofs
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import QUEUED, REFUSED
from saphan.node.rows.places import first_of, log_number
from saphan.node.split import Shown, TwoHistories
from saphan.node.splits import Splits
from saphan.node.succession.carrying import carry, carry_lost
from saphan.node.succession.kept import BRINGS, keep_steps, present_pins
from saphan.node.witness import Witness

SUCCEEDED: Final = "log_succeeded"
NOTHING: Final = -1
"""Of `hold_said.released`: nothing is left to be said."""
_OPEN: Final = (
    "d.state NOT IN ("  # all of these are constants
    + ", ".join(f"'{state}'" for state in sorted((*TERMINAL, REFUSED)))
    + ")"
)
_OF_THAT_LOG: Final = (Event.HELD.value, Event.RELEASED.value, Event.UNOPENED.value)
"""What names a leaf of the lost log, or a stanza that it carried: the next one will be judged by
itself."""


class Adopting:
    """Of one node; runs in the frames' thread. `clock` gives ms UTC."""

    def __init__(
        self,
        agency: str,
        db: Database,
        logs: Logs,
        witness: Witness,
        splits: Splits,
        proofs: WitnessedProofs,
        alarms: Alarms,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._witness = witness
        self._splits = splits
        self._proofs = proofs
        self._alarms = alarms
        self._clock = clock

    def adopt(self, steps: Sequence[Step]) -> None:
        """Believe the successions that lead on from this node's log, and follow the last of them.

        Raises:
            InvalidInput: `successor_malformed`, notes and proofs that do not hold.
            OperatorError: `successor_behind`, `successor_differs`: a person must look; the disk.
        """
        kept = present_pins(self._db, self._logs.pins)
        if kept != self._logs.pins:  # a commit that was done, and reported failed
            self.follow(kept)
        chain = check_chain(self._logs.pins, steps)
        if not chain:
            return  # the challenge is held against the pins all the same
        for named, _ in chain:
            self._check(named)
        with self._db.transaction() as tx:
            keep_steps(tx, chain, self._clock())
            begin_anew(tx, self._agency, first_of(log_number(chain[-1][1].evidence)))
        self.follow(chain[-1][1])
        named = chain[0][0]
        self._alarms.sound(
            OperatorError(
                SUCCEEDED,
                f"{named.origin} was lost; {self._logs.pins.evidence.origin} follows it, after "
                f"{named.size} leaves",
                hint="nothing is to be done: what has no outcome yet is sent again by itself",
            )
        )

    def follow(self, pins: Pins) -> None:
        """Go on with what the store has adopted."""
        self._logs.follow(pins)
        self._splits.follow(pins)
        self._proofs.begin_anew()

    def _check(self, named: Named) -> None:
        """Nothing that was verified or cosigned here is taken back.

        A person must look: the line stands still, and everything here stays as it is.
        """
        rows = self._db.rows(
            "SELECT size, root, note FROM heads WHERE origin = ? AND size >= ? ORDER BY size DESC",
            (named.origin, named.size),
        )
        notes = {(size, root): note for size, root, note in rows}
        cosigned = self._witness.known(named.origin)
        if cosigned is not None:
            notes[cosigned.size, cosigned.root] = cosigned.note
        try:
            check_continues(named, notes)
        except SuccessorDiffers as error:
            shown = _shown(named, notes[named.size, error.root])
            raise TwoHistories(named.origin, named.size, shown, error.code) from None
        except Refused as error:
            raise OperatorError(error.code, error.message, hint=error.hint) from None


def _shown(named: Named, note: bytes) -> Shown:
    """What this node knows of the old log, and what the log that follows says of it."""
    step = named.by
    head = parse_checkpoint(parse_note(step.note).text).size
    leaf = ShownSuccessor(step.evidence, head, named.size, named.root, step.path)
    return Shown(notes=(note, step.note), successors=(leaf,))


def begin_anew(tx: sqlite3.Connection, agency: str, first: int) -> None:
    """Step 2.

    Args:
        first: stored place of the new log's first leaf.
    """
    tx.execute("DELETE FROM corridors")
    tx.execute("DELETE FROM facts WHERE name IN ('after', ?)", (LOOKED,))
    _carry_own(tx, agency)
    # Who has not answered a recall is asked again, whatever the outcome was.
    for (bulletin,) in tx.execute("SELECT bulletin FROM recall_orders WHERE open = 1").fetchall():
        carry_lost(tx, agency, bulletin, first)
    tx.execute(  # whatever they are: consigned again, they begin
        f"UPDATE deliveries AS d SET state = ?, code = NULL WHERE recipient = ? AND {_OPEN}",  # noqa: S608
        (QUEUED, agency),
    )
    # A hold names a leaf of its own log: it is said of the new one's, not of the old one's.
    tx.execute("UPDATE hold_said SET released = ? WHERE released IS NULL", (NOTHING,))
    tx.execute(
        "UPDATE statements SET state = 'refused', code = ? WHERE state = 'waiting'"
        " AND event IN (?, ?, ?)",
        (SUCCEEDED, *_OF_THAT_LOG),
    )
    tx.execute("REPLACE INTO facts VALUES (?, 1)", (BRINGS,))


def _carry_own(tx: sqlite3.Connection, agency: str) -> None:
    """Our deliveries without an outcome wait again, with the newest consignment that is theirs
    alone; what is left over is consigned anew by whoever looks for that."""
    undecided: dict[bytes, set[str]] = {}
    for bulletin, recipient in tx.execute(
        "SELECT d.bulletin, d.recipient FROM deliveries d JOIN bulletins b ON b.id = d.bulletin"  # noqa: S608
        f" JOIN bodies y ON y.seq = b.seq WHERE d.sender = ? AND {_OPEN}",
        (agency,),
    ):
        undecided.setdefault(bulletin, set()).add(recipient)
    carry(tx, undecided)
    tx.executemany(
        "UPDATE deliveries SET state = ?, code = NULL, attempts = 1"
        " WHERE bulletin = ? AND recipient = ?",
        [(QUEUED, bulletin, one) for bulletin, them in undecided.items() for one in them],
    )
