"""Which rules act at this node: those that a person has seen in a dry run, and armed (spec).

A node without a bulletin begins with the shipped table armed: there is nothing that it could show.
Whoever changes the settings, or the shipped table by an upgrade, disarms it: then nothing goes
before its own `retain_until`, or what happened to it asks for that, and an alarm says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.retention import RuleTable

from saphan.node.alarms import Alarms
from saphan.node.policy.current import Current
from saphan.node.policy.retention import rules_digest
from saphan.node.rows.db import Database

UNARMED: Final = "retention_unarmed"
ARMED_FACT: Final = "retention_armed"
SHOWN_FACT: Final = "retention_shown"
AT_FIRST: Final = "first start"
"""Who has armed the rules of a node that never had a bulletin."""


class Note(msgspec.Struct, frozen=True):
    """Which rules were shown, or armed: by whom, and when (ms UTC)."""

    digest: str
    by: str
    time: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How the rules stand: `digest` of those that the settings mean, notes on shown and armed."""

    digest: str
    shown: Note | None
    armed: Note | None

    @property
    def acts(self) -> bool:
        """Whether the rules that are meant are those that were armed."""
        return self.armed is not None and self.armed.digest == self.digest


class Armed:
    """The rules of one node; blocking.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self, db: Database, settings: Current, alarms: Alarms, clock: Callable[[], int]
    ) -> None:
        self._db = db
        self._settings = settings
        self._alarms = alarms
        self._clock = clock

    @property
    def table(self) -> RuleTable:
        """The rules that the settings mean."""
        return self._settings.now.retention.table

    def standing(self) -> Standing:
        """How they stand now."""
        digest = rules_digest(self.table).hex()
        return Standing(digest, self._note(SHOWN_FACT), self._note(ARMED_FACT))

    def begin(self) -> None:
        """At the start: a store that never had a bulletin is armed with what is meant.

        Not for a restored one: it may have lost what it had, and who has armed what.

        Raises:
            OperatorError: the disk.
        """
        if self._note(ARMED_FACT) is None and self._db.row("SELECT 1 FROM bulletins") is None:
            self._write(ARMED_FACT, Note(self.standing().digest, AT_FIRST, self._clock()))

    def show(self, by: str, digest: str) -> None:
        """Note that somebody has seen in a dry run what the rules of a digest would do.

        Raises:
            OperatorError: the disk.
        """
        self._write(SHOWN_FACT, Note(digest, by, self._clock()))

    def arm(self, by: str, digest: str | None = None) -> Standing:
        """Let the rules act that were shown.

        Args:
            digest: of the rules that are meant, or its beginning; None: of those that were shown.

        Raises:
            Refused: `retention_unseen` (never shown, or others since), `retention_other`.
            OperatorError: the disk.
        """
        found = self.standing()
        if digest is not None and not found.digest.startswith(digest.lower()):
            raise Refused(
                "retention_other",
                f"the rules that are set now are {found.digest[:16]}, not {digest[:16]}",
                field="rules",
                hint="look at what they would do, and take their digest: saphan retention plan",
            )
        if found.shown is None or found.shown.digest != found.digest:
            raise Refused(
                "retention_unseen",
                f"nobody has seen yet what the rules {found.digest[:16]} would do",
                field="rules",
                hint="look at it first: saphan retention plan",
            )
        self._write(ARMED_FACT, Note(found.digest, by, self._clock()))
        return self.standing()

    def tell(self, today: int, standing: Standing) -> None:
        """Sound or end the alarm: rules that nobody armed would have acted by `today` (a day)."""
        row = None
        if not standing.acts:
            row = self._db.row(
                # `+day`: from what is planned by now, never from all that stays.
                "SELECT count(*) FROM (SELECT seq FROM retention WHERE planned <= ?1"
                " AND erased IS NULL AND +day > ?1 UNION SELECT seq FROM retention"
                " WHERE review <= ?1 AND erased IS NULL AND +day > ?1)",
                (today,),
            )
        if row is None or not row[0]:
            self._alarms.clear(UNARMED)
            return
        self._alarms.sound(
            OperatorError(
                UNARMED,
                f"rules of retention that nobody has armed would ask about or erase {row[0]}"
                " bulletins by now; each is kept until the last day of its own header",
                hint="see what would go, then arm it: saphan retention plan; saphan retention arm",
            )
        )

    def _note(self, name: str) -> Note | None:
        row = self._db.row("SELECT value FROM facts WHERE name = ?", (name,))
        return None if row is None else json_decoder(Note).decode(row[0])

    def _write(self, name: str, note: Note) -> None:
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name)"
                " DO UPDATE SET value = excluded.value",
                (name, msgspec.json.encode(note)),
            )
