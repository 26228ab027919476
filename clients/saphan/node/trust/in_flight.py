"""What is on its way when an agreement is suspended or ends: the sender is told which bulletins are
still delivered, and which are stopped.

In flight is what the log shows as submitted and nobody has handed over. How it is treated, the
agreement says (`in_flight`), and broker and recipient act by the same rule
(`saphan_protocol.release`). It is looked at when the directory or what is in flight changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from saphan_protocol.admission_steps import Facts
from saphan_protocol.agreement import Agreed
from saphan_protocol.delivery import State
from saphan_protocol.directory import Directory
from saphan_protocol.release import carrying
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

from saphan.node.alarms import Alarms
from saphan.node.events import IN_FLIGHT, Event
from saphan.node.logs import Logs
from saphan.node.rows.db import Database

Json = dict[str, Any]
Delivery = tuple[bytes, str]
"""(bulletin id, recipient)."""

STOPPED: Final = "bulletins_stopped"
STOP: Final = "stop"
RESUMED: Final = "resumed"
EXPIRED: Final = "expired"
"""Condition of an agreement whose last day is over, beside those of its standing."""


@dataclass(frozen=True, slots=True)
class Treated:
    """What becomes of a delivery while its agreement is not in force."""

    treatment: str
    agreement: bytes
    condition: str


class InFlight:
    """The deliveries of one agency that an agreement no longer carries as before.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self, agency: str, db: Database, logs: Logs, alarms: Alarms, clock: Callable[[], int]
    ) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._alarms = alarms
        self._clock = clock

    def look(self, found: dict[Delivery, Treated]) -> list[Event]:
        """Compare with what the senders were told; durable before it is returned to be told.

        Args:
            found: what `found` gave; what has ended since is not told any more.

        Raises:
            OperatorError: the disk.
        """
        known = self._known()
        gone = [delivery for delivery in known if delivery not in found]
        changed = (one for one, how in found.items() if known.get(one) != how)
        news = {one: found[one] for one in self._still_there(changed)}
        if gone or news:
            self._keep(gone, news)
        self._alarm(found)
        resumed = [(one, known[one]) for one in self._still_there(gone)]
        return [
            *(_event(one, how, how.treatment) for one, how in news.items()),
            *(_event(one, how, RESUMED) for one, how in resumed),
        ]

    def told(self) -> frozenset[str]:
        """Ids of the bulletins about which a sender was told: what happens to them ends it."""
        return frozenset(bulletin.hex() for bulletin, _ in self._known())

    def closed(self) -> frozenset[str]:
        """Recipients to whom no agreement is in force. What the log shows as submitted to them was
        admitted before: the feed may bring it after the directory has brought the order."""
        now, directory = self._clock(), self._logs.directory
        closed: set[str] = set()
        with self._logs.lock:
            for to in self._recipients():
                between = directory.agreements(self._agency, to)
                if all(_condition(directory, agreed, now) is not None for agreed in between):
                    closed.add(to)
        return frozenset(closed)

    def listed(self) -> list[Json]:
        """What the senders were told, by agreement."""
        rows = self._db.rows(
            "SELECT bulletin, recipient, treatment, agreement, condition, since FROM in_flight"
            " ORDER BY since, bulletin"
        )
        return [
            {
                "id": bulletin.hex(),
                "recipient": recipient,
                "treatment": treatment,
                "agreement": agreement.hex(),
                "condition": condition,
                "since": since,
            }
            for bulletin, recipient, treatment, agreement, condition, since in rows
        ]

    def found(self) -> dict[Delivery, Treated]:
        """What becomes of everything in flight; up to 100,000 bulletins, so it is read aside."""
        recipients, now = self._recipients(), self._clock()
        found: dict[Delivery, Treated] = {}
        for recipient in recipients:
            rows = self._db.rows(
                "SELECT d.bulletin, b.header, d.state FROM deliveries d JOIN bulletins b"
                " ON b.id = d.bulletin WHERE d.state IN ('submitted', 'unopened')"
                " AND d.sender = ? AND d.recipient = ?",
                (self._agency, recipient),
            )
            for bulletin, data, state in rows:
                header = decode(Header, data, LIMITS.header_bytes, "header")
                with self._logs.lock:
                    how = treated(self._logs.directory, header, recipient, now)
                if how is not None and state == State.UNOPENED.value:
                    # It needs a new consignment, and nothing new is taken.
                    how = replace(how, treatment=STOP)
                if how is not None:
                    found[bulletin, recipient] = how
        return found

    # --- inside -----------------------------------------------------------------------------------

    def _recipients(self) -> list[str]:
        """Those with whom some agreement of ours is not in force."""
        now, directory = self._clock(), self._logs.directory
        stopped: set[str] = set()
        with self._logs.lock:
            for agreed in directory.agreements_of(self._agency):
                if _condition(directory, agreed, now) is not None:
                    stopped.update(to for sender, to in agreed.rules if sender == self._agency)
        return sorted(stopped)

    def _known(self) -> dict[Delivery, Treated]:
        rows = self._db.rows(
            "SELECT bulletin, recipient, treatment, agreement, condition FROM in_flight"
        )
        return {(row[0], row[1]): Treated(*row[2:]) for row in rows}

    def _keep(self, gone: Iterable[Delivery], news: dict[Delivery, Treated]) -> None:
        now = self._clock()
        with self._db.transaction() as tx:
            tx.executemany("DELETE FROM in_flight WHERE bulletin = ? AND recipient = ?", gone)
            tx.executemany(
                "INSERT INTO in_flight VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (bulletin, recipient) DO UPDATE SET treatment = excluded.treatment,"
                " agreement = excluded.agreement, condition = excluded.condition,"
                " since = excluded.since",
                [
                    (*one, how.treatment, how.agreement, how.condition, now)
                    for one, how in news.items()
                ],
            )

    def _still_there(self, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """Those that are on their way as before; of the others the log has told the end."""
        return [
            one
            for one in deliveries
            if self._db.row(
                "SELECT 1 FROM deliveries WHERE bulletin = ? AND recipient = ?"
                " AND state IN ('submitted', 'unopened')",
                one,
            )
        ]

    def _alarm(self, found: dict[Delivery, Treated]) -> None:
        stopped = sorted({to for (_, to), how in found.items() if how.treatment == STOP})
        if not stopped:
            self._alarms.clear(STOPPED)
            return
        count = sum(how.treatment == STOP for how in found.values())
        self._alarms.sound(
            OperatorError(
                STOPPED,
                f"{count} bulletins on their way to {', '.join(stopped)} are stopped: no agreement "
                "in force carries them",
                hint="see which, and how the agreements stand: saphan agreement list",
            )
        )


def treated(directory: Directory, header: Header, recipient: str, now: int) -> Treated | None:
    """What becomes of a bulletin on its way; None while an agreement in force carries it.

    Args:
        directory: as it stands now, with what was bound by hand; `now` in ms UTC.
    """
    agreed, in_force = carrying(header, recipient, Facts(directory, now))
    if in_force or agreed is None:
        return None
    condition = _condition(directory, agreed, now) or EXPIRED
    return Treated(agreed.text.in_flight, agreed.name, condition)


def _condition(directory: Directory, agreed: Agreed, now: int) -> str | None:
    """Why an agreement carries nothing new; None if it does."""
    standing = directory.standing(agreed)
    if not standing.in_force:
        return standing.condition.value
    return EXPIRED if now >= agreed.text.valid_until else None


def _event(delivery: Delivery, how: Treated, treatment: str) -> Event:
    bulletin, recipient = delivery
    return {
        "type": IN_FLIGHT,
        "id": bulletin.hex(),
        "recipient": recipient,
        "treatment": treatment,
        "agreement": how.agreement.hex(),
        "condition": how.condition,
    }
