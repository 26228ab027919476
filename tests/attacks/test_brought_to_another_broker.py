"""What was sent over one broker is brought to another one, which the same agencies use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import parse_vkey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Event
from support.bridge import KH, LA
from support.brokers import World
from support.session import Line


@pytest.fixture
async def other(world: World, tmp_path: Path) -> AsyncIterator[World]:
    """A second broker, which both agencies have joined with the same keys."""
    place = tmp_path / "other"
    place.mkdir()
    made = World(place, LA, KH)
    made.agencies = world.agencies
    await made.init()
    async with made.running():
        await made.enrol()
        yield made


async def test_a_bulletin_and_its_handover(world: World, other: World) -> None:
    """He has heard both, and has a session of his own at the other broker. What is signed there is
    the sender's, or the recipient's: nobody else brings it in."""
    la, kh = world.agencies[LA], world.agencies[KH]
    out, into = await world.line(LA), await world.line(KH)
    made = la.bulletin([KH], world.clock())
    submission = la.submissions([made], [kh])
    (result,) = await out.submit(*submission)
    assert result.code is None
    about = [(made.bulletin_id, made.ciphertext_digest)]
    handover = kh.statements(Event.HANDOVER, about, (LA, KH), world.clock())
    (result,) = await into.state(*handover)
    assert result.code is None

    thief, second = await other.line(KH), await other.line(LA)
    (result,) = await thief.submit(*submission)
    assert result.code == "sender_not_peer"
    for line, code in ((second, "sender_not_peer"), (thief, "bulletin_unknown")):
        (result,) = await line.state(*handover)
        assert result.code == code
    rows = await other.broker.store.deliveries([(made.bulletin_id, KH)])
    assert not rows


async def test_a_head(world: World, other: World) -> None:
    """A head names its log: as one of the other broker's it holds under no key."""
    line: Line = await world.line(LA)
    origin = world.pins.evidence.origin
    await line.until(lambda: origin in line.heads)
    head = line.heads[origin]
    assert origin == other.pins.evidence.origin  # the same name: only the keys differ
    first, second = (parse_vkey(vkey) for vkey in other.pins.evidence.vkeys)
    with pytest.raises(InvalidInput):
        verify_head(head.note, (first, second))
