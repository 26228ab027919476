"""A desk's line that is cut anywhere: nothing twice, nothing lost, no content before its record."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final

import pytest
from saphan.desk.desk import Desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.desk_frames import (
    DESK_SESSION_TYPE,
    AskRead,
    DeskChallenge,
    DeskLogin,
    desk_session_context,
)
from saphan_schemas.errors import SaphanError, Unavailable
from support.bridge import LA, Bridge, eventually, states, wish
from support.cutting_relay import CuttingRelay, cutting_relay
from support.desk_letters import kept_here, letter
from support.desks import DeskBridge, at, desk_bridge, on_line, ready_bridge
from support.raw_desk import RawDesk, raw_desk

STEPS: Final = 8
"""Places of a cut in each direction, spread over the bytes of a whole visit."""


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


async def visit(desk: Desk, line: DeskLine, bulletin: bytes) -> None:
    """Everything that a desk does on its line."""
    await Outbox(desk).send(line)
    await Inbox(desk).pull(line)
    await Inbox(desk).status(line, bulletin.hex())
    content = await Inbox(desk).read(line, bulletin)
    await asyncio.to_thread(Inbox(desk).keep, content)


async def through(
    world: DeskBridge, folder: DeskFolder, relay: CuttingRelay, bulletin: bytes
) -> SaphanError | None:
    """A visit over the relay; why it ended early."""
    try:
        async with on_line(folder, world.bridge, address=relay.address) as (desk, line):
            await visit(desk, line, bulletin)
    except SaphanError as error:
        return error
    return None


async def test_a_cut_at_any_place_costs_nothing_but_the_visit(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world, relay_of(world) as relay:
        folder = await world.desk()
        sent = await world.la.send(wish())
        await eventually(lambda: states(world.la, sent) == ["accepted"])
        assert await through(world, folder, relay, sent) is None
        relay.carried = {"up": 0, "down": 0}  # what may be sent to whom came once
        assert await through(world, folder, relay, sent) is None
        whole = dict(relay.carried)
        for count, (way, limit) in enumerate(places(whole), start=1):
            await queue(world, folder)
            relay.carried = {"up": 0, "down": 0}
            relay.cut = {"up": None, "down": None, way: limit}
            error = await through(world, folder, relay, sent)
            assert isinstance(error, Unavailable), (way, limit, error)
            relay.cut = {"up": None, "down": None}
            assert await through(world, folder, relay, sent) is None
            # Sent exactly once, and the desk knows its id, wherever the cut fell.
            assert await desk_has_sent(world, folder) == kept_here(world)
            assert len(kept_here(world)) == count


def relay_of(world: DeskBridge) -> AbstractAsyncContextManager[CuttingRelay]:
    """A relay before kh.gpo's desks."""
    return cutting_relay(*world.kh.listening["desks"])


def places(whole: dict[str, int]) -> list[tuple[str, int]]:
    """(direction, bytes after which the line is cut)."""
    return [
        (way, (total - 600) * step // STEPS)
        for way, total in whole.items()
        for step in range(1, STEPS + 1)
    ]


async def queue(world: DeskBridge, folder: DeskFolder) -> None:
    async with at(folder, world.bridge) as desk:
        await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})


async def desk_has_sent(world: DeskBridge, folder: DeskFolder) -> list[bytes | None]:
    async with at(folder, world.bridge) as desk:
        return [one.bulletin for one in await asyncio.to_thread(Outbox(desk).all)]


