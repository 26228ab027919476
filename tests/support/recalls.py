"""How a recall stands at its sender's node, and what a node's keeper has set about recalls."""

from __future__ import annotations

from typing import Any

from saphan.node.service import NodeService

from support.bridge import KH, Bridge, eventually

Json = dict[str, Any]


def row(node: NodeService, bulletin: bytes, recipient: str = KH) -> Json:
    """How one recipient stands."""
    found = node.recalls.show(bulletin)["recipients"]
    return next(one for one in found if one["recipient"] == recipient)


async def stands(node: NodeService, bulletin: bytes, state: str, recipient: str = KH) -> Json:
    """Wait until a recipient stands so."""
    await eventually(lambda: row(node, bulletin, recipient)["state"] == state)
    return row(node, bulletin, recipient)


def settings(bridge: Bridge, agency: str, text: str) -> None:
    """What the node's keeper has set."""
    path = bridge.place / agency / "node" / "settings.json"
    path.write_text('{"saphan": "settings/1", ' + text + "}")
    path.chmod(0o600)
