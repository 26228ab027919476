"""A bundle for an officer's desk, as a node that serves desks has it made (node/desks/evidence)."""

from __future__ import annotations

from pathlib import Path

from saphan_protocol.pins import Pins

from saphan.evidence.exporting import NodeStore, export_bundle


def bundle_for_desk(
    data: Path, agency: str, pins: Pins, bulletin: bytes, out: Path, now: int, attachments: bool
) -> int:
    """Write the bundle of a bulletin, without its key; gives how many entries are left out of it.

    Args:
        data: the node's folder of data; agency: whose node it is; pins: the logs it trusts.
        out: a new file; now: ms UTC; attachments: whether their sealed bytes go in.

    Raises:
        OperatorError: what `export_bundle` raises.
    """
    store = NodeStore(data, agency, pins)
    return export_bundle(store, bulletin, out, now, attachments=attachments).left_out
