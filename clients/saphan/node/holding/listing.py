"""Holds as this agency's own people see them: why, what, until when, and how each order stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saphan_protocol.hold_order import parse_hold, parse_terms
from saphan_schemas.hold_records import HoldOrder
from saphan_schemas.limits import DAY_MS

from saphan.holds.scope_json import scope_json
from saphan.node.holding.orders import HoldOrders
from saphan.node.rows.db import Database, Row


class HoldList:
    """The holds of one node; blocking. `clock` gives ms UTC."""

    def __init__(self, db: Database, orders: HoldOrders, clock: Callable[[], int]) -> None:
        self._db = db
        self._orders = orders
        self._clock = clock

    def listed(self) -> list[dict[str, Any]]:
        """Every hold, the newest first, with the orders on it."""
        rows = self._db.rows(
            "SELECT h.name, h.newest, h.review, h.known, h.released,"
            " (SELECT count(*) FROM held d WHERE d.hold = h.name),"
            " (SELECT count(*) FROM hold_said s WHERE s.hold = h.name) FROM holds h"
            " JOIN hold_orders o ON o.name = h.name ORDER BY o.number DESC"
        )
        return [self._listed(row) for row in rows]

    def members(self, name: bytes, after: int, limit: int) -> list[dict[str, Any]]:
        """What a hold keeps, by place: bulletins above place `after`, whether the log was told,
        and whether it is `erased` here, and kept at the broker alone."""
        rows = self._db.rows(
            "SELECT b.seq, b.id, b.sender, h.said, r.erased FROM held h"
            " JOIN bulletins b ON b.id = h.bulletin LEFT JOIN retention r USING (seq)"
            " WHERE h.hold = ? AND b.seq > ? ORDER BY b.seq LIMIT ?",
            (name, after, limit),
        )
        return [
            {
                "place": seq,
                "id": one.hex(),
                "sender": sender,
                "logged": bool(said),
                "erased": erased is not None,
            }
            for seq, one, sender, said, erased in rows
        ]

    def _listed(self, row: Row) -> dict[str, Any]:
        name, newest, review, known, released, held, said = row
        orders = self._db.rows(
            "SELECT name, number, action, package, terms, taken FROM hold_orders WHERE hold = ?"
            " ORDER BY number",
            (name,),
        )
        terms, latest = self._orders.terms(name), self._orders.terms(newest)
        return {
            "name": name.hex(),
            "reference": None if latest is None else latest.reference,
            "scope": None if terms is None else scope_json(terms),
            "told": None if latest is None else latest.told,
            "review": review,
            "past_review": released is None and review <= self._clock() // DAY_MS,
            "in_force": released is None,
            "ending": released is None and self._orders.is_ending(name),
            "terms_here": bool(known),
            "bulletins": held,
            "deliveries": said,
            "orders": [self._order(one) for one in orders],
        }

    def _order(self, row: Row) -> dict[str, Any]:
        name, number, action, package, terms, taken = row
        order: HoldOrder = parse_hold(package).order
        said = None if terms is None else parse_terms(terms)
        return {
            "name": name.hex(),
            "number": number,
            "action": action,
            "time": order.time,
            "review": order.review,
            "reference": None if said is None else said.reference,
            "taken": taken,
            "logged": self._orders.is_logged(name),
            "broker": self._orders.answer(name),
        }
