"""Sending again what this node has said about a bulletin: the broker answers with what it logged.

Every statement of ours, consignments among them, can be sent again as long as its record is here,
whatever has become of the bulletin or of the key that signed it. The log must have it where this
node saw it: another place is a second story, and an alarm. Nothing is signed and nothing changes;
what waits to be sent for the first time is left to the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from saphan_protocol.batch import SALT_BYTES
from saphan_protocol.stanza import STANZA_BYTES
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.frames import Result, StatementItem, Submission
from saphan_schemas.records import BatchSignature, Consignment, Event, SignatureItem

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.files.parts import attachments_of
from saphan.node.rows.db import Database, Row
from saphan.node.rows.signatures import find
from saphan.node.waiting import cut
from saphan.node.wire.line import Line

DIFFERS: Final = "receipt_differs"

_STATEMENTS: Final = (
    "SELECT event, sender, recipient, body, item, root, salt FROM statements s WHERE bulletin = ?"
    " AND EXISTS (SELECT 1 FROM entries e WHERE e.bulletin = s.bulletin"
    " AND e.statement = s.body AND e.idx >= ?) ORDER BY id"
)
_CONSIGNMENTS: Final = (
    "SELECT b.header, c.body, c.item, c.root, c.salts, c.stanzas, y.ciphertext"
    " FROM consignments c JOIN bulletins b ON b.id = c.bulletin JOIN bodies y ON y.seq = b.seq"
    " WHERE c.bulletin = ? AND EXISTS (SELECT 1 FROM entries e"
    " WHERE e.bulletin = c.bulletin AND e.statement = c.body AND e.idx >= ?) ORDER BY c.id"
)

Item: TypeAlias = Submission | StatementItem


@dataclass(frozen=True, slots=True)
class Again:
    """One of our statements, and where this node saw it in the log, by recipient."""

    event: str
    item: Item
    signature: BatchSignature
    logged: dict[str, int]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the broker answered for one recipient.

    Args:
        index: where the log has it; None with the `code` of a refusal.
        same: whether that is where this node saw it.
    """

    event: str
    recipient: str
    index: int | None
    same: bool
    code: str | None = None
    message: str | None = None


class Resending:
    """Sends again for one node, over its open session."""

    def __init__(self, agency: str, db: Database, engine: Engine, line: Line, alarms: Alarms):
        self._agency = agency
        self._db = db
        self._engine = engine
        self._line = line
        self._alarms = alarms

    async def resend(self, bulletin: bytes) -> list[Receipt]:
        """Every statement of ours about a bulletin that the log shows, and what it is answered.

        Raises:
            Refused: `nothing_said`. Unavailable: `line_down`, `no_answer`. OperatorError: the disk.
        """
        found = await self._engine.in_reading(partial(self._said, bulletin))
        if not found:
            raise Refused(
                "nothing_said",
                "the log shows no statement of this agency about this bulletin",
                field="id",
                hint="what waits is sent by itself: saphan status " + bulletin.hex()[:16],
            )
        receipts: list[Receipt] = []
        for one in found:  # one by one: their order is that of the log
            result = await self._line.asking().send_again(one.item, one.signature)
            answered = _receipts(one, result)
            self._alarm(bulletin, answered)  # at once: the next one may have no answer
            receipts += answered
        return receipts

    # --- inside -----------------------------------------------------------------------------------

    def _said(self, bulletin: bytes) -> list[Again]:
        found: list[Again] = []
        first = self._engine.logs.first  # what a lost log has shown, its successor does not
        for row in self._db.rows(_CONSIGNMENTS, (bulletin, first)):
            found += self._again(bulletin, row[1:4], partial(self._submission, row))
        for row in self._db.rows(_STATEMENTS, (bulletin, first)):
            found += self._again(bulletin, row[3:6], partial(_statement, row))
        return sorted(found, key=lambda one: min(one.logged.values()))

    def _again(
        self, bulletin: bytes, signed: Row, item: Callable[[SignatureItem], Item]
    ) -> list[Again]:
        """It, unless its signature is lost."""
        body, data, root = signed
        parsed = msgpack_decoder(SignatureItem).decode(data)
        signatures = find(self._db.rows, [(parsed.key, parsed.size, root)])
        rows = self._db.rows(
            "SELECT recipient, idx, event FROM entries WHERE bulletin = ? AND statement = ?"
            " AND issuer = ? AND idx >= ? ORDER BY idx DESC",  # of two the first: the receipt
            (bulletin, body, self._agency, first := self._engine.logs.first),
        )
        if not (signatures and rows):
            return []
        logged = {recipient: place - first for recipient, place, _ in rows}
        return [Again(rows[-1][2], item(parsed), signatures[0], logged)]

    def _submission(self, row: Row, item: SignatureItem) -> Submission:
        header, body, _, _, salts, stanzas, ciphertext = row
        bulletin = msgpack_decoder(Consignment).decode(body).bulletin
        return Submission(
            header,
            body,
            item,
            cut(salts, SALT_BYTES),
            cut(stanzas, STANZA_BYTES),
            ciphertext,
            attachments_of(self._db, [bulletin]).get(bulletin, ()),
        )

    def _alarm(self, bulletin: bytes, receipts: list[Receipt]) -> None:
        for one in receipts:
            if not one.same and one.code in (None, DIFFERS):
                place = "nowhere" if one.index is None else f"at {one.index}"
                self._alarms.sound(
                    OperatorError(
                        DIFFERS,
                        f"the broker says that {one.event} of bulletin {bulletin.hex()[:16]} to "
                        f"{one.recipient} is logged {place}; this node saw it elsewhere",
                        hint="show this line to the broker's operator and the auditor",
                    )
                )


def _statement(row: Row, item: SignatureItem) -> StatementItem:
    event, sender, recipient, body, _, _, salt = row
    return StatementItem(Event(event), sender, recipient, body, item, salt)


def _receipts(one: Again, result: Result) -> list[Receipt]:
    """A result's indices stand in the order of the recipients of what was sent."""
    if isinstance(one.item, Submission):
        consignment = msgpack_decoder(Consignment).decode(one.item.consignment)
        recipients = [ref.agency for ref in consignment.recipients]
    else:
        recipients = [one.item.recipient]
    refused = None
    if result.code is not None:
        refused = result.code, result.message
    elif len(result.indices) != len(recipients):
        refused = DIFFERS, "the broker names no place for each recipient"
    if refused is not None:
        return [Receipt(one.event, to, None, False, *refused) for to in recipients]
    return [
        Receipt(one.event, to, index, one.logged.get(to) == index)
        for to, index in zip(recipients, result.indices, strict=True)
    ]
