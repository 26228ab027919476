"""Holds under audit: what opened `held` and `released` entries name (step O9).

How many holds stand on a delivery, anyone can count from the leaves (`destruction`). Whose they
are and by which order, only the entries and the orders' packages say. What grows here: one pair for
each hold that stands.
"""

from __future__ import annotations

import msgspec
from saphan_schemas.errors import Refused
from saphan_schemas.records import Event, Targeted

from saphan_protocol.audit.report import Coverage
from saphan_protocol.directory import Directory
from saphan_protocol.holding import check_hold


class HoldingKept(msgspec.Struct, array_like=True):
    """All that `Holding` knows."""

    standing: set[tuple[int, bytes]]


class Holding:
    """Step O9 for what agencies say of their holds."""

    def __init__(self, directory: Directory, coverage: Coverage) -> None:
        self._directory = directory
        self._coverage = coverage
        self._standing: set[tuple[int, bytes]] = set()

    def take(self, event: Event, statement: Targeted, at: int | None, whole: bool) -> None:
        """A `held` or `released` statement.

        Args:
            at: directory size of the last anchor before its entry.
            whole: everything that its agency has said in its own corridor is shown.

        Raises:
            Refused: what `check_hold` raises, `held_before`, `released_unheld`.
        """
        holds, detail = self._directory.holds, statement.detail
        if not isinstance(detail, bytes):
            raise RuntimeError("what admission let through names its order by 32 bytes")
        if holds.logged(detail, at) and holds.find(detail) is None:
            self._coverage.holds_closed += 1  # its package is in no pack
            return
        name = check_hold(holds, event, statement, at)
        if holds.find(name) is None:
            self._coverage.holds_closed += 1  # the order that it renews or releases is in no pack
            return
        hold = statement.target, name
        stands = hold in self._standing
        if event is Event.HELD:
            if stands:
                raise Refused("held_before", "the same hold of it stands", field="statement")
            self._standing.add(hold)
        elif stands:
            self._standing.remove(hold)
        elif whole:
            raise Refused(
                "released_unheld", "no hold of it by that order stands", field="statement"
            )

    def keep(self) -> HoldingKept:
        """What `again` takes."""
        return HoldingKept(set(self._standing))

    def again(self, kept: HoldingKept) -> None:
        """Go on where an earlier run was."""
        self._standing = set(kept.standing)
