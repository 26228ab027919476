"""kh.gpo has revoked a key; the broker keeps it from la.ospp, so that it goes on being believed."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import pytest
from saphan.node.service import NodeService
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode
from saphan_schemas.records import Consignment, Role
from support.agency import seed
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.ceremony import revoke
from support.command import saphan_here
from support.corrupt import anchors_nothing, hides_the_directory_from, registers_nothing
from support.roster import alarmed, operate

MINUTES = 120_000


def revoked_mailbox(bridge: Bridge, kh: NodeService) -> tuple[bytes, bytes]:
    """kh.gpo's operation that revokes the mailbox others seal to now, and that key; blocking."""
    key = kh.logs.directory.mailbox(KH, bridge.clock()).key_id
    return operate(bridge, KH, [revoke(Role.MAILBOX, key)]), key


def sealed_to(la: NodeService, bulletin: bytes) -> set[bytes]:
    """Mailbox keys for which la.ospp's node has made stanzas."""
    rows = la.db.rows("SELECT body FROM consignments WHERE bulletin = ?", (bulletin,))
    made = [decode(Consignment, body, 4096, "consignment") for (body,) in rows]
    return {ref.mailbox_key for one in made for ref in one.recipients}


async def test_he_withholds_the_leaf(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next anchor names a directory that la.ospp's node does not hold: it judges nothing by
    the old one, hands nothing over, and says what is missing."""
    async with bridge.broker_running() as broker, bridge.node(KH) as kh:
        async with bridge.node(LA) as la:
            await agreed(la)
            await agreed(kh)
            hides_the_directory_from(LA, monkeypatch)
            signed, key = await asyncio.to_thread(revoked_mailbox, bridge, kh)
            await broker.admit_operation(signed)
            bulletin = await kh.send(wish(LA))
            await eventually(lambda: la.line.state.code == "directory_behind")
            assert states(la, bulletin) == []
            await eventually(lambda: states(kh, bulletin) == ["submitted"])
        rows = await broker.store.deliveries([(bulletin, LA)])
        assert rows[bulletin, LA].state == "submitted"
        monkeypatch.undo()
        async with bridge.node(LA) as la:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert key not in sealed_to(la, await la.send(wish()))


async def test_he_does_not_anchor_it(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then entries would be judged by the old directory. kh.gpo knows the new one, is a witness,
    and cosigns no head of that log any more: nothing in it is *witnessed* from then on."""
    async with bridge.broker_running() as broker, bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await agreed(kh)
        anchors_nothing(monkeypatch)
        signed, _ = await asyncio.to_thread(revoked_mailbox, bridge, kh)
        size = kh.logs.directory.size
        await broker.admit_operation(signed)
        await eventually(lambda: kh.logs.directory.size == size + 1)
        bridge.clock.ahead = bridge.node_clock.ahead = MINUTES
        bulletin = await kh.send(wish(LA))
        await eventually(partial(alarmed, kh, "anchor_lags"))
        newest = kh.logs.evidence_heads.newest
        assert newest is not None
        assert newest.size > await asyncio.to_thread(cosigned, bridge, KH)
        assert states(la, bulletin) == ["accepted"]  # la.ospp cannot know it; the auditor will


def cosigned(bridge: Bridge, agency: str) -> int:
    """Size of the evidence head that the agency's witness has signed last; blocking."""
    path = bridge.place / agency / "node/data/witness.json"
    logs = json.loads(path.read_text())["logs"] if path.exists() else {}
    return max((log["size"] for origin, log in logs.items() if "evidence" in origin), default=0)


async def test_he_hides_it_altogether_and_it_comes_by_hand(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`saphan revoke import`: from then on nothing is sealed to that key here, whatever the log
    shows, and after a restart too. What was not handed over is consigned anew."""
    registers_nothing(monkeypatch)
    async with bridge.broker_running():
        async with bridge.node(KH) as kh:
            await agreed(kh)
            signed, key = await asyncio.to_thread(revoked_mailbox, bridge, kh)
        async with bridge.node_with_api(LA) as la:
            await agreed(la)
            before = await la.send(wish())
            assert sealed_to(la, before) == {key}
            await eventually(lambda: states(la, before) == ["submitted"])
            file = bridge.place / "revocation.saphan"
            await asyncio.to_thread(file.write_bytes, signed)
            words = ("revoke", "import", file, "--dir", bridge.place / LA)
            await asyncio.to_thread(partial(saphan_here, *words))
            assert key not in sealed_to(la, await la.send(wish()))
            await eventually(lambda: len(sealed_to(la, before)) == 2)
        async with bridge.node(LA) as la:
            await agreed(la)
            assert key not in sealed_to(la, await la.send(wish()))
            async with bridge.node(KH):
                await eventually(lambda: states(la, before) == ["accepted"])


async def test_what_comes_by_hand_is_by_no_root_of_the_agency(bridge: Bridge) -> None:
    """Somebody hands la.ospp a revocation of kh.gpo's keys that kh.gpo never made."""
    his = SigningKey(Role.ROOT, seed("a partner's impostor", 64))
    async with bridge.broker_running(), bridge.node_with_api(LA) as la:
        await agreed(la)
        keys = la.logs.directory.keys(KH, Role.MAILBOX)
        forged = await asyncio.to_thread(
            lambda: operate(bridge, KH, [revoke(Role.MAILBOX, keys[0].key_id)], roots=[his])
        )
        file = bridge.place / "revocation.saphan"
        await asyncio.to_thread(file.write_bytes, forged)
        words = ("revoke", "import", file, "--dir", bridge.place / LA)
        ran = await asyncio.to_thread(partial(saphan_here, *words, status=3))
        assert ran.code == "operation_threshold"
        assert la.logs.directory.keys(KH, Role.MAILBOX) == keys
