"""Consignments that a lost log has shown, carried once more: the same bytes, the same id."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.records import Consignment

from saphan.node.files.parts import BROUGHT, HERE


def carry(tx: sqlite3.Connection, wanted: Mapping[bytes, Collection[str]]) -> list[int]:
    """Put stored consignments back to waiting, by the very bytes that a log has shown.

    Args:
        wanted: recipients of each bulletin; a consignment that names others too is left alone.
            Of the others the newest count, until everybody is named by one of them.

    Returns:
        Their rows.
    """
    rows: list[int] = []
    for bulletin, recipients in wanted.items():
        left = set(recipients)
        for row, body in tx.execute(
            "SELECT id, body FROM consignments WHERE bulletin = ?"
            " AND state IN ('logged', 'waiting') ORDER BY id DESC",
            (bulletin,),
        ):
            consignment = msgpack_decoder(Consignment).decode(body)
            named = {ref.agency for ref in consignment.recipients}
            if named <= set(recipients) and named & left:
                rows.append(row)
                left -= named
    tx.executemany(
        "UPDATE consignments SET state = 'waiting', code = NULL WHERE id = ?",
        [(row,) for row in rows],
    )
    tx.executemany(
        "UPDATE parts SET stage = ? WHERE bulletin = ? AND stage = ?",
        [(HERE, bulletin, BROUGHT) for bulletin in wanted],
    )
    return rows


def carry_lost(tx: sqlite3.Connection, agency: str, bulletin: bytes, first: int) -> list[int]:
    """Consignments of what a lost log alone has, for a log that is to hear that it is recalled.

    Their recipients say again what they said. What this agency has not kept whole is left out.

    Args:
        first: stored place of the present log's first leaf.

    Returns:
        Their rows.
    """
    found = tx.execute(
        "SELECT d.recipient FROM deliveries d JOIN bulletins b ON b.id = d.bulletin"
        " JOIN bodies y ON y.seq = b.seq WHERE d.bulletin = ? AND d.sender = ?"
        " AND EXISTS (SELECT 1 FROM entries e WHERE e.bulletin = d.bulletin"
        " AND e.recipient = d.recipient AND e.idx < ?)"
        " AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.bulletin = d.bulletin"
        " AND e.recipient = d.recipient AND e.idx >= ?)",
        (bulletin, agency, first, first),
    ).fetchall()
    return carry(tx, {bulletin: {recipient for (recipient,) in found}}) if found else []
