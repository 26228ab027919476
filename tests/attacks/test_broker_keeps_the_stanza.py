"""The broker takes kh.gpo's signed handover, and keeps the stanza without which nothing opens.

What can be proven is asserted here, and what cannot: from what is signed and logged nobody can tell
it from a recipient who got the stanza and says nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace
from saphan.node.service import NodeService
from saphan_schemas.frames import Feed, Stanzas
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.mauling_line import MaulingLine, between


class Keeping:
    """Takes every stanza out of what kh.gpo is shown, as long as `on`."""

    def __init__(self, line: MaulingLine) -> None:
        self.line, self.on, self.kept = line, True, 0
        line.change = self

    def __call__(self, frame: Any) -> object:
        asyncio.get_running_loop().call_soon(setattr, self.line, "change", self)
        if not self.on:
            return None
        if isinstance(frame, Feed) and any(one.stanza for one in frame.entries):
            self.kept += 1
            bare = tuple(replace(one, stanza=None) for one in frame.entries)
            return replace(frame, entries=bare)
        if isinstance(frame, Stanzas):
            self.kept += 1
            return replace(frame, stanzas=tuple(None for _ in frame.stanzas))
        return None


def story(node: NodeService, bulletin: bytes) -> list[tuple[str, str]]:
    """(event, who says so) in the log's order."""
    found = node.bulletins.status(bulletin)["timeline"]
    return [(one["event"], one["issuer"]) for one in found]


def alarmed(node: NodeService) -> bool:
    return "stanza_missing" in {alarm.code for alarm in node.alarms.standing()}


async def test_the_handover_is_proven_and_who_dropped_the_key_is_not(bridge: Bridge) -> None:
    async with bridge.broker_running():
        async with bridge.node(LA) as la:
            await agreed(la)
            async with between(bridge, KH) as (line, kh):
                Keeping(line)
                bulletin = await la.send(wish())
                await eventually(lambda: states(la, bulletin) == ["handed_over"])
                await eventually(lambda: states(kh, bulletin) == ["handed_over"])
                await eventually(lambda: alarmed(kh))  # asked twice, and given nothing
                # Both sides hold the same two facts, the second one signed by kh.gpo's node.
                known = [("submitted", LA), ("handover", KH)]
                assert story(la, bulletin) == story(kh, bulletin) == known
                # kh.gpo has nothing to show an officer, and claims nothing either.
                assert kh.bulletins.inbox(0, 9) == []
                assert kh.db.row("SELECT wrapped FROM bulletins WHERE id = ?", (bulletin,)) == (
                    None,
                )
        # The recipient's node is gone, so it is "silent": the sender's story is the same to a word.
        async with bridge.node(LA) as la:
            await agreed(la)
            assert story(la, bulletin) == known


async def test_the_stanza_may_be_asked_for_again_and_again(bridge: Bridge) -> None:
    """The record is the release: any session of any node of kh.gpo may fetch it, and one honest
    answer ends the matter."""
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        async with between(bridge, KH) as (line, kh):
            keeping = Keeping(line)
            bulletin = await la.send(wish())
            await eventually(lambda: states(kh, bulletin) == ["handed_over"])
            await eventually(lambda: keeping.kept)
        keeping.on = False
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert not alarmed(kh)


async def test_a_stanza_that_was_lost_on_the_line_is_asked_for_at_once(bridge: Bridge) -> None:
    """Not in the next session alone: this one may last for weeks."""
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        async with between(bridge, KH) as (line, kh):

            def lost(frame: Any) -> object:
                if not isinstance(frame, Feed) or not any(one.stanza for one in frame.entries):
                    return None
                bare = tuple(replace(one, stanza=None) for one in frame.entries)
                return replace(frame, entries=bare)

            line.change = lost
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert line.done.is_set()
            assert not alarmed(kh)


async def test_a_false_stanza_is_no_way_out(bridge: Bridge) -> None:
    """Its digest is in what la.ospp signed: another one is not taken for it, and nothing is said
    that could be held against kh.gpo."""
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        async with between(bridge, KH) as (line, _kh):

            def false(frame: Any) -> object:
                if not isinstance(frame, Feed) or not any(e.stanza for e in frame.entries):
                    return None
                fakes = tuple(
                    replace(one, stanza=bytes(1168)) if one.stanza else one for one in frame.entries
                )
                return replace(frame, entries=fakes)

            line.change = false
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert line.done.is_set()
            assert ("unopened", KH) not in story(la, bulletin)
