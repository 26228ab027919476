"""What waits for a second officer, while who may see it, or open it, changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest
from saphan.node.prepared import Waiting
from saphan.node.service import NodeService
from saphan.second_signature import exact_of
from saphan_protocol.identity import CONTENT_TYPE, identity
from saphan_schemas.codec import decode, decode_content, encode, encode_content
from saphan_schemas.errors import InvalidInput, OperatorError, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob, Inner
from support import officers
from support.bridge import LA, OFFICERS, Bridge, agreed, opened, wish
from support.desks import ready_bridge
from support.officers import Person

RED, GREEN = {"clearance": "red"}, {"clearance": "green"}


@dataclass
class World:
    """la.ospp, where everything needs two officers."""

    la: NodeService
    bounmy: Person
    chan: Person
    lim: Person


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@asynccontextmanager
async def world(bridge: Bridge) -> AsyncIterator[World]:
    async with bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        await agreed(la)
        bounmy = await officers.first(bridge, la, OFFICERS[LA])
        chan = await officers.enrolled(bridge, la, "chan")
        lim = await officers.enrolled(bridge, la, "lim")
        await officers.settings(bridge, la, four_eyes=[{}])
        yield World(la, bounmy, chan, lim)


async def test_a_lowered_author_hears_that_it_waits_or_has_left(bridge: Bridge) -> None:
    """A refusal would make a draft of it at their desk, and they would send it twice."""
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        await here.la.send_signed(written)
        low = {"*": RED, "bounmy": GREEN}
        await officers.settings(bridge, here.la, four_eyes=[{}], officers=low)
        assert await here.la.send_signed(written) == Waiting(written.draft.header_id)
        with pytest.raises(Refused, match="above_clearance"):
            await here.la.send_signed(here.bounmy.prepare(wish()))
        await officers.settings(bridge, here.la, four_eyes=[{}])
        bulletin = await here.chan.sign(written.draft.header_id)
        await officers.settings(bridge, here.la, officers=low)
        assert await here.la.send_signed(written) == bulletin


async def test_what_left_before_a_clearance_was_lowered_is_not_refused(bridge: Bridge) -> None:
    async with world(bridge) as here:
        await officers.settings(bridge, here.la)
        written = here.bounmy.prepare(wish())
        bulletin = await here.la.send_signed(written)
        await officers.settings(bridge, here.la, officers={"bounmy": GREEN})
        assert await here.la.send_signed(written) == bulletin


async def test_only_who_has_signed_is_told_under_which_id_it_left(bridge: Bridge) -> None:
    async with world(bridge) as here:
        draft = await here.bounmy.write(wish())
        exact = await here.chan.open(draft)
        late = encode(here.lim.signer.second(exact))
        second = encode(here.chan.signer.second(exact))
        bulletin = await here.la.second.sign(draft, second)
        assert await here.la.second.sign(draft, second) == bulletin
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await here.la.second.sign(draft, late)


async def test_what_does_not_concern_an_officer_is_no_candidate(bridge: Bridge) -> None:
    """Neither unknown in other words, nor ambiguous."""
    async with world(bridge) as here:
        await officers.settings(bridge, here.la, four_eyes=[{}], officers={"*": RED, "lim": GREEN})
        draft = await here.bounmy.write(wish())
        start = draft.hex()[:8]
        assert await here.la.second.resolve(start, "chan") == draft
        assert await here.la.second.resolve(start) == draft
        with pytest.raises(InvalidInput) as hidden:
            await here.la.second.resolve(start, "lim")
        with pytest.raises(InvalidInput) as missing:
            await here.la.second.resolve("00000000", "lim")
        assert str(hidden.value) == str(missing.value)


async def test_one_whose_archive_key_is_gone_stops_nobody(bridge: Bridge) -> None:
    """Its day's key was destroyed, or not restored: everything else goes on waiting; it ends at
    its own deadline, and makes no key for a day that was destroyed."""
    async with world(bridge) as here:
        gone = here.bounmy.prepare(
            wish(
                expires=bridge.node_clock() + 3_600_000,
                retain_until=bridge.node_clock() // 86_400_000 + 2,
            )
        )
        await here.la.send_signed(gone)
        good = await here.bounmy.write(wish())
        key = here.la.config.data / "archive-keys" / str(gone.draft.header.retain_until)
        await asyncio.to_thread(key.unlink)
        here.la.archive._ciphers.clear()  # what a restart does
        assert [row["id"] for row in await here.chan.listed()] == [good.hex()]
        assert len(await here.la.second.listed(None)) == 2
        with pytest.raises(InvalidInput, match="countersign_unknown"):
            await here.chan.open(gone.draft.header_id)
        with pytest.raises(OperatorError, match="archive_key_gone"):
            await here.la.send_signed(gone)
        bridge.node_clock.ahead += 3_600_001
        assert [row["id"] for row in await here.chan.listed()] == [good.hex()]
        with pytest.raises(Refused, match="countersign_expired"):
            await here.la.send_signed(gone)
        assert not key.exists()


async def test_a_node_that_lies_of_a_files_name_gets_no_signature(bridge: Bridge) -> None:
    """All digests fit; the file would be saved elsewhere than the officer has said."""
    async with world(bridge) as here:
        written = here.bounmy.prepare(wish())
        content = decode_content(written.draft.content, LIMITS.content_bytes)
        content["attachments"] = [
            {"name": "../../.profile.pdf", "media_type": "application/pdf", "role": "other"}
        ]
        said = encode_content(content)
        inner = msgspec.structs.replace(
            decode(Inner, written.inner, 4096, "inner"),
            content=identity(CONTENT_TYPE, said),
            attachments=(Blob(9, bytes(32)),),
        )
        exact = {"header": written.draft.header_bytes, "inner": encode(inner), "content": said}
        answer = {"exact": {name: officers.text(data) for name, data in exact.items()}}
        with pytest.raises(OperatorError, match="node_answer"):
            exact_of(answer, written.draft.header_id)