async def test_the_record_is_at_the_node_before_the_content_is_at_the_desk(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world, relay_of(world) as relay:
        folder = await world.desk()
        sent = await world.la.send(wish())
        await eventually(lambda: states(world.la, sent) == ["accepted"])
        readings = "SELECT handle FROM readings WHERE bulletin = ?"
        async with on_line(folder, bridge, address=relay.address) as (desk, line):
            await Inbox(desk).pull(line)
            relay.cut["down"] = relay.carried["down"]  # no byte of an answer comes any more
            with pytest.raises(Unavailable, match="line_down"):
                await Inbox(desk).read(line, sent)
            assert await asyncio.to_thread(Inbox(desk).opened, sent.hex()) is None
        assert world.kh.db.rows(readings, (sent,)) == [("dao",)]
        # The other way round: without the record in the node nothing is answered.
        relay.cut["down"] = None
        again = await world.la.send(wish())
        await eventually(lambda: states(world.la, again) == ["accepted"])
        async with on_line(folder, bridge) as (desk, line):
            forged = AskRead(line.number(), again, b"\xc0", sign_one(desk.key, "x", b"", bytes(32)))
            with pytest.raises(SaphanError, match="malformed"):
                await line.ask(forged)
        assert world.kh.db.rows(readings, (again,)) == []


# --- somebody else on the line --------------------------------------------------------------------


async def test_a_login_cannot_be_said_again(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, raw_desk(world.address) as raw:
            asked = await raw.challenge()
            login = signed_login(desk, raw, asked)
            await raw.say(login)
            await raw.welcome()
        async with raw_desk(world.address) as raw:
            assert (await raw.challenge()).nonce != asked.nonce
            await raw.say(login)  # recorded from the line before
            assert (await raw.closing()).code == "signature_invalid"


async def test_a_login_for_another_certificate_is_refused(bridge: Bridge) -> None:
    """As it would be carried on by somebody between desk and node, with a certificate of theirs."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, raw_desk(world.address) as raw:
            login = signed_login(desk, raw, await raw.challenge(), tls=bytes(32))
            await raw.say(login)
            assert (await raw.closing()).code == "tls_differs"
        async with at(folder, bridge) as desk, raw_desk(world.address) as raw:
            other = signed_login(desk, raw, await raw.challenge(), tls=bytes(32))
            changed = DeskLogin(other.key, other.nonce, other.clock, raw.tls, other.signature)
            await raw.say(changed)
            assert (await raw.closing()).code == "signature_invalid"


def signed_login(
    desk: Desk, raw: RawDesk, asked: DeskChallenge, tls: bytes | None = None
) -> DeskLogin:
    seen = raw.tls if tls is None else tls
    context = encode(desk_session_context(asked.agency, asked.nonce, bytes(32), seen))
    signature = sign_one(desk.key, DESK_SESSION_TYPE, context, bytes(32))
    return DeskLogin(desk.key.key_id, bytes(32), desk.clock(), seen, signature)


async def test_noise_on_the_desks_port_ends_its_own_line_only(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            for noise in (b"", b"\xc1", b"\x90", b"\x91" * 1000, encode([2, b"", b""])):
                async with raw_desk(world.address) as raw:
                    await raw.challenge()
                    await raw.send(noise)
                    assert (await raw.closing()).code == "malformed"
            async with raw_desk(world.address) as raw:
                await raw.challenge()
                await raw.text("hello")
                assert (await raw.closing()).code == "malformed"
            assert await Inbox(desk).pull(line) == []


@pytest.mark.parametrize("begin", [b"", b"GET /v1/desk HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_that_asks_for_nothing_ends(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    """Each costs the node a file handle, and anybody on the network can open them."""
    monkeypatch.setattr("saphan.node.desks.listener.SILENCE_S", 0.3)
    async with desk_bridge(bridge) as world:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        host, port = world.kh.listening["desks"]
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        writer.write(begin)
        async with asyncio.timeout(20):
            assert await reader.read(1) == b""
        writer.close()


async def test_strangers_make_room_for_each_other(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        monkeypatch.setattr("saphan.node.desks.listener.STRANGERS", 2)
        async with raw_desk(world.address) as first, raw_desk(world.address) as second:
            await first.challenge()
            await second.challenge()
            async with on_line(folder, bridge) as (desk, line):
                assert await Inbox(desk).pull(line) == []
            with pytest.raises(Unavailable, match="line_down"):
                await first.closing()
