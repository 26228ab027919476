"""16 random bytes name one bulletin of a sender, at the recipient too."""

from __future__ import annotations

from saphan_schemas.errors import OperatorError

from saphan.node.effects import Effects
from saphan.node.rows.db import Database


def drop_replays(db: Database, agency: str, effects: Effects) -> None:
    """16 random bytes name one bulletin: what a second one says is neither kept nor answered.

    An honest broker refuses it (`replay`), so it is an alarm.
    """
    known = _known_nonces(db, effects)
    for arrived in tuple(effects.arrived):
        seen, admitted, _ = arrived
        name, bulletin = (admitted.header.sender, admitted.header.nonce), seen.bulletin
        if known.setdefault(name, bulletin) == bulletin:
            continue
        effects.arrived.remove(arrived)
        effects.said = [said for said in effects.said if said.bulletin != bulletin]
        delivery = effects.deliveries and effects.deliveries.get(bulletin, agency)
        if delivery:
            delivery.code = "replay"
        effects.alarms.append(
            OperatorError(
                "admission_differs",
                f"entry {seen.index} is another bulletin of {name[0]} with the random bytes of "
                f"{known[name].hex()[:16]}, and the broker admitted both",
                hint="it is not handed over; show both to the broker's operator",
            )
        )


def _known_nonces(db: Database, effects: Effects) -> dict[tuple[str, bytes], bytes]:
    """(sender, nonce) to bulletin id, of what arrived and was here before."""
    by_sender: dict[str, list[bytes]] = {}
    for _, admitted, _ in effects.arrived:
        by_sender.setdefault(admitted.header.sender, []).append(admitted.header.nonce)
    known = {}
    for sender, nonces in by_sender.items():
        marks = ",".join("?" * len(nonces))
        for nonce, bulletin in db.rows(
            f"SELECT nonce, id FROM bulletins WHERE sender = ? AND nonce IN ({marks})",  # noqa: S608
            (sender, *nonces),
        ):
            known[sender, nonce] = bulletin
    return known
