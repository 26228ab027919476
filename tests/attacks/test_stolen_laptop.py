"""An officer's laptop is stolen. Half of the officer's key lies on a token in their pocket.

Each thief has one thing more than the one before; the tokens are SoftHSM's, the nodes are real.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest
from saphan.desk.desk import Desk, open_desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine, connected
from saphan.desk.outbox import Outbox
from saphan.desk.start import start_desk
from saphan.keys.keyfiles import SecretKey, new_token_key, read_key, write_sealed
from saphan.keys.passphrase import Passphrase
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Role
from support.bridge import CHEAP, LA, SECRET, Bridge, eventually, states, wish
from support.desk_letters import kept_here, letter
from support.desks import DeskBridge, desk_bridge
from support.softhsm import Tokens, drawer


@dataclass
class Theft:
    """A running bridge; dao's desk at kh.gpo, with a bulletin that was read there."""

    world: DeskBridge
    tokens: Tokens
    folder: DeskFolder
    read: bytes

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Desk]:
        """The desk, for whoever has folder and passphrase; signing is another matter."""
        clock, access = self.world.bridge.clock, self.tokens.access()
        opening = open_desk(self.folder, SECRET, clock, access)
        desk = await asyncio.to_thread(opening.__enter__)
        try:
            yield desk
        finally:
            await asyncio.to_thread(opening.__exit__, None, None, None)

    @asynccontextmanager
    async def online(self, key: SigningKey | None = None) -> AsyncIterator[tuple[Desk, DeskLine]]:
        """The desk on its line, with `key` in place of its own."""
        async with self.opened() as desk:
            at = desk if key is None else replace(desk, key=key)
            if key is None and desk.held is not None:
                await asyncio.to_thread(desk.held.open)
            async with connected(at.me, at.key, at.clock) as line:
                yield at, line

    async def refused(self, key: SigningKey | None = None) -> str:
        """The code with which the thief's login ends."""
        with pytest.raises(SaphanError) as refusal:
            async with self.online(key):
                pass
        return refusal.value.code

    def secret(self) -> SecretKey:
        """What the file holds, for whoever has the passphrase; blocking."""
        return read_key(self.folder.key_file, Role.OFFICER, SECRET, self.tokens.access())


@pytest.fixture
async def theft(bridge: Bridge, tmp_path: Path) -> AsyncIterator[Theft]:
    tokens = await asyncio.to_thread(drawer, tmp_path / "drawer", "desk")
    with tokens.here():
        async with desk_bridge(bridge) as world:
            folder = DeskFolder(bridge.place / "desk")
            await started(world, folder, tokens)
            made = Theft(world, tokens, folder, await world.la.send(wish()))
            await eventually(lambda: states(world.la, made.read) == ["accepted"])
            async with made.online() as (desk, line):
                await Inbox(desk).pull(line)
                await asyncio.to_thread(Inbox(desk).keep, await Inbox(desk).read(line, made.read))
            yield made


async def started(world: DeskBridge, folder: DeskFolder, tokens: Tokens) -> None:
    invitation = await asyncio.to_thread(world.invitation)
    now, access = world.bridge.clock(), tokens.access("desk")
    made = await asyncio.to_thread(
        lambda: start_desk(
            folder, invitation, SECRET, now=now, handle="dao", cost=CHEAP, access=access
        )
    )
    assert made.request is not None
    await world.enrol(made.request)
    tokens.forget()  # the next command is a process of its own


async def test_he_has_the_disk(theft: Theft) -> None:
    """Without the passphrase nothing opens, and nothing of the key is on the disk in clear."""
    with pytest.raises(SaphanError) as refusal:
        await asyncio.to_thread(
            lambda: read_key(theft.folder.key_file, Role.OFFICER, Passphrase("a guess of a test"))
        )
    assert refusal.value.code == "passphrase_wrong"
    seed = (await asyncio.to_thread(theft.secret)).seed
    disk = [path.read_bytes() for path in theft.folder.folder.rglob("*") if path.is_file()]
    assert not any(seed in data or seed.hex().encode() in data for data in disk)


