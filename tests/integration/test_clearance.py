"""Clearance binds showing, reading, attachments and sending; what an officer was shown is a record.

Every showing below is through the parts that answer desks and the local API.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from saphan.desk.inbox import Inbox
from saphan.node.service import NodeService
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Marking
from support import officers
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, eventually, opened, states, wish
from support.desks import desk_bridge, on_line, ready_bridge
from support.officers import Person

GREEN, AMBER = Marking("green", ("H1",)), Marking("amber", ("H1",))
Json = dict[str, Any]


@dataclass
class World:
    """la.ospp sends; sokha reads at kh.gpo."""

    bridge: Bridge
    la: NodeService
    kh: NodeService
    sokha: Person

    async def sent(self, marking: Marking, name: str = "case_statistics") -> bytes:
        """A bulletin that kh.gpo has accepted."""
        bulletin = await self.la.send(wish(name=name, marking=marking))
        await accepted(self.la, bulletin)
        return bulletin

    async def may(self, **found: Any) -> None:
        await officers.settings(self.bridge, self.kh, **found)


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@asynccontextmanager
async def world(bridge: Bridge) -> AsyncIterator[World]:
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        for node in (la, kh):
            await opened(node)
            await agreed(node)
        yield World(bridge, la, kh, await officers.first(bridge, kh, OFFICERS[KH]))


async def accepted(la: NodeService, bulletin: bytes) -> None:
    """Wait until its one recipient has accepted it."""
    await eventually(lambda: states(la, bulletin) == ["accepted"])


def shown(kh: NodeService, handle: str) -> list[bytes]:
    """What of the inbox an officer is shown."""
    viewer = kh.clearance.viewer(handle)
    found = (bytes.fromhex(row["id"]) for row in kh.bulletins.inbox(0, 100))
    return [bulletin for bulletin in found if viewer.shows(bulletin)]


async def test_an_officer_above_clearance_is_shown_nothing_of_it(bridge: Bridge) -> None:
    """Timeline: green and amber come; cleared for green; the amber one was read before."""
    async with world(bridge) as here:
        green, amber = await here.sent(GREEN), await here.sent(AMBER)
        await here.sokha.read(amber)
        await here.may(officers={"sokha": {"clearance": "green"}})
        assert shown(here.kh, "sokha") == [green]
        with pytest.raises(InvalidInput, match="bulletin_unknown"):
            await here.sokha.read(amber)
        with pytest.raises(InvalidInput, match="bulletin_unknown"):
            await here.kh.attachment(amber, 1, None, "sokha")
        assert (await here.sokha.read(green))["id"] == green.hex()
        await here.may(officers={"sokha": {"clearance": "amber"}})
        assert shown(here.kh, "sokha") == [green, amber]


async def test_an_officer_sends_nothing_above_clearance(bridge: Bridge) -> None:
    async with world(bridge) as here:
        answer = wish(LA, marking=AMBER)
        await here.may(officers={"sokha": {"clearance": "green"}})
        with pytest.raises(Refused, match="above_clearance"):
            await here.sokha.send(answer)
        assert await here.sokha.send(wish(LA, marking=GREEN))
        seizures = {"seizures": {"schemas": ["saphan/drug_seizure/1"]}}
        cleared = {"sokha": {"clearance": "amber", "sections": ["seizures"]}}
        await here.may(officers=cleared, sections=seizures)
        with pytest.raises(Refused, match="section_foreign"):
            await here.sokha.send(answer)
        assert await here.sokha.send(wish(LA, name="drug_seizure", marking=AMBER))
        assert len(here.kh.bulletins.sent(0, 10)) == 2


async def test_a_former_officer_reads_nothing_new(bridge: Bridge) -> None:
    async with world(bridge) as here:
        before = await here.sent(GREEN)
        await here.sokha.read(before)
        await officers.enrolled(bridge, here.kh, "dao")
        await here.sokha.leave()
        after = await here.sent(GREEN)
        assert shown(here.kh, "sokha") == []
        assert shown(here.kh, "dao") == [after]
        for bulletin in (before, after):
            with pytest.raises(Refused, match="key_revoked"):
                await here.sokha.read(bulletin)
        with pytest.raises(InvalidInput, match="bulletin_unknown"):
            await here.kh.attachment(before, 1, None, "sokha")
        with pytest.raises(Refused, match="author_revoked"):
            await here.sokha.send(wish(LA))


async def test_a_new_officer_is_shown_the_past_by_a_rule_alone(bridge: Bridge) -> None:
    """Older and newer than the officer is told by the directory log, not by clocks."""
    async with world(bridge) as here:
        old = await here.sent(GREEN)
        dao = await officers.enrolled(bridge, here.kh, "dao")
        bridge.clock.ahead -= 30_000
        new = await here.sent(GREEN)
        assert shown(here.kh, "dao") == [new]
        with pytest.raises(InvalidInput, match="bulletin_unknown"):
            await dao.read(old)
        assert shown(here.kh, "sokha") == [old, new]
        await here.may(rules=[{"officers": ["*"]}, {"officers": ["dao"], "past": True}])
        assert shown(here.kh, "dao") == [old, new]
        assert (await dao.read(old))["id"] == old.hex()
        assert here.kh.clearance.shown_to(old) == ["dao", "sokha"]


async def test_another_key_makes_nobody_new(bridge: Bridge) -> None:
    """A desk was stolen: its key is revoked first, then the officer has a new one."""
    async with world(bridge) as here:
        dao = await officers.enrolled(bridge, here.kh, "dao")
        old = await here.sent(GREEN)
        await dao.leave()
        assert shown(here.kh, "dao") == []
        again = await officers.enrolled(bridge, here.kh, "dao")
        assert shown(here.kh, "dao") == [old]
        assert (await again.read(old))["id"] == old.hex()
        with pytest.raises(Refused, match="key_revoked"):
            await dao.read(old)


async def test_every_reading_is_a_record_and_every_showing_of_a_day(bridge: Bridge) -> None:
    async with world(bridge) as here:
        bulletin = await here.sent(GREEN)
        records = here.kh.showings
        for _ in range(3):
            records.note("sokha", "listed", [bulletin])
        record, signature = here.sokha.signer.reading(bulletin)
        for _ in range(2):
            await here.kh.read(bulletin, record, encode(signature))  # the answer was not heard
        bridge.node_clock.ahead += 1
        await here.sokha.read(bulletin)
        found = [(one["kind"], one["record"]) for one in records.rows(0, 10)]
        assert [kind for kind, _ in found] == ["listed", "read", "read"]
        assert found[1][1] == record.hex()
        bridge.node_clock.ahead += DAY_MS
        records.note("sokha", "listed", [bulletin])
        assert [one["kind"] for one in records.rows(0, 10)][-1] == "listed"
        assert len(records.rows(0, 10, handle="sokha", bulletins=[bulletin])) == 4
        assert records.rows(0, 10, handle="dao") == []
        assert len(records.rows(2, 1)) == 1
        stated = here.kh.db.rows("SELECT 1 FROM statements WHERE event = 'read'")
        assert len(stated) == 1  # the log hears of one reading, whoever read after it


async def test_what_waits_for_a_second_officer_has_its_attachments(bridge: Bridge) -> None:
    """Timeline: written with a file; the node starts anew; opened, fetched, signed; sent on."""
    data = b"%PDF-1.7 " + bytes(9_000)
    digest = hashlib.sha256(data).digest()
    file = officers.file("a.pdf", data)
    async with bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        await agreed(la)
        bounmy = await officers.first(bridge, la, OFFICERS[LA])
        chan = await officers.enrolled(bridge, la, "chan")
        await officers.settings(bridge, la, four_eyes=[{}])
        await asyncio.to_thread(_upload, la, data, digest)
        draft = await bounmy.write(wish(attachments=(file,)))
        with pytest.raises(Refused, match="countersign_unread"):
            await la.second.attachment("chan", draft, 1)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await agreed(kh)
        chan = Person(bridge, la, "chan", chan.key)
        exact = await chan.open(draft)
        assert [one["name"] for one in exact.attachments] == ["a.pdf"]
        seen = await la.second.attachment("chan", draft, 1)
        assert b"".join(seen.pieces()) == data
        with pytest.raises(InvalidInput, match="attachment_unknown"):
            await la.second.attachment("chan", draft, 2)
        bulletin = await chan.sign(draft)
        await accepted(la, bulletin)
        kh.readings.system(bulletin)
        assert b"".join(kh.readings.attachment(bulletin, 1).pieces()) == data
        names = [path.name for path in (la.config.blobs / "out").iterdir()]
        assert names == [bulletin.hex()]


def _upload(node: NodeService, data: bytes, digest: bytes) -> None:
    upload = node.uploads.begin(digest, 0, len(data))
    assert upload is not None
    upload.append(data)
    assert upload.finish()
    upload.close()


async def test_a_desk_is_shown_what_clearance_allows_and_it_is_on_record(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as here:
        folder = await here.desk("dao")
        found = []
        for marking in (GREEN, AMBER):
            bulletin = await here.la.send(wish(marking=marking))
            await accepted(here.la, bulletin)
            found.append(bulletin)
        green, amber = found
        await officers.settings(bridge, here.kh, officers={"dao": {"clearance": "green",
                                                                 "languages": ["km"]}})  # fmt: skip
        async with on_line(folder, bridge) as (desk, line):
            inbox = Inbox(desk)
            assert [row["id"] for row in await inbox.pull(line)] == [green.hex()]
            for ask in (inbox.status(line, amber.hex()), inbox.read(line, amber)):
                with pytest.raises(InvalidInput, match="bulletin_unknown"):
                    await ask
            assert (await inbox.read(line, green))["languages"] == ["km"]
            await inbox.status(line, green.hex())
        rows = here.kh.showings.rows(0, 10)
        assert {(one["officer"], one["kind"], one["id"]) for one in rows} == {
            ("dao", "listed", green.hex()),
            ("dao", "read", green.hex()),
            ("dao", "status", green.hex()),
        }
