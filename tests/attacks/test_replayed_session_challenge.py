"""Somebody has recorded how a node, or a desk, proved who it is, and plays it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from saphan.desk.line import connected
from saphan_protocol.batch import sign_one
from saphan_protocol.pins import Pins
from saphan_schemas.codec import encode
from saphan_schemas.desk_frames import (
    DESK_SESSION_TYPE,
    DeskChallenge,
    DeskLogin,
    desk_session_context,
)
from saphan_schemas.frames import Challenge, Login, session_context
from support.agency import Agency
from support.bridge import LA, Bridge
from support.brokers import World
from support.desks import at, desk_bridge
from support.raw_desk import raw_desk
from support.session import Line

HIS_CERTIFICATE = bytes(range(32))


class Listening(Line):
    """la.ospp's genuine line, and somebody who writes down what it says."""

    heard: list[tuple[Challenge, Login]]

    def login(self, asked: Challenge) -> Login:
        made = super().login(asked)
        self.heard = [(asked, made)]
        return made


class Replaying(Line):
    """He holds no key; he says what he has heard, with what he may choose himself changed."""

    def __init__(
        self,
        agency: Agency,
        pins: Pins,
        clock: Callable[[], int],
        heard: Login,
        change: Callable[[Challenge, Login], Login],
    ) -> None:
        super().__init__(agency, pins, clock, True)
        self._heard, self._change = heard, change

    def login(self, asked: Challenge) -> Login:
        return self._change(asked, self._heard)


async def recorded(world: World) -> tuple[Challenge, Login]:
    """A session that la.ospp's node really opens."""
    line = Listening(world.agencies[LA], world.pins, world.clock, True)
    await line.connect(world.url)
    assert line.token
    await line.close()
    return line.heard[0]


CHANGES: dict[str, Callable[[Challenge, Login], dict[str, Any]]] = {
    "as it was": lambda asked, _: {},
    "with the fresh challenge for its nonce": lambda asked, _: {"nonce": asked.nonce},
    "without the heads": lambda asked, _: {"heads": ()},
}


@pytest.mark.parametrize("how", list(CHANGES))
async def test_a_recorded_login_is_played_to_the_broker_again(world: World, how: str) -> None:
    _, heard = await recorded(world)

    def change(asked: Challenge, login: Login) -> Login:
        return msgspec.structs.replace(login, **CHANGES[how](asked, login))

    thief = Replaying(world.agencies[LA], world.pins, world.clock, heard, change)
    await thief.connect(world.url)
    assert thief.closing is not None
    assert thief.closing.code == "signature_invalid"
    assert not thief.token
    await thief.close()


async def test_two_challenges_are_never_the_same(world: World) -> None:
    """Whoever could make the broker ask the same again could answer from his notes."""
    first, second = await recorded(world), await recorded(world)
    assert first[0].nonce != second[0].nonce
    assert first[1].nonce != second[1].nonce


@pytest.mark.parametrize(
    ("shown", "rewritten", "code"),
    (
        ({"evidence": "corrupt.example/evidence/1"}, {}, "signature_invalid"),
        ({}, {"tls": HIS_CERTIFICATE}, "tls_differs"),
        ({}, {"tls": None}, "signature_invalid"),
    ),
)
async def test_a_false_broker_passes_the_true_ones_challenge_on(
    world: World, shown: dict[str, Any], rewritten: dict[str, Any], code: str
) -> None:
    """The node answers him, and he answers the true broker: the answer names his log, or his
    certificate, and he cannot rewrite it."""
    agency = world.agencies[LA]

    def relayed(asked: Challenge, heard: Login) -> Login:
        his = msgspec.structs.replace(asked, **shown)
        tls = None if shown else HIS_CERTIFICATE
        context = session_context(his.evidence, his.nonce, heard.nonce, tls, None)
        body, salt = encode(context), agency.random()
        signature = sign_one(agency.node, "saphan/session/1", body, salt)
        made = {"heads": (), "after": None, "leaves": 0, "signature": signature}
        return msgspec.structs.replace(heard, **made, **rewritten)

    _, heard = await recorded(world)
    thief = Replaying(agency, world.pins, world.clock, heard, relayed)
    await thief.connect(world.url)
    assert thief.closing is not None
    assert thief.closing.code == code
    await thief.close()


async def test_a_recorded_desk_login_is_played_to_the_node_again(bridge: Bridge) -> None:
    """The line was recorded where its encryption ended, at a false node with a stolen TLS key."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk:
            async with raw_desk(world.address) as first:
                asked = await first.challenge()
                login = _desk_login(asked, desk.key, desk.clock(), first.tls)
                await first.say(login)
                assert (await first.welcome()).handle == "dao"
            async with raw_desk(world.address) as second:
                fresh: DeskChallenge = await second.challenge()
                assert fresh.nonce != asked.nonce
                await second.say(login)
                assert (await second.closing()).code == "signature_invalid"
            async with connected(desk.me, desk.key, desk.clock) as line:
                assert line.handle == "dao"


def _desk_login(asked: DeskChallenge, key: Any, clock: int, tls: bytes) -> DeskLogin:
    nonce = bytes(32)
    context = desk_session_context(asked.agency, asked.nonce, nonce, tls)
    signature = sign_one(key, DESK_SESSION_TYPE, encode(context), bytes(32))
    return DeskLogin(key=key.key_id, nonce=nonce, clock=clock, tls=tls, signature=signature)