async def test_he_has_seen_the_passphrase_too(theft: Theft) -> None:
    """What was read there he reads. He signs nothing: no login, no bulletin, no reading."""
    await asyncio.to_thread(theft.tokens.pull)
    theft.tokens.forget()
    try:
        assert await theft.refused() == "pkcs11_token_missing"
        async with theft.opened() as desk:
            seen = await asyncio.to_thread(Inbox(desk).opened, theft.read.hex())
            assert seen is not None
            with pytest.raises(SaphanError, match="pkcs11_token_missing"):
                await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})
            assert await asyncio.to_thread(Outbox(desk).all) == []
    finally:
        await asyncio.to_thread(theft.tokens.put_back)
    assert kept_here(theft.world) == []


async def test_he_puts_in_a_token_of_his_own(theft: Theft, tmp_path: Path) -> None:
    """He knows the passphrase, so he seals a file that names his token; its half is another one."""
    own = await asyncio.to_thread(drawer, tmp_path / "his drawer", "desk")
    with own.here():
        his = await asyncio.to_thread(new_token_key, "dao", own.access("desk"))
        stolen = await asyncio.to_thread(theft.secret)
        # With the officer's public key over it, his program stops him.
        mixed = replace(stolen, token=his.token)
        await asyncio.to_thread(reseal, theft.folder.key_file, mixed)
        async with theft.opened() as desk:
            with pytest.raises(SaphanError, match="pkcs11_key_differs"):
                await asyncio.to_thread(desk.key.sign, b"")
        # A program of his own does not; the node does.
        assert his.held is not None
        forged = SigningKey.with_signer(Role.OFFICER, stolen.seed, his.held, stolen.public[1952:])
        assert forged.key_id == stolen.key_id
        assert await theft.refused(forged) == "signature_invalid"
        # With the public key of both halves that he has, it is a key that nobody enrolled.
        honest = SigningKey.with_signer(Role.OFFICER, stolen.seed, his.held, his.public[1952:])
        assert await theft.refused(honest) == "key_unknown"
    theft.tokens.forget()


async def test_he_has_the_token_and_its_pin_but_not_the_passphrase(theft: Theft) -> None:
    stolen = await asyncio.to_thread(theft.secret)
    assert stolen.held is not None
    forged = SigningKey.with_signer(
        Role.OFFICER, bytes(range(32)), stolen.held, stolen.public[1952:]
    )
    forged.key_id = stolen.key_id  # a program of his own says what it likes
    await asyncio.to_thread(stolen.held.open)
    assert await theft.refused(forged) == "signature_invalid"


async def test_he_guesses_the_pin(theft: Theft) -> None:
    """Each wrong one is a try at the token; no command of ours makes two of it."""
    for guess in ("000000", "123456"):
        await asyncio.to_thread(theft.tokens.write_pin, guess)
        theft.tokens.forget()
        assert await theft.refused() == "pkcs11_pin_wrong"
    assert kept_here(theft.world) == []


async def test_he_has_everything_until_the_key_is_revoked(theft: Theft) -> None:
    """That is the limit: until then he is the officer. Then his session ends, nothing opens one
    again, and what he signed in time but did not send stays with him."""
    world = theft.world
    copy = DeskFolder(theft.folder.folder.with_name("copy"))
    await asyncio.to_thread(shutil.copytree, theft.folder.folder, copy.folder)
    thief = replace(theft, folder=copy)
    async with thief.online() as (desk, line):
        await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})
        assert await Outbox(desk).send(line) == []
        (sent,) = kept_here(world)
        await eventually(lambda: states(world.kh, sent) == ["accepted"])
        late = await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})
        await world.revoke(desk.key.key_id)
        with pytest.raises(SaphanError, match="key_revoked"):
            await listen(line)
        assert await asyncio.to_thread(Outbox(desk).waits, late.number)
    assert await thief.refused() == "key_revoked"
    assert kept_here(world) == [sent]


async def listen(line: DeskLine) -> NoReturn:
    """Take all news, until the line ends."""
    while True:
        await line.news()


def reseal(path: Path, key: SecretKey) -> None:
    path.unlink()
    write_sealed(path, key, SECRET, CHEAP)
