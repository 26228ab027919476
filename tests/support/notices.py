"""An office whose node tells of bulletins, by a command that writes down what it was told."""

from __future__ import annotations

import json
from typing import Any

from saphan.node.service import NodeService
from saphan.node.telling.notices import noted

from support.bridge import KH, Bridge, agreed, wish

HOUR_MS = 60 * 60_000


class Office:
    """KH's folder with its settings, its notice command, and what the command was told."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.folder = bridge.place / KH / "node"
        self.told = bridge.place / "told"
        self.code = bridge.place / "code"
        self.command = bridge.place / "page"
        self.command.write_text(f"#!/bin/sh\ncat >> {self.told}\nexit $(cat {self.code})\n")
        self.command.chmod(0o700)
        self.ends_with(0)
        self.told.touch()

    def ends_with(self, code: int) -> None:
        staged = self.code.with_suffix(".new")
        staged.write_text(str(code))
        staged.replace(self.code)

    def set(self, *steps: tuple[float, str], **settings: Any) -> None:
        escalate = [{"share": share, "to": [handle]} for share, handle in steps]
        notice = {"command": [str(self.command)], "escalate": escalate}
        value = {"saphan": "settings/1", "notice": notice} | settings
        path = self.folder / "settings.json"
        path.write_text(json.dumps(value))
        path.chmod(0o600)

    def lines(self) -> list[dict[str, Any]]:
        """Everything the command was told, warnings of a deadline too."""
        return [json.loads(line) for line in self.told.read_text().splitlines()]

    def arrivals(self) -> list[dict[str, Any]]:
        """What it was told of bulletins that wait; a look at the deadlines says more, some time."""
        return [one for one in self.lines() if "warning" not in one]

    async def after(self, kh: NodeService, millis: int) -> None:
        """Some time later the node looks."""
        self.bridge.clock.ahead += millis
        self.bridge.node_clock.ahead += millis
        await kh.reread_settings()

    def states(self, kh: NodeService, bulletin: bytes) -> list[object]:
        return [one["state"] for one in noted(kh.db, bulletin)]


async def sent(office: Office, la: NodeService, **fields: Any) -> bytes:
    """A bulletin to KH that is to be answered within ten hours."""
    await agreed(la)
    now = office.bridge.clock()
    return await la.send(wish(expires=now + 20 * HOUR_MS, answer_by=now + 10 * HOUR_MS, **fields))
