"""Desks for tests, enrolled at a real node that serves them."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from saphan.desk.desk import Desk, open_desk
from saphan.desk.folder import DeskFolder
from saphan.desk.invitation import DeskInvitation
from saphan.desk.inviting import invite
from saphan.desk.line import DeskLine, connected
from saphan.desk.start import start_desk
from saphan.desk.uptime import Uptime, system_uptime
from saphan.keyring import enrol_request, revoke_key
from saphan.keys.passphrase import Passphrase
from saphan.node.service import NodeService
from saphan.officer_request import parse_request

from support.bridge import CHEAP, KH, LA, SECRET, Bridge, agreed, eventually, opened

ANYWHERE = ("127.0.0.1", 0)


@asynccontextmanager
async def ready_bridge() -> AsyncIterator[Bridge]:
    """A bridge whose two agencies are enrolled and agreed.

    It has copies of the folders of this process's first one: a test pays for files, not for keys.
    """
    template = await _template()
    bridge = Bridge(template.place)
    await asyncio.to_thread(bridge.copy, template)
    try:
        yield bridge
    finally:
        await asyncio.to_thread(bridge.remove)


_templates: list[Bridge] = []


async def _template() -> Bridge:
    if not _templates:
        made = Bridge(Path())
        atexit.register(made.remove)
        await asyncio.to_thread(made.prepare)
        async with made.broker_running():
            await made.enrol()
        _templates.append(made)
    return _templates[0]


@dataclass
class DeskBridge:
    """A running bridge whose kh.gpo serves desks."""

    bridge: Bridge
    la: NodeService
    kh: NodeService
    made: int = field(default=0)

    @property
    def address(self) -> str:
        """Where kh.gpo's node serves desks."""
        return "{}:{}".format(*self.kh.listening["desks"])

    def invitation(self) -> DeskInvitation:
        """A fresh invitation; blocking."""
        return invite(self.bridge.offices[KH], self.address, self.bridge.clock())

    async def desk(self, handle: str = "dao", *, enrolled: bool = True) -> DeskFolder:
        """A desk that kh.gpo's node knows, in a folder of its own."""
        self.made += 1
        folder = DeskFolder(self.bridge.place / f"desk-{self.made}")
        return await self.start(folder, handle, enrolled=enrolled)

    async def start(
        self, folder: DeskFolder, handle: str | None, *, enrolled: bool = True
    ) -> DeskFolder:
        """Make the desk, or invite it again; enrol the key of its request."""
        invitation = await asyncio.to_thread(self.invitation)
        clock = self.bridge.clock
        made = await asyncio.to_thread(
            lambda: start_desk(folder, invitation, SECRET, now=clock(), handle=handle, cost=CHEAP)
        )
        if enrolled:
            assert made.request is not None
            await self.enrol(made.request)
        return folder

    async def enrol(self, request: Path) -> None:
        """`saphan keys add officer --request` and `saphan keys submit`."""
        parsed = parse_request(await asyncio.to_thread(request.read_bytes))
        office = self.bridge.offices[KH]
        done = await asyncio.to_thread(enrol_request, office, parsed, SECRET)
        await self._submit(done.operation)
        await eventually(lambda: self.kh.logs.directory.find(parsed.key_id))

    async def revoke(self, key: bytes) -> None:
        """`saphan keys revoke` and `saphan keys submit`."""
        office, now = self.bridge.offices[KH], self.bridge.clock()
        done = await asyncio.to_thread(lambda: revoke_key(office, key, SECRET, now=now))
        await self._submit(done.operation)

    def revoked(self, key: bytes) -> bool:
        """Whether kh.gpo's node has heard that this key is revoked."""
        info = self.kh.logs.directory.find(key)
        return info is not None and info.revoked is not None

    async def _submit(self, operation: Path) -> None:
        signed = await asyncio.to_thread(operation.read_bytes)
        result = await self.kh.line.register(signed, None)
        assert result.code is None, result


@asynccontextmanager
async def desk_bridge(
    bridge: Bridge, *, desks: tuple[str, int] = ANYWHERE
) -> AsyncIterator[DeskBridge]:
    """Broker and both nodes of a `ready_bridge` run; kh.gpo serves desks."""
    async with (
        bridge.broker_running(),
        bridge.node_with_api(LA) as la,
        bridge.node_with_api(KH, desks=desks) as kh,
    ):
        await agreed(la)
        await agreed(kh)
        await opened(kh)
        yield DeskBridge(bridge, la, kh)


@asynccontextmanager
async def at(
    folder: DeskFolder,
    bridge: Bridge,
    *,
    ahead: int = 0,
    passphrase: str | None = None,
    uptime: Uptime = system_uptime,
) -> AsyncIterator[Desk]:
    """The open desk; its clock is `ahead` ms."""
    secret = SECRET if passphrase is None else Passphrase(passphrase)
    opening = open_desk(folder, secret, lambda: bridge.clock() + ahead, uptime=uptime)
    desk = await asyncio.to_thread(opening.__enter__)
    try:
        yield desk
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)


@asynccontextmanager
async def on_line(
    folder: DeskFolder,
    bridge: Bridge,
    *,
    address: str | None = None,
    ahead: int = 0,
    uptime: Uptime = system_uptime,
) -> AsyncIterator[tuple[Desk, DeskLine]]:
    """The open desk, logged in; `address`: of a relay before the node."""
    async with at(folder, bridge, ahead=ahead, uptime=uptime) as desk:
        me = desk.me if address is None else replace(desk.me, address=address)
        async with connected(me, desk.key, desk.clock) as line:
            yield desk, line


def everything(folder: Path) -> bytes:
    """All bytes and names that a thief of the folder holds."""
    found = [os.fsencode(path.name) for path in folder.rglob("*")]
    found += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(found)
